"""The machine drops what is sent to the service's port."""

from dataclasses import dataclass

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_name, must_be_port, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["Blocked"]

# What containers on one bridge send each other passes iptables only where the kernel is told so (module br_netfilter).
_PASSES_IPTABLES = '[ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ]'


@dataclass(frozen=True, slots=True)
class Blocked:
    """A firewall rule drops packets to a port, whoever sends and whoever serves, while the service itself is well.

    Args:
        service: Name as the runbook has it.
        port: TCP port that the service listens on.
        chain: Table and chain of the rule. The usual one sees packets before Docker gives them another port; on a host
            that runs its services itself, ``filter INPUT`` is where an administrator would put it.
    """

    service: str
    port: int
    chain: str = "raw PREROUTING"
    effect_within_s: float = 10.0

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_port(self, self.port)
        if len(self.chain.split()) != 2:
            raise UsageError("Blocked", f"chain must be a table and a chain, got {self.chain!r}")

    def describe(self) -> str:
        return f"a firewall rule on the machine drops packets to port {self.port}"

    def _rule(self, verb: str) -> str:
        table, chain = self.chain.split()
        match = f"-p tcp --dport {self.port} -m comment --comment drillbook"
        return f"iptables -t {table} -{verb} {chain} {match} -j DROP"

    def _rule_on_bridges(self, verb: str) -> str:
        return f"ebtables -{verb} FORWARD -p IPv4 --ip-protocol tcp --ip-destination-port {self.port} -j DROP"

    @property
    def _meets_bridges(self) -> bool:
        return not self.chain.endswith("INPUT")

    def _stands(self, replica: Replica) -> bool:
        return on_own_machine(replica, self._rule("C"), strict=False).exit_status == 0

    def inject(self, replica: Replica) -> None:
        on_own_machine(replica, self._rule("I"))
        if self._meets_bridges:
            on_own_machine(replica, f"{_PASSES_IPTABLES} || {self._rule_on_bridges('I')}")

    def is_present(self, replica: Replica) -> bool:
        """Packets are being dropped: the rule's own counter moves, and the service runs all the same."""
        table, chain = self.chain.split()
        dropped = on_own_machine(replica, f"iptables -t {table} -L {chain} -v -n -x", strict=False).out
        counted = [line.split()[0] for line in dropped.splitlines() if f"dpt:{self.port}" in line and "DROP" in line]
        return replica.service(self.service).is_running() and any(int(packets) > 0 for packets in counted)

    def revert(self, replica: Replica) -> None:
        while self._stands(replica):
            on_own_machine(replica, self._rule("D"))
        if self._meets_bridges:
            on_own_machine(replica, f"{_PASSES_IPTABLES} || while {self._rule_on_bridges('D')} 2>/dev/null; do :; done")
        must_hold(f"port {self.port} is open", lambda: not self.is_present(replica))
