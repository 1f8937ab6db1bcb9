"""Memory that a service lacks: real kernel OOM kills by its own limit, again after every start."""

import shlex
from dataclasses import dataclass, field

from drillbook.faults._common import Keeper, end_groups, on_machine
from drillbook.replica import Replica
from drillbook.replica.process import Process

__all__ = ["Pressure"]

_FIRST, _LAST = 1000, 0
"""Ranks (``oom_score_adj``) of whom the kernel takes first, and of the others of the service."""
_RANK_EVERY_S = 0.05
"""A child is born with its parent's rank; it gets its own before it has grown so far that the kernel looks for one."""


@dataclass(slots=True)
class Pressure:
    """Holds memory in the service's cgroup, as a leak or a larger model would, and says whom the kernel takes first.

    Processes outside the container hold the memory in the cgroup and give the ranks, while the main process lives. A
    service of several instances lacks it in each of them.

    Args:
        service: Name as the runbook has it.
        held_bytes: What is held on top of the service's own use.
        takes_children: True where the kernel is to take the main process's children and let it live.
    """

    service: str
    held_bytes: int
    takes_children: bool
    _keeper: Keeper | None = field(default=None, init=False)
    _holders: dict[int, str] = field(default_factory=dict, init=False)
    _kills: int = field(default=0, init=False)
    _identity: str | None = field(default=None, init=False)

    def begin(self, replica: Replica) -> None:
        """Take the memory, and again after every start."""
        service = replica.service(self.service)
        self._kills, self._identity = service.oom_kills(), service.identity()

        def press() -> None:
            for main in service.main_processes():
                if main.pid in self._holders or not main.is_alive:
                    continue
                if holder := on_machine(replica, self._hold(main), strict=False).out.strip():
                    self._holders[main.pid] = holder

        self._keeper = Keeper(press)
        self._keeper.start()

    def has_killed(self, replica: Replica) -> bool:
        """Return whether the kernel has killed in the service's cgroup since ``begin``."""
        if self._keeper is None:
            return False
        self._keeper.raise_error()
        service = replica.service(self.service)
        before = self._kills if service.identity() == self._identity else 0
        return service.oom_kills() > before

    def end(self, replica: Replica) -> None:
        """Give the memory back; what was killed still counts. Harmless when repeated."""
        if self._keeper is not None:
            self._keeper.stop()
        end_groups(replica, set(self._holders.values()), f"what took memory from {self.service} has ended")
        self._holders.clear()

    def forget(self) -> None:
        """Count from nothing again: the fault is over."""
        self._keeper = None

    def _hold(self, process: Process) -> str:
        """Return shell text that presses while the main process lives, and prints the process group of what presses."""
        main = process.pid
        mine, theirs = (_LAST, _FIRST) if self.takes_children else (_FIRST, _LAST)
        rank = (
            f"echo {mine} >/proc/{main}/oom_score_adj && for of in /proc/{main}/task/*/children; do "
            f"read -r children <$of; for p in $children; do echo {theirs} >/proc/$p/oom_score_adj; done; done"
        )
        hold = f"(head -c {self.held_bytes} /dev/zero; exec tail --pid={main} -s 0.05 -f /dev/null) | tail"
        joined = shlex.quote(f"echo $$ >{process.group}/cgroup.procs && {hold}")
        # Nothing of the loop is a program: what starts one so often is a load itself, where starting one is dear.
        ranks = f"exec 9<> <(:); while kill -0 {main}; do {rank}; read -rt {_RANK_EVERY_S} -u 9; done"
        both = f"sh -c {joined} & {ranks}"
        return (
            f"{rank}; kill -0 {main} && {{ setsid bash -c {shlex.quote(both)} >/dev/null 2>&1 </dev/null & echo $!; }}"
        )
