"""A network policy shuts a port off from the pods that need it."""

import json
import shlex
from dataclasses import dataclass, field

from drillbook.faults._common import Keeper, must_be_name, must_be_port, must_hold, on_machine, on_own_machine
from drillbook.replica import Replica

__all__ = ["PolicyBlocks"]

_NAME = "drillbook-deny"


@dataclass(frozen=True, slots=True)
class PolicyBlocks:
    """A NetworkPolicy lets nobody in to the pods of an app, and the node enforces it.

    The node's network plugin (the CNI bridge) enforces no policies, so the fault stands in for one that does: as long
    as the policy is there, the packet filter drops what comes from a pod for that port.

    Args:
        namespace: Of the pods.
        app: Value of their label ``app``.
        port: Their port.
        pods: Addresses of pods.
    """

    namespace: str
    app: str
    port: int
    pods: str = "10.244.0.0/16"
    effect_within_s: float = 30.0
    _enforcers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "namespace", self.namespace)
        must_be_name(self, "app", self.app)
        must_be_port(self, self.port)

    def describe(self) -> str:
        return f"a network policy lets nobody in to port {self.port} of {self.app}"

    @property
    def _rule(self) -> str:
        return f"FORWARD -s {self.pods} -p tcp --dport {self.port} -m comment --comment {_NAME} -j DROP"

    def inject(self, replica: Replica) -> None:
        on_own_machine(replica, "iptables -nL FORWARD >/dev/null")  # refused before anything is made
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": _NAME, "namespace": self.namespace},
            "spec": {"podSelector": {"matchLabels": {"app": self.app}}, "policyTypes": ["Ingress"]},
        }
        on_machine(replica, f"printf %s {shlex.quote(json.dumps(policy))} | kubectl apply -f -")
        there = f"kubectl -n {self.namespace} get networkpolicy {_NAME} -o name --ignore-not-found"
        put, take = f"iptables -C {self._rule} || iptables -I {self._rule}", f"iptables -D {self._rule}"

        def press() -> None:
            said = on_machine(replica, there, strict=False)
            if said.exit_status == 0:
                on_own_machine(replica, f"{{ {put if said.out.strip() else take}; }} 2>/dev/null", strict=False)

        enforcer = Keeper(press, every_s=0.5)
        self._enforcers.append(enforcer)
        enforcer.start()

    def is_present(self, replica: Replica) -> bool:
        """The rule's own counter has counted packets."""
        for enforcer in self._enforcers:
            enforcer.raise_error()
        counted = on_own_machine(replica, f"iptables -nvxL FORWARD | awk '/{_NAME}/ {{print $1}}'", strict=False).out
        return any(int(packets) for packets in counted.split())

    def revert(self, replica: Replica) -> None:
        for enforcer in self._enforcers:
            enforcer.stop()
        if self._enforcers:
            on_machine(replica, f"kubectl -n {self.namespace} delete networkpolicy {_NAME} --ignore-not-found")
            on_own_machine(replica, f"iptables -D {self._rule} 2>/dev/null", strict=False)
        self._enforcers.clear()
        must_hold(f"port {self.port} of {self.app} is open", lambda: not self.is_present(replica))
