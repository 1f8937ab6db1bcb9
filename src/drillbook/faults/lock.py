"""Another process holds a lock that the service needs for every request."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_name, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["LockHeld"]


@dataclass(frozen=True, slots=True)
class LockHeld:
    """A process outside holds the lock (``flock``) of a file, so that the service hangs in a system call.

    Args:
        service: Name as the runbook has it.
        file: Path of the file on the machine; the service locks it while it works.
    """

    service: str
    file: str
    effect_within_s: float = 15.0
    _holder: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.file.startswith("/"):
            raise UsageError("LockHeld", f"file must be an absolute path, got {self.file!r}")

    def describe(self) -> str:
        return f"{self.service} hangs in a system call: another process holds the lock of {self.file}"

    def inject(self, replica: Replica) -> None:
        # Who took the lock has to live on: the kernel shows no lock whose taker is gone to another PID namespace.
        hold = f"setsid flock --no-fork --exclusive {shlex.quote(self.file)} sleep infinity"
        started = on_own_machine(replica, f"{hold} >/dev/null 2>&1 </dev/null & echo $!")
        self._holder[:] = [started.out.strip()]

    def is_present(self, replica: Replica) -> bool:
        """The kernel lists the service's own process among those that wait for a lock."""
        pid = replica.service(self.service).main_pid()
        if pid is None:
            return False
        waiting = rf"^[0-9]+: -> FLOCK +[A-Z]+ +[A-Z]+ {pid} "
        return on_own_machine(replica, f"grep -qE '{waiting}' /proc/locks", strict=False).exit_status == 0

    def revert(self, replica: Replica) -> None:
        for holder in self._holder:
            on_own_machine(replica, f"kill -KILL {holder} 2>/dev/null || true")
        self._holder.clear()
        must_hold(f"{self.service} waits for no lock", lambda: not self.is_present(replica))
