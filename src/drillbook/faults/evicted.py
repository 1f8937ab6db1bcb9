"""Pods are deleted as soon as they are there: a controller that has gone wild, a node that evicts."""

from dataclasses import dataclass, field

from drillbook.faults._common import Keeper, must_be_name, must_hold, on_machine
from drillbook.faults.object import Symptom
from drillbook.replica import Replica

__all__ = ["PodsEvicted"]

_EVERY_S = 1.0
_DELETED = "{.items[*].metadata.deletionTimestamp}"
_STARTED = "status.phase=Running"
"""Only these: pods that are deleted before anything of them runs are made faster than a busy node can remove them."""


@dataclass(frozen=True, slots=True)
class PodsEvicted:
    """All pods with a label are deleted, over and over, before they are ready.

    Args:
        namespace: Of the pods.
        app: Value of their label ``app``.
        shows: Where the effect shows.
    """

    namespace: str
    app: str
    shows: Symptom
    effect_within_s: float = 45.0
    _keepers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "namespace", self.namespace)
        must_be_name(self, "app", self.app)

    def describe(self) -> str:
        return f"the pods of {self.app} are deleted as soon as they are there"

    def inject(self, replica: Replica) -> None:
        delete = self._pods("delete", f"--field-selector={_STARTED} --wait=false --grace-period=1")
        keeper = Keeper(lambda: on_machine(replica, delete, strict=False), every_s=_EVERY_S)
        self._keepers.append(keeper)
        keeper.start()

    def is_present(self, replica: Replica) -> bool:
        for keeper in self._keepers:
            keeper.raise_error()
        return self.shows.is_seen(replica)

    def revert(self, replica: Replica) -> None:
        for keeper in self._keepers:
            keeper.stop()
        self._keepers.clear()
        must_hold(
            f"{self.app} is left alone", lambda: not (self._ends(replica) or self.is_present(replica)), within_s=60.0
        )

    def _ends(self, replica: Replica) -> bool:
        """True where a deleted pod is still there: it may answer until it has gone."""
        return bool(on_machine(replica, self._pods("get", f"-o jsonpath={_DELETED}")).out.strip())

    def _pods(self, verb: str, more: str) -> str:
        return f"kubectl -n {self.namespace} {verb} pods -l app={self.app} {more}"
