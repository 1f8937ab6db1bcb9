"""testinfra's vocabulary over the target's own session, so that no answer is never taken for a "no"."""

import re
from typing import TYPE_CHECKING, Any

from drillbook.errors import ProgramMissing, TargetError
from drillbook.target import DEFAULT_DEADLINE_S, Output, Target

if TYPE_CHECKING:
    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

__all__ = ["testinfra_host"]

_NOT_FOUND = 127

# Commands by which testinfra itself finds out whether a program is there; it expects 127 of them.
_PROBES = re.compile(r"(sudo (-u \S+ )?/bin/sh -c ')?(command -v|which|realpath|lsb_release|sw_vers) ")

# What `service NAME status` says of a name that no init script has; testinfra would call that "not running".
_UNKNOWN_SERVICE = re.compile(r"unrecognized service|could not be found|does not exist|not been booted with systemd")


class _CommandNotFound(ProgramMissing, ValueError):
    """A ValueError too, because testinfra looks for the next program after one."""


def _judge(target: Target, command: str, output: Output) -> None:
    """Raise where the command's end says nothing about what it was to look at."""
    evidence = f"{output.out}\n{output.err}"
    if output.dropped_bytes:
        raise TargetError(
            target.name,
            f"expected all output of `{command}`, got it without {output.dropped_bytes} bytes in the middle",
            hint="let the command itself choose what matters (grep, tail, wc)",
        )
    if output.exit_status == _NOT_FOUND and not _PROBES.match(command):
        program = command.split()[0] if command.split() else command
        raise ProgramMissing(
            target.name,
            f"expected an answer of `{command}`, got exit status 127: no such program",
            evidence=evidence,
            hint=f"install {program} there, or check it in another way",
        )
    if re.match(r"\S*ss --numeric", command) and output.exit_status:
        # testinfra does not look at the exit status: no output would mean that nothing listens.
        raise TargetError(
            target.name, f"expected a list from `{command}`, got exit status {output.exit_status}", evidence=evidence
        )
    if re.match(r"\S*service \S+ status$", command) and output.exit_status and _UNKNOWN_SERVICE.search(evidence):
        raise ProgramMissing(
            target.name,
            f"expected a service manager that knows the service, got none that does (`{command}`)",
            evidence=evidence,
            hint="where no init system runs, look for the process or the port instead",
        )


def testinfra_host(target: Target, *, deadline_s: float = DEFAULT_DEADLINE_S) -> "Host":  # noqa: PT028
    """Return a testinfra host whose commands run on the target.

    Args:
        target: Every command of every check goes through it, its guard included.
        deadline_s: Seconds that each command may take.

    Returns:
        A host on which a check raises TargetUnreachable, CommandTimeout, CommandRefused or ProgramMissing where it
        cannot be judged. A command that ends with 127 counts as a missing program, also one of your own
        ``host.run``; ``host.exists(NAME)`` asks for a program.
    """
    from testinfra.backend.base import BaseBackend
    from testinfra.host import Host

    class Backend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
        NAME = "drillbook"

        def run(self, command: str, *args: str, **kwargs: Any) -> "CommandResult":
            text = self.get_command(command, *args)
            output = target.run(text, deadline_s=deadline_s)
            _judge(target, text, output)
            return self.result(output.exit_status, text.encode(), output.stdout, output.stderr)

        def get_encoding(self) -> str:
            return "utf-8"

        def decode(self, data: bytes) -> str:
            return data.decode("utf-8", "replace")

    class TargetHost(Host):  # type: ignore[misc]
        def find_command(self, command: str, *args: Any, **kwargs: Any) -> str:
            try:
                return str(super().find_command(command, *args, **kwargs))
            except ValueError as error:
                hint = f"install {command} there, or check it in another way"
                raise _CommandNotFound(target.name, f"expected the program {command}, got none", hint=hint) from error

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except RuntimeError as error:
                if name != "socket":
                    raise
                hint = "install iproute2 there, or ask the port itself"
                raise ProgramMissing(target.name, "expected ss or netstat, got neither", hint=hint) from error

    backend = Backend(target.name)
    host = TargetHost(backend)
    backend.set_host(host)
    return host


testinfra_host.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name
