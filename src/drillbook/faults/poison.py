"""A task that never ends keeps the worker busy, and comes back after every restart."""

from dataclasses import dataclass, field

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_name, must_hold, on_machine
from drillbook.faults.celery_queue import Queue
from drillbook.replica import Replica

__all__ = ["PoisonTask"]


@dataclass(frozen=True, slots=True)
class PoisonTask:
    """A task is handed in that the worker does not get done with; the queue gives it out again when the worker ends.

    Args:
        service: The worker's service, as the runbook has it; it must have one process for tasks.
        hand_in: Command on the machine that hands the task in, as anybody could.
        mark: Word that is among the task's arguments and in no other's.
        queue: The queue that it goes through.
    """

    service: str
    hand_in: str
    mark: str
    queue: Queue
    effect_within_s: float = 20.0
    _handed_in: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_name(self, "mark", self.mark)
        if not self.hand_in.strip():
            raise UsageError("PoisonTask", "hand_in must be a command, got nothing")

    def describe(self) -> str:
        return f"a task that never ends keeps {self.service} busy, again after every restart"

    def inject(self, replica: Replica) -> None:
        self._handed_in[:] = [self.mark]
        on_machine(replica, self.hand_in)

    def is_present(self, replica: Replica) -> bool:
        """The worker runs, others wait, and in all looks it holds one and the same task."""
        looks = self.queue.looks(replica)
        held = {tasks for _, tasks in looks}
        stuck = len(held) == 1 and held != {frozenset()} and all(waiting for waiting, _ in looks)
        return stuck and replica.service(self.service).is_running()

    def revert(self, replica: Replica) -> None:
        if self._handed_in and self.is_present(replica):
            service = replica.service(self.service)
            service.stop()
            self.queue.remove(replica, self.mark)
            service.start()
        self._handed_in.clear()
        must_hold(f"{self.service} gets done with its tasks", lambda: not self.is_present(replica))
