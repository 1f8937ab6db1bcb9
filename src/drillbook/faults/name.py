"""A service's name does not resolve any more; the service itself is well."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from drillbook.errors import InjectFailed
from drillbook.faults._common import must_be_name, must_hold
from drillbook.replica import Attachment, Replica

__all__ = ["NameLost"]


@dataclass(frozen=True, slots=True)
class NameLost:
    """The service is attached to its networks without one of its names, as after a careless ``network connect``.

    Args:
        service: Whose name it is.
        name: The name that others look up.
        asked_from: Service in whose container the name is looked up.
    """

    service: str
    name: str
    asked_from: str
    effect_within_s: float = 10.0
    _was: list[Sequence[Attachment]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for parameter in ("service", "name", "asked_from"):
            must_be_name(self, parameter, getattr(self, parameter))

    def describe(self) -> str:
        return f"the name {self.name} of {self.service} does not resolve any more"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        before = service.networks()
        if not any(self.name in one.aliases for one in before):
            raise InjectFailed(self.service, f"expected it to be called {self.name} in a network, it is not")
        self._was[:] = [before]
        service.leave_networks()
        without = [replace(one, aliases=tuple(alias for alias in one.aliases if alias != self.name)) for one in before]
        service.join_networks(without)

    def is_present(self, replica: Replica) -> bool:
        """The service runs and is attached, and another one cannot look its name up."""
        service = replica.service(self.service)
        if not service.is_running() or not service.networks() or not replica.service(self.asked_from).is_running():
            return False
        return bool(replica.host(self.asked_from).run(f"getent hosts {self.name}").exit_status)

    def revert(self, replica: Replica) -> None:
        service = replica.service(self.service)
        attached = {name for one in service.networks() for name in one.aliases}
        if self._was and self.name not in attached:
            service.leave_networks()
            service.join_networks(self._was[0])
        self._was.clear()
        must_hold(f"{self.name} resolves", lambda: not self.is_present(replica))
