"""The network of the service is so slow that its clients give up."""

from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, NotSupported, TargetError, UsageError
from drillbook.faults._common import in_service, must_be_name, must_be_positive, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["SlowNetwork"]


@dataclass(frozen=True, slots=True)
class SlowNetwork:
    """What is sent to the service arrives late: by netem where the kernel has it, else through a very narrow link.

    The service must have a network interface of its own (a container, a pod). The delay is put on its other end, on the
    machine.

    Args:
        service: Name as the runbook has it.
        delay_s: Seconds that each packet takes longer (netem).
        bits_per_s: What the link carries instead, where there is no netem (``tc`` tbf).
        client: Service that talks to it.
        exchange: Command in the client's container that makes one exchange and then prints, alone on the last line, how
            many seconds it took, however it ended. The start of a program is no part of that: on a slow machine it
            takes longer than what a slow network adds.
        slower_than_s: Seconds from which on an exchange counts as slow; one that fails for slowness counts too.
    """

    service: str
    client: str
    exchange: str
    delay_s: float = 1.5
    bits_per_s: int = 8000
    slower_than_s: float = 1.0
    effect_within_s: float = 20.0
    _links: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_name(self, "client", self.client)
        for name in ("delay_s", "bits_per_s", "slower_than_s"):
            must_be_positive(self, name, getattr(self, name))
        if not self.exchange.strip():
            raise UsageError("SlowNetwork", "exchange must be a command, got nothing")

    def describe(self) -> str:
        return f"the network of {self.service} is so slow that {self.client} gives up"

    def _links_of(self, replica: Replica) -> list[str]:
        """Return the machine's ends of the service's interfaces."""
        pid = replica.service(self.service).main_pid()
        if pid is None:
            raise InjectFailed(self.service, "expected it to run, it does not")
        inside = f"nsenter -t {pid} -n ip -o link show | grep -o 'eth[0-9]*@if[0-9]*' | sed 's/.*@if//'"
        found = on_machine(
            replica, f'for n in $({inside}); do ip -o link show | sed -n "s/^$n: \\([^@:]*\\).*/\\1/p"; done'
        )
        return found.out.split()

    def inject(self, replica: Replica) -> None:
        links = self._links_of(replica)
        if not links:
            raise NotSupported(self.service, "has no network interface of its own that could be made slow")
        self._links[:] = links
        for link in links:
            # What does not fit is dropped after half a second and not queued: a peer that has seen round trips of many
            # seconds would wait as long with its next try, and go on failing when the network is well again.
            netem = f"tc qdisc add dev {link} root netem delay {self.delay_s * 1000:.0f}ms"
            narrow = f"tc qdisc add dev {link} root tbf rate {self.bits_per_s}bit burst 1600 latency 500ms"
            on_machine(replica, f"{netem} 2>/dev/null || {narrow}")

    def is_present(self, replica: Replica) -> bool:
        """Both run, and an exchange between them takes long, or is given up for taking long."""
        if not all(replica.service(name).is_running() for name in (self.service, self.client)):
            return False
        try:
            said = in_service(replica, self.client, self.exchange)
            took_s = float(said.out.splitlines()[-1])
        except (TargetError, IndexError, ValueError):
            return False
        return took_s > self.slower_than_s

    def revert(self, replica: Replica) -> None:
        for link in self._links:
            on_machine(replica, f"tc qdisc del dev {link} root 2>/dev/null || true")
        self._links.clear()
        must_hold(f"{self.service} is reached quickly", lambda: not self.is_present(replica))
