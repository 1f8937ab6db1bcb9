"""What can be wrong with the engine or with its inputs.

The tree::

    DrillbookError
    ├── UsageError            an option, a target file or a table is wrong
    ├── RunbookError          the document is wrong (always path:line)
    ├── ReplicaError          a replica cannot be built, started or removed
    │   └── DockerMissing     there is no Docker engine that answers
    ├── TargetError           a command could not be judged
    │   ├── TargetUnreachable the session cannot reach its host: the result is UNKNOWN
    │   ├── CommandTimeout    the command was killed at its deadline
    │   ├── CommandRefused    the read-only guard did not let it through
    │   └── ProgramMissing    the target lacks a program that the check needs
    ├── FaultError
    │   ├── NotSupported      this replica cannot have this fault
    │   ├── InjectFailed
    │   ├── NotConfirmed      an independent probe did not see what it had to see
    │   └── RevertFailed
    ├── EvidenceError         a run's record cannot be written or read
    └── DrillUnknown          a drill ended without proof either way

What a check found wrong with the system under test is no error but an ``AssertionError``.
"""

from collections.abc import Iterable

__all__ = [
    "CommandRefused",
    "CommandTimeout",
    "DockerMissing",
    "DrillUnknown",
    "DrillbookError",
    "EvidenceError",
    "FaultError",
    "InjectFailed",
    "NotConfirmed",
    "NotSupported",
    "ProgramMissing",
    "ReplicaError",
    "RevertFailed",
    "RunbookError",
    "TargetError",
    "TargetUnreachable",
    "UsageError",
]

_EVIDENCE_LINES = 20


class DrillbookError(Exception):
    """Something is wrong with the engine or its inputs, never with the system under test.

    Args:
        where: File and line, host, or container that the message is about.
        problem: What was expected and what was found, with units.
        evidence: Last output seen; the last 20 lines are kept.
        hint: What to do or to write instead.
    """

    def __init__(self, where: str, problem: str, *, evidence: str | Iterable[str] = (), hint: str = "") -> None:
        self.where = where
        self.problem = problem
        lines = evidence.splitlines() if isinstance(evidence, str) else list(evidence)
        self.evidence = tuple(line.rstrip() for line in lines if line.strip())[-_EVIDENCE_LINES:]
        self.hint = hint
        super().__init__(where, problem)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.problem}"]
        lines += [f"  | {line}" for line in self.evidence]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class UsageError(DrillbookError):
    """An option, a target file or a drill table holds what it must not hold."""


class RunbookError(DrillbookError):
    """The document cannot be used; ``where`` is always ``path:line``."""


class ReplicaError(DrillbookError):
    """A replica could not be built, started, observed or removed."""


class DockerMissing(ReplicaError):
    """No Docker engine answers."""


class TargetError(DrillbookError):
    """A command's result could not be had or must not be used."""


class TargetUnreachable(TargetError):
    """The session cannot reach its host, so nothing is known about what the host would say."""


class CommandTimeout(TargetError):
    """A command was still running at its deadline and was killed with its process group."""


class CommandRefused(TargetError):
    """The read-only guard cannot tell that the command only reads."""


class ProgramMissing(TargetError):
    """The target has no such program, so the check cannot be judged there."""


class FaultError(DrillbookError):
    """A fault could not be injected, seen or reverted."""


class NotSupported(FaultError):
    """This replica cannot have this fault."""


class InjectFailed(FaultError):
    """The injection itself did not work."""


class NotConfirmed(FaultError):
    """A probe that is independent of the injection did not see the state that had to be there."""


class RevertFailed(FaultError):
    """A fault is still there after it was reverted."""


class EvidenceError(DrillbookError):
    """A run's record cannot be written or read."""


class DrillUnknown(DrillbookError):
    """A drill ended without proof either way: the replica did not answer, or a fault's effect was not seen."""
