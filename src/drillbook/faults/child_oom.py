"""Child processes of the service run out of memory, while its main process and its container keep running."""

from dataclasses import dataclass, field

from drillbook.clock import SystemClock, poll
from drillbook.faults._common import must_be_name, must_be_positive, must_hold
from drillbook.faults._pressure import Pressure
from drillbook.replica import Replica
from drillbook.units import format_bytes

__all__ = ["ChildOutOfMemory"]

_NEXT_KILL_WITHIN_S = 10.0
"""A supervisor starts the next child within some seconds; on a slow machine within one healthy start of everything."""


@dataclass(frozen=True, slots=True)
class ChildOutOfMemory:
    """Real kernel OOM kills of the service's children, again after each that is started, until the limit leaves room.

    As ``OutOfMemory``, but the kernel is made to take the children first, so that the main process lives: the
    supervisor of the service sees nothing, and ``OOMKilled`` of its container stays false.

    Args:
        service: Name as the runbook has it; its main process must start children and replace those that end.
        working_set_bytes: What is held on top of the service's own use; beside it and the main process there must be
            no room for one child under the old limit, and room for all under the one that the runbook prescribes.
    """

    service: str
    working_set_bytes: int
    effect_within_s: float = 30.0
    _pressure: Pressure = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_positive(self, "working_set_bytes", self.working_set_bytes)
        object.__setattr__(self, "_pressure", Pressure(self.service, self.working_set_bytes, takes_children=True))

    def describe(self) -> str:
        more = format_bytes(self.working_set_bytes)
        return (
            f"children of {self.service} need {more} more memory than there is and are killed; its main process lives"
        )

    def inject(self, replica: Replica) -> None:
        self._pressure.begin(replica)

    def is_present(self, replica: Replica) -> bool:
        """The kernel has killed in the service's cgroup and goes on doing so, and the service runs."""
        service = replica.service(self.service)
        if not self._pressure.has_killed(replica) or not service.is_running():
            return False
        before = service.oom_kills()
        within_s = max(_NEXT_KILL_WITHIN_S, replica.healthy_start_s)
        goes_on = poll(lambda: service.oom_kills() > before, within_s=within_s, clock=SystemClock())
        return goes_on and service.is_running()

    def revert(self, replica: Replica) -> None:
        was_present = self.is_present(replica)
        self._pressure.end(replica)
        service = replica.service(self.service)
        if was_present:
            service.stop()
            service.start()
        must_hold(f"{self.service} runs", service.is_running)
        self._pressure.forget()
