"""The service hangs: alive, holding its port, answering nobody."""

from dataclasses import dataclass

from drillbook.faults._common import must_be_name, must_hold
from drillbook.replica import Replica

__all__ = ["Pause"]


@dataclass(frozen=True, slots=True)
class Pause:
    """All processes of the service are frozen; connections are still accepted by the kernel and never answered.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 10.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} hangs: its processes are frozen, its port stays open"

    def inject(self, replica: Replica) -> None:
        replica.service(self.service).freeze()

    def is_present(self, replica: Replica) -> bool:
        return replica.service(self.service).is_frozen()

    def revert(self, replica: Replica) -> None:
        service = replica.service(self.service)
        service.thaw()  # whatever is_frozen says: of several pods one may be new
        must_hold(f"{self.service} is not frozen", lambda: not service.is_frozen())
