"""The service gets next to no processor time."""

from dataclasses import dataclass, field

from drillbook.faults._common import must_be_commands, must_be_name, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["CpuStarved"]

# $1: process id. Prints twice how often its control group had used its quota up. The counter moves once a period, and a
# period has at most one second (kernel, sched-bwc).
_THROTTLED = r"""
p=$1
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  file=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$p/cgroup)/cpu.stat
else
  file=/sys/fs/cgroup/cpu$(sed -n 's/^[0-9]*:\(.*,\)*cpu\(,.*\)*://p' /proc/$p/cgroup | head -n 1)/cpu.stat
fi
sed -n 's/^nr_throttled //p' "$file"; sleep 1.1; sed -n 's/^nr_throttled //p' "$file"
"""


@dataclass(frozen=True, slots=True)
class CpuStarved:
    """The system's own command gives the service a processor quota that it cannot live on; a restart keeps it.

    Args:
        service: Name as the runbook has it.
        starve: Command on the machine that sets the quota.
        feed: Command that takes it away; harmless where there is none.
    """

    service: str
    starve: str
    feed: str
    effect_within_s: float = 15.0
    _starved: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_commands(self, "starve", "feed")

    def describe(self) -> str:
        return f"{self.service} gets next to no processor time"

    def inject(self, replica: Replica) -> None:
        self._starved[:] = [True]
        on_machine(replica, self.starve)

    def is_present(self, replica: Replica) -> bool:
        """The kernel's count of periods in which the service had used its quota up grows."""
        pid = replica.service(self.service).main_pid()
        if pid is None:
            return False
        counted = on_machine(replica, f"set -- {pid}; {_THROTTLED}", strict=False).out.split()
        return len(counted) == 2 and int(counted[1]) > int(counted[0])

    def revert(self, replica: Replica) -> None:
        if self._starved:
            on_machine(replica, self.feed)
            service = replica.service(self.service)
            if not service.is_running():
                service.start()
        self._starved.clear()
        must_hold(f"{self.service} gets its time", lambda: not self.is_present(replica))
