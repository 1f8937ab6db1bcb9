"""A part of the Kubernetes node itself is down: its kubelet, the API server, the proxy."""

import shlex
from dataclasses import dataclass

from drillbook.errors import UsageError
from drillbook.faults._common import must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["PartDown"]

_PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")


@dataclass(frozen=True, slots=True)
class PartDown:
    """A program of the node's own is stopped, and nobody starts it again.

    Args:
        part: Name of the program.
        shows: Command on the node that exits 0 where the effect is there; the default is that the program does not run.
    """

    part: str
    shows: str = ""
    effect_within_s: float = 45.0

    def __post_init__(self) -> None:
        if self.part not in _PARTS:
            raise UsageError("PartDown", f"part must be one of {', '.join(_PARTS)}, got {self.part!r}")

    def describe(self) -> str:
        return f"the node's {self.part} is stopped and nobody starts it again"

    def inject(self, replica: Replica) -> None:
        on_own_machine(replica, f"replica-node part stop {self.part}")

    def is_present(self, replica: Replica) -> bool:
        """The program does not run, and what it is needed for does not work."""
        if on_own_machine(replica, f"pgrep -x {shlex.quote(self.part[:15])}", strict=False).exit_status == 0:
            return False
        return not self.shows or on_own_machine(replica, self.shows, strict=False).exit_status == 0

    def revert(self, replica: Replica) -> None:
        on_own_machine(replica, f"replica-node part start {self.part}")
        must_hold(f"{self.part} runs", lambda: not self.is_present(replica))
