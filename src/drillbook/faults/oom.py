"""The service needs more memory than its limit allows, again after every start."""

from dataclasses import dataclass, field

from drillbook.errors import TargetError
from drillbook.faults._common import Keeper, must_be_name, must_be_positive, on_machine, start_again
from drillbook.replica import Replica
from drillbook.units import format_bytes

__all__ = ["OutOfMemory"]


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """A real kernel OOM kill of the main process by its own memory limit, until the limit leaves room.

    A process outside the container joins the service's memory cgroup and holds ``working_set_bytes`` there, as a leak
    or a larger model would. The main process is made the first that the kernel takes (``oom_score_adj`` 1000). The
    memory is taken again after every start of the service; with a limit that leaves room nothing is killed.

    Args:
        service: Name as the runbook has it.
        working_set_bytes: What is held on top of the service's own use; must lie between the old limit and the one that
            the runbook prescribes.
    """

    service: str
    working_set_bytes: int
    effect_within_s: float = 30.0
    _state: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_positive(self, "working_set_bytes", self.working_set_bytes)

    def describe(self) -> str:
        more = format_bytes(self.working_set_bytes)
        return f"{self.service} needs {more} more memory than before, again after every start (kernel OOM kill)"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        pressed: set[int] = set()
        holders: list[str] = []
        self._state.update(kills=service.oom_kills(), identity=service.identity(), holders=holders)

        def press() -> None:
            pid, cgroup = service.main_pid(), service.memory_cgroup()
            if pid is None or cgroup is None or pid in pressed:
                return
            try:
                holder = on_machine(replica, self._hold(pid, cgroup), strict=False).out.strip()
            except TargetError:
                return  # the service ended while it was looked at: there is another process soon, or none
            if holder:
                pressed.add(pid)
                holders.append(holder)

        keeper = Keeper(press)
        self._state["keeper"] = keeper
        keeper.start()

    def _hold(self, pid: int, cgroup: str) -> str:
        """Return shell text that holds the memory while the main process lives, and prints its process group."""
        hold = f"(head -c {self.working_set_bytes} /dev/zero; exec tail --pid={pid} -s 0.05 -f /dev/null) | tail"
        return (
            f"echo 1000 >/proc/{pid}/oom_score_adj && "
            f"{{ setsid sh -c 'echo $$ >{cgroup}/cgroup.procs && {hold}' >/dev/null 2>&1 </dev/null & echo $!; }}"
        )

    def is_present(self, replica: Replica) -> bool:
        keeper = self._state.get("keeper")
        if not isinstance(keeper, Keeper):
            return False
        keeper.raise_error()
        service = replica.service(self.service)
        same = service.identity() == self._state["identity"]
        before = self._state["kills"] if same else 0
        assert isinstance(before, int)
        return not service.is_running() and service.oom_kills() > before

    def revert(self, replica: Replica) -> None:
        keeper, holders = self._state.get("keeper"), self._state.get("holders", ())
        if isinstance(keeper, Keeper):
            keeper.stop()
        if isinstance(holders, list) and holders:
            groups = " ".join(f"-{pid}" for pid in holders)
            on_machine(replica, f"kill -KILL -- {groups} 2>/dev/null || true")
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} is not out of memory")
        self._state.clear()
