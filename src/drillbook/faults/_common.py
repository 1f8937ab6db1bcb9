"""What several faults share: refusing bad parameters, running a command that must work, and keeping a cause alive."""

import threading
from collections.abc import Callable, Collection

from drillbook.clock import SystemClock, poll
from drillbook.errors import DrillbookError, InjectFailed, NotSupported, RevertFailed, TargetError, UsageError
from drillbook.replica import Replica
from drillbook.target import Output

__all__ = [
    "Keeper",
    "end_groups",
    "in_service",
    "must_be_commands",
    "must_be_name",
    "must_be_port",
    "must_be_positive",
    "must_hold",
    "on_machine",
    "on_own_machine",
    "start_again",
]


def must_be_name(fault: object, field: str, value: str) -> None:
    """Refuse a service or variable name that is empty or that a shell would take apart.

    Raises:
        UsageError: It is such a name.
    """
    if not value or not all(letter.isalnum() or letter in "-_." for letter in value):
        raise UsageError(type(fault).__name__, f"{field} must be a plain name, got {value!r}")


def must_be_port(fault: object, value: int) -> None:
    """Refuse what is no TCP port.

    Raises:
        UsageError: It is none.
    """
    if not 1 <= value <= 65535:
        raise UsageError(type(fault).__name__, f"port must lie between 1 and 65535, got {value!r}")


def must_be_positive(fault: object, field: str, value: float) -> None:
    """Refuse a number that is not above zero.

    Raises:
        UsageError: It is not.
    """
    if not value > 0:
        raise UsageError(type(fault).__name__, f"{field} must be above zero, got {value!r}")


def on_machine(replica: Replica, command: str, *, deadline_s: float = 60.0, strict: bool = True) -> Output:
    """Run a command of the fault's own on the machine that carries the services.

    Raises:
        InjectFailed: ``strict``, and it exits non-zero.
    """
    output = replica.host("machine").run(command, deadline_s=deadline_s)
    if strict and output.exit_status:
        raise InjectFailed(
            command, f"expected exit status 0, got {output.exit_status}", evidence=output.err + output.out
        )
    return output


def in_service(replica: Replica, service: str, command: str) -> Output:
    """Run a command of the fault's own in a service; it has the time that a client takes to start on a slow machine.

    Raises:
        CommandTimeout: It has not ended within a minute.
    """
    return replica.host(service).run(command, deadline_s=60.0)


def on_own_machine(replica: Replica, command: str, *, deadline_s: float = 60.0, strict: bool = True) -> Output:
    """Run a command that touches the machine itself: its disks, its packet filter, its programs.

    Else it is ``on_machine``.

    Raises:
        NotSupported: The machine that carries the services is the user's.
        InjectFailed: ``strict``, and it exits non-zero.
    """
    if not replica.has_machine:
        raise NotSupported(
            command,
            "needs the machine that carries the services, and that is the user's",
            hint="drill this without --cluster",
        )
    return on_machine(replica, command, deadline_s=deadline_s, strict=strict)


def must_hold(what: str, ask: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait until a revert shows.

    Raises:
        RevertFailed: It does not within that many seconds.
    """
    if not poll(ask, within_s=within_s, clock=SystemClock()):
        raise RevertFailed(what, f"expected this to hold within {within_s:.0f} s after revert, it does not")


def must_be_commands(fault: object, *names: str) -> None:
    """Refuse a fault some of whose attributes should be commands and are empty.

    Raises:
        UsageError: One of them is.
    """
    if not all(getattr(fault, name).strip() for name in names):
        raise UsageError(type(fault).__name__, f"{' and '.join(names)} must be commands, got nothing")


def end_groups(replica: Replica, groups: Collection[str], what: str) -> None:
    """Kill process groups on the machine and wait until nothing of them is alive; harmless where there is none.

    Args:
        replica: Where they run.
        groups: Their ids.
        what: What must hold then, for the error.

    Raises:
        RevertFailed: Something of them is still alive.
    """
    if not groups:
        return
    kill = " ".join(f"-{group}" for group in groups)
    alive = "ps -A -o pgid=,stat= | awk '$2 !~ /^Z/ {print $1}'"

    def have_ended() -> bool:
        said = on_machine(replica, f"kill -KILL -- {kill} 2>/dev/null; {alive}", strict=False)
        return not set(groups) & set(said.out.split())

    must_hold(what, have_ended)


def start_again(replica: Replica, service: str, is_present: Callable[[], bool], what: str) -> None:
    """Start a service where a fault's effect shows, and wait until it does not.

    Args:
        replica: Where it runs.
        service: Its name.
        is_present: Whether the effect shows.
        what: What must hold then, for the error.

    Raises:
        RevertFailed: The effect is still there after three healthy starts of the replica, 15 s at least.
    """
    if is_present():
        replica.service(service).start()
    must_hold(what, lambda: not is_present(), within_s=max(15.0, 3 * replica.healthy_start_s))


class Keeper:
    """Brings a cause back as often as it is pushed away, until it is told to stop.

    A restart takes away what a fault did to a process. A cause (memory that runs out, data that is broken) would be
    there again, so ``press`` is called over and over from a thread of its own; it looks whether there is work.

    Args:
        press: Called about every ``every_s``; a target that does not answer for a moment (a restart) is asked again.
        every_s: Seconds between two calls.
    """

    def __init__(self, press: Callable[[], object], *, every_s: float = 0.05) -> None:
        self._press = press
        self._every_s = every_s
        self._over = threading.Event()
        self._error: DrillbookError | None = None
        self._thread = threading.Thread(target=self._keep, name="fault-keeper", daemon=True)

    def start(self) -> None:
        """Begin to press."""
        self._thread.start()

    def stop(self) -> None:
        """Stop pressing and wait for the thread; harmless when repeated."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def raise_error(self) -> None:
        """Raise what ended the thread early, where something did."""
        if self._error:
            raise self._error

    def _keep(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._press()
            except TargetError:
                continue
            except DrillbookError as error:
                self._error = error
                return
