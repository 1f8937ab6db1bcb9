"""A process on a replica's host, as the kernel shows it there."""

import shlex
from dataclasses import dataclass

from drillbook.replica.cgroup import is_frozen
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S
from drillbook.target import Target

__all__ = ["Process", "look_at"]

_STOPPED = frozenset({"T", "t"})
_DEAD = frozenset({"", "Z", "X"})

# $1: process id on the host. Prints name, state and children of the process, then the files of its control group,
# each after a line with a name; v1 and v2 differ in where they are.
_LOOK = r"""
p=$1; [ -d /proc/$p ] || exit 0
echo "@comm"; cat /proc/$p/comm; echo "@state"; sed -n 's/^State:[[:space:]]*//p' /proc/$p/status
echo "@children"; cat /proc/$p/task/*/children; echo  # the kernel ends that file with no line end
group() { sed -n "s|^[0-9]*:\(.*,\)*$1\(,.*\)*:||p" /proc/$p/cgroup | head -1; }
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  g=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$p/cgroup)
  freezer=$g/cgroup.events limit=$g/memory.max oom=$g/memory.events
else
  freezer=/sys/fs/cgroup/freezer$(group freezer)/freezer.state
  m=/sys/fs/cgroup/memory$(group memory); limit=$m/memory.limit_in_bytes oom=$m/memory.oom_control
fi
echo "@group"; echo ${oom%/*}; echo "@freezer"; cat $freezer; echo "@limit"; cat $limit; echo "@oom"; cat $oom
"""


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel says of a process and of its control group.

    Attributes:
        pid: On the host.
        name: Of its program.
        state: Letter of the kernel; empty where it was gone while it was looked at.
        children: Their ids.
        group: Folder of its memory cgroup.
        freezer: Text of the file that says whether the group runs.
        limit: Text of the file with the memory limit.
        oom: Text of the file with the counter of kills.
    """

    pid: int
    name: str
    state: str
    children: tuple[int, ...]
    group: str
    freezer: str
    limit: str
    oom: str

    @property
    def is_off_processor(self) -> bool:
        """True where it is stopped, or in a group that is frozen."""
        return is_frozen(self.freezer) or self.state in _STOPPED

    @property
    def is_alive(self) -> bool:
        """True where it runs or could."""
        return self.state not in _DEAD and not self.is_off_processor


def look_at(host: Target, pid: int) -> Process | None:
    """Return a process by its id on the host; None where there is none."""
    said = host.run(f"sh -c {shlex.quote(_LOOK)} look {pid} 2>/dev/null", deadline_s=ANSWERS_WITHIN_S).out
    seen = {name: text for name, _, text in (part.partition("\n") for part in ("\n" + said).split("\n@")[1:])}
    if not seen:
        return None
    return Process(
        pid,
        seen.get("comm", "").strip(),
        seen.get("state", "")[:1].strip(),
        tuple(map(int, seen.get("children", "").split())),
        seen.get("group", "").strip(),
        seen.get("freezer", ""),
        seen.get("limit", ""),
        seen.get("oom", ""),
    )
