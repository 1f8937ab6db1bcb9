"""The disk of the service is full."""

import shlex
from dataclasses import dataclass

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_name, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["DiskFull"]

_FREE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DiskFull:
    """A file takes all the room that is left on the file system of the service's data.

    The file system must be the service's own: this fills it to the last byte.

    Args:
        service: Name as the runbook has it.
        file: Path of that file on the machine, absolute or relative to where the operator stands; its folder is made.
        age_days: How old the file is made to look.
    """

    service: str
    file: str
    age_days: int = 30
    effect_within_s: float = 30.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.file.strip("./ "):
            raise UsageError("DiskFull", f"file must be a path, got {self.file!r}")

    def describe(self) -> str:
        return f"the disk of {self.service} is full: {self.file} takes all the room that was left"

    @property
    def _folder(self) -> str:
        return shlex.quote(self.file.rpartition("/")[0] or ".")

    def inject(self, replica: Replica) -> None:
        file = shlex.quote(self.file)
        on_own_machine(replica, f"mkdir -p {self._folder} && {{ cat /dev/zero >{file} 2>/dev/null || true; }}")
        on_own_machine(replica, f"touch -d '{self.age_days} days ago' {file}")

    def is_present(self, replica: Replica) -> bool:
        """The file system has no room, by its own count."""
        counted = on_own_machine(replica, f"df --output=avail -B1 {self._folder} 2>/dev/null", strict=False).out.split()
        return len(counted) == 2 and int(counted[1]) < _FREE_BYTES

    def revert(self, replica: Replica) -> None:
        on_own_machine(replica, f"rm -f {shlex.quote(self.file)}")
        service = replica.service(self.service)
        if not service.is_running():
            service.start()
        must_hold(f"{self.service} has room on its disk", lambda: not self.is_present(replica))
