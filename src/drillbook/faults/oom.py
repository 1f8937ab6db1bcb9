"""The service needs more memory than its limit allows, again after every start."""

from dataclasses import dataclass, field

from drillbook.faults._common import must_be_name, must_be_positive, start_again
from drillbook.faults._pressure import Pressure
from drillbook.replica import Replica
from drillbook.units import format_bytes

__all__ = ["OutOfMemory"]


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """A real kernel OOM kill of the main process by its own memory limit, until the limit leaves room.

    The memory is taken again after every start of the service; with a limit that leaves room nothing is killed.

    Args:
        service: Name as the runbook has it.
        working_set_bytes: What is held on top of the service's own use; must lie between the old limit and the one that
            the runbook prescribes.
    """

    service: str
    working_set_bytes: int
    effect_within_s: float = 30.0
    _pressure: Pressure = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_positive(self, "working_set_bytes", self.working_set_bytes)
        pressure = Pressure(self.service, self.working_set_bytes, takes_children=False)
        object.__setattr__(self, "_pressure", pressure)

    def describe(self) -> str:
        more = format_bytes(self.working_set_bytes)
        return f"{self.service} needs {more} more memory than before, again after every start (kernel OOM kill)"

    def inject(self, replica: Replica) -> None:
        self._pressure.begin(replica)

    def is_present(self, replica: Replica) -> bool:
        """The kernel has killed in the service's cgroup, and the service does not run."""
        return self._pressure.has_killed(replica) and not replica.service(self.service).is_running()

    def revert(self, replica: Replica) -> None:
        self._pressure.end(replica)
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} is not out of memory")
        self._pressure.forget()
