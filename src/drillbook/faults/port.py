"""Another process holds the service's port."""

from dataclasses import dataclass

from drillbook.errors import InjectFailed
from drillbook.faults._common import must_be_name, must_be_port, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["PortTaken"]


@dataclass(frozen=True, slots=True)
class PortTaken:
    """The service goes down for a moment and a process outside it takes the port, so that it cannot come back.

    Args:
        service: Name as the runbook has it.
        port: TCP port on the machine.
    """

    service: str
    port: int
    effect_within_s: float = 10.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_port(self, self.port)

    def describe(self) -> str:
        return f"another process holds port {self.port}, so {self.service} cannot start"

    @property
    def _squatter(self) -> str:
        return f"socat TCP-LISTEN:{self.port},fork,reuseaddr SYSTEM:cat"

    def inject(self, replica: Replica) -> None:
        replica.service(self.service).stop()
        on_own_machine(replica, f"setsid {self._squatter} >/dev/null 2>&1 </dev/null &")
        must_hold(f"port {self.port} is taken", lambda: self._holder(replica) != "", within_s=5.0)
        if self._holder(replica) != "socat":
            raise InjectFailed(f"port {self.port}", f"expected socat to hold it, {self._holder(replica)} does")

    def _holder(self, replica: Replica) -> str:
        """Return the name of the program that listens on the port, or an empty string."""
        seen = on_own_machine(replica, f"ss -Hltnp 'sport = :{self.port}'", strict=False).out
        return seen.partition('(("')[2].partition('"')[0]

    def is_present(self, replica: Replica) -> bool:
        return self._holder(replica) == "socat" and not replica.service(self.service).is_running()

    def revert(self, replica: Replica) -> None:
        if self._holder(replica) == "socat":
            on_own_machine(replica, f"pkill -KILL -f '^socat TCP-LISTEN:{self.port},'", strict=False)
            must_hold(f"port {self.port} is free", lambda: self._holder(replica) != "socat")
            replica.service(self.service).start()
        must_hold(f"{self.service} has its port", lambda: not self.is_present(replica))
