"""The service runs, cut off from its networks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from drillbook.errors import InjectFailed
from drillbook.faults._common import must_be_name, must_hold
from drillbook.replica import Attachment, Replica

__all__ = ["Disconnect"]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The service leaves all its networks; revert restores them with the aliases and addresses they had.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 10.0
    _was: list[Sequence[Attachment]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} runs, cut off from its networks"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        before = service.networks()
        if not before:
            raise InjectFailed(self.service, "expected at least one network to leave, it has none")
        self._was[:] = [before]
        service.leave_networks()

    def is_present(self, replica: Replica) -> bool:
        service = replica.service(self.service)
        return service.is_running() and not service.networks()

    def revert(self, replica: Replica) -> None:
        service = replica.service(self.service)
        if self._was:
            service.join_networks(self._was[0])  # whatever is attached by now: of several pods one may be new
        self._was.clear()
        must_hold(f"{self.service} is attached to its networks", lambda: not self.is_present(replica))
