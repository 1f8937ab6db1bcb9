"""Places where commands run: one open shell a target, deadlines, and no result when the target did not answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["DEFAULT_DEADLINE_S", "Output", "Target"]

DEFAULT_DEADLINE_S = 10.0
"""Seconds that a command may take unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one command left behind.

    Attributes:
        command: As it was run.
        exit_status: The command's own.
        stdout: Bytes as they came; head and tail where there were more than the session keeps.
        stderr: The same.
        took_s: Seconds from sending the command to its exit status.
        dropped_bytes: How many bytes of stdout and stderr were not kept.
    """

    command: str
    exit_status: int
    stdout: bytes
    stderr: bytes
    took_s: float
    dropped_bytes: int = 0

    @property
    def out(self) -> str:
        """Stdout as text; bytes that are no UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def err(self) -> str:
        """Stderr as text; bytes that are no UTF-8 become U+FFFD."""
        return self.stderr.decode("utf-8", "replace")


class Target(Protocol):
    """A host, container, pod or this machine, with one shell kept open in it."""

    @property
    def name(self) -> str:
        """The URI that it was opened with, or a role in a replica."""
        ...

    def run(
        self, command: str, *, deadline_s: float = DEFAULT_DEADLINE_S, variables: Mapping[str, str] | None = None
    ) -> Output:
        """Run a command to its end and return what it left behind; a non-zero exit status is a result like any other.

        Args:
            command: Shell text; runs with bash where the target has it, else sh; its standard input is empty.
            deadline_s: Seconds after which it is killed with its whole process group.
            variables: Environment added for this command only.

        Raises:
            TargetUnreachable: The session's host did not answer.
            CommandTimeout: It was still running at its deadline.
            CommandRefused: The target is read-only and the command is not known to read.
        """
        ...

    def close(self) -> None:
        """End the session; harmless when repeated."""
        ...
