"""A worker runs and answers, and takes nothing from its queue any more."""

from dataclasses import dataclass

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_name, must_hold
from drillbook.faults.celery_queue import Queue
from drillbook.replica import Replica

__all__ = ["ConsumerLost"]

_ROUNDS = 4
"""Of looks, half a second each: on a busy machine a worker that is well takes nothing for a moment either."""


@dataclass(frozen=True, slots=True)
class ConsumerLost:
    """A Celery worker is no longer registered as a consumer of its queue, as after a connection that was lost.

    It still answers ``inspect ping``. A restart registers it again.

    Args:
        service: The worker's service, as the runbook has it.
        app: What ``celery -A`` takes in its container.
        queue: The queue that it stops to consume.
    """

    service: str
    app: str
    queue: Queue
    effect_within_s: float = 20.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.app.strip():
            raise UsageError("ConsumerLost", "app must be what `celery -A` takes, got nothing")

    def describe(self) -> str:
        return f"{self.service} runs and answers, and takes nothing from the queue {self.queue.name}"

    def _control(self, replica: Replica, verb: str) -> None:
        command = f"celery -A {self.app} control {verb} {self.queue.name}"
        said = replica.host(self.service).run(command, deadline_s=30.0)
        if said.exit_status:
            raise InjectFailed(command, f"expected exit status 0, got {said.exit_status}", evidence=said.err + said.out)

    def inject(self, replica: Replica) -> None:
        self._control(replica, "cancel_consumer")

    def is_present(self, replica: Replica) -> bool:
        """Tasks wait, the worker runs, and for some seconds nobody holds one."""
        is_idle = all(self._is_idle(replica) for _ in range(_ROUNDS))
        return is_idle and replica.service(self.service).is_running()

    def _is_idle(self, replica: Replica) -> bool:
        looks = self.queue.looks(replica)
        return bool(looks) and all(waiting and not held for waiting, held in looks)

    def revert(self, replica: Replica) -> None:
        if self.is_present(replica):
            self._control(replica, "add_consumer")
        must_hold(f"{self.service} takes tasks", lambda: not self.is_present(replica))
