"""The service is killed and stays down."""

from dataclasses import dataclass

from drillbook.faults._common import must_be_name, start_again
from drillbook.replica import Replica

__all__ = ["Kill"]

_SIGKILL_STATUS = 137


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL through the service's own supervisor, which therefore does not start it again.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 10.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} is killed (SIGKILL) and stays down"

    def inject(self, replica: Replica) -> None:
        replica.service(self.service).kill()

    def is_present(self, replica: Replica) -> bool:
        service = replica.service(self.service)
        return not service.is_running() and service.exit_status() == _SIGKILL_STATUS

    def revert(self, replica: Replica) -> None:
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} is not killed")
