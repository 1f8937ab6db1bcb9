"""The service is stopped and stays down."""

from dataclasses import dataclass

from drillbook.faults._common import must_be_name, start_again
from drillbook.replica import Replica

__all__ = ["Stop"]

_SIGKILL_STATUS = 137


@dataclass(frozen=True, slots=True)
class Stop:
    """A graceful stop (SIGTERM) that nobody takes back, as after maintenance.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 30.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} is stopped (SIGTERM) and nobody starts it again"

    def inject(self, replica: Replica) -> None:
        replica.service(self.service).stop()

    def is_present(self, replica: Replica) -> bool:
        service = replica.service(self.service)
        return not service.has_process() and service.exit_status() != _SIGKILL_STATUS

    def revert(self, replica: Replica) -> None:
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} is not stopped")
