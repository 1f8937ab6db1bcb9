"""The file system has room and takes no new file."""

import shlex
from dataclasses import dataclass

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_name, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["InodesExhausted"]

_LEFT = 2


@dataclass(frozen=True, slots=True)
class InodesExhausted:
    """Empty files take all inodes of a file system, which must be the service's own.

    Args:
        service: Name as the runbook has it.
        folder: Folder on the machine that is made for them.
    """

    service: str
    folder: str
    effect_within_s: float = 30.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.folder.startswith("/") or not self.folder.strip("/. "):
            raise UsageError("InodesExhausted", f"folder must be an absolute path, got {self.folder!r}")

    def describe(self) -> str:
        return f"the disk of {self.service} has room and no inode: empty files in {self.folder} took them"

    def inject(self, replica: Replica) -> None:
        folder = shlex.quote(self.folder)
        # One file is asked for too many: others give inodes back meanwhile.
        count = "$(($(df --output=iavail . | tail -n 1) + 1))"
        on_own_machine(
            replica,
            f"mkdir -p {folder} && cd {folder} && {{ seq -f left-%.0f {count} | xargs touch 2>/dev/null || true; }}",
        )

    def is_present(self, replica: Replica) -> bool:
        """By the file system's own count there is no inode, and there is room."""
        beside = shlex.quote(self.folder.rpartition("/")[0] or "/")
        counted = on_own_machine(replica, f"df --output=iavail,avail -B1 {beside}", strict=False).out.split()
        return len(counted) == 4 and int(counted[2]) < _LEFT and int(counted[3]) > 0

    def revert(self, replica: Replica) -> None:
        on_own_machine(replica, f"rm -rf {shlex.quote(self.folder)}")
        must_hold(f"{self.service} has inodes left", lambda: not self.is_present(replica))
