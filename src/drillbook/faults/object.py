"""An object of the cluster was changed: a bad rollout, a lost key, a wrong selector, a limit that is too low."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from drillbook.clock import SystemClock, poll
from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_name, must_hold, on_machine
from drillbook.replica import Replica
from drillbook.replica.kube_service import container_id

__all__ = ["NoAnswer", "ObjectChanged", "PodStuck", "Symptom"]

_PARTS = 3
_UNKNOWN_NAME = 6
"""Exit status of curl where the host's name could not be looked up."""


class Symptom(Protocol):
    """Where the effect of a change shows: in the node's runtime or on its network, not in what was changed."""

    def is_seen(self, replica: Replica) -> bool:
        """True where the effect is there."""
        ...


@dataclass(frozen=True, slots=True)
class PodStuck:
    """A pod of a workload is not ready, or has a container that does not run, for a reason that the cluster gives.

    Args:
        namespace: Of the pods.
        app: Value of their label ``app``.
        reasons: Any of these will do; a pod that no node takes has the reason ``Unschedulable``, one that runs and is
            not ready ``ContainersNotReady``, as does each for the seconds of its start.
    """

    namespace: str
    app: str
    reasons: tuple[str, ...]

    def is_seen(self, replica: Replica) -> bool:
        """Ask the API for the reason and, where a container is said not to run, the runtime for it."""
        said = on_machine(replica, f"kubectl -n {self.namespace} get pods -l app={self.app} -o json", strict=False)
        pods = json.loads(said.out)["items"] if said.exit_status == 0 else []
        return any(self._is_stuck(replica, pod) for pod in pods if "deletionTimestamp" not in pod["metadata"])

    def _is_stuck(self, replica: Replica, pod: Mapping[str, Any]) -> bool:
        status = pod["status"]
        why = {one.get("reason") for one in status.get("conditions") or () if one["status"] == "False"}
        if why & set(self.reasons):
            return True
        for container in status.get("containerStatuses") or ():
            if _why_it_waits(container) in self.reasons:
                id_ = container_id(container)
                return not id_ or self._is_gone(replica, pod, str(container["name"]), id_)
        return False

    def _is_gone(self, replica: Replica, pod: Mapping[str, Any], container: str, id_: str) -> bool:
        """True where the runtime does not run a container: asked itself, or by way of the kubelet."""
        way = shlex.join(["kubectl", "-n", self.namespace, "exec", str(pod["metadata"]["name"]), "-c", container])
        asked = (
            f"if command -v ctr >/dev/null; then ! ctr -n k8s.io tasks ps {id_}; "
            f"else {way} -- true 2>&1 | grep -q 'container not found'; fi"
        )
        return on_machine(replica, asked, strict=False).exit_status == 0


def _why_it_waits(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    # What ended and was started again before waits for its next start, also before the kubelet says so.
    if state.get("terminated") and container.get("restartCount"):
        return "CrashLoopBackOff"
    return str((state.get("waiting") or {}).get("reason") or "")


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody answers at an address of a Service, asked from the machine.

    Args:
        url: With a name that the machine can look up without the cluster's own DNS, or with an address.
    """

    url: str

    def is_seen(self, replica: Replica) -> bool:
        """Ask for it: no connection, or no answer within 2 s; a name that is not known says nothing."""
        said = on_machine(replica, f"curl -sS -o /dev/null -m 2 {shlex.quote(self.url)}", strict=False)
        return said.exit_status not in {0, _UNKNOWN_NAME}


def taken_back(patch: Any, was: Any) -> Any:
    """Return the strategic merge patch that takes another one back, and nothing else that was changed since; pure.

    Args:
        patch: What was applied; items of its lists go by their ``name``.
        was: The same place before; None where there was nothing.
    """
    if isinstance(patch, Mapping) and isinstance(was, Mapping):
        if patch.get("$patch") == "replace":
            return {**was, "$patch": "replace"}
        return {key: taken_back(value, was.get(key)) for key, value in patch.items()}
    if isinstance(patch, list) and all(isinstance(item, Mapping) and "name" in item for item in patch):
        there = {item["name"]: item for item in was or ()}
        return [
            taken_back(item, there[item["name"]])
            if item["name"] in there
            else {"name": item["name"], "$patch": "delete"}
            for item in patch
        ]
    return was


@dataclass(frozen=True, slots=True)
class ObjectChanged:
    """A patch is applied to an object of the cluster, as a deployment or a person would, and stays.

    Args:
        where: ``NAMESPACE/KIND/NAME``.
        patch: As ``kubectl patch`` takes it (a strategic merge patch), with one key at the top: ``spec`` or ``data``.
        shows: Where its effect shows.
        says: What was done, for the report.
        restarts: Values of the label ``app`` whose pods in that namespace are made anew, so that they take it up.
        brings: Objects of that namespace that come with it and go with its revert, as ``kubectl create`` takes them.
    """

    where: str
    patch: Mapping[str, Any]
    shows: Symptom
    says: str
    restarts: tuple[str, ...] = ()
    brings: tuple[Mapping[str, Any], ...] = ()
    effect_within_s: float = 60.0
    _was: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = self.where.split("/")
        if len(parts) != _PARTS:
            raise UsageError("ObjectChanged", f"where must be NAMESPACE/KIND/NAME, got {self.where!r}")
        for part in (*parts, *self.restarts):
            must_be_name(self, "where", part)
        if len(self.patch) != 1:
            raise UsageError(
                "ObjectChanged", f"patch must have one key at the top, got {', '.join(self.patch) or 'none'}"
            )

    def describe(self) -> str:
        return self.says

    @property
    def _key(self) -> str:
        return next(iter(self.patch))

    def _on_object(self, verb: str, more: str) -> str:
        _, kind, name = self.where.split("/")
        return self._kubectl(f"{verb} {kind} {name} {more}")

    def _kubectl(self, words: str) -> str:
        return f"kubectl -n {self.where.partition('/')[0]} {words}"

    def _delete(self, replica: Replica, what: str) -> None:
        for app in self.restarts:
            on_machine(replica, self._kubectl(f"delete {what} -l app={app}"))

    def _is_in_force(self, replica: Replica) -> bool:
        """True unless it is a quota that is not: pods are admitted by its status, which the cluster fills in later."""
        found = json.loads(on_machine(replica, self._on_object("get", "-o json")).out)
        hard = (found.get("status") or {}).get("hard")
        return hard is None or hard == found["spec"].get("hard")

    def _bring(self, replica: Replica, verb: str) -> None:
        if self.brings:
            objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": self.brings})
            on_machine(replica, f"printf %s {shlex.quote(objects)} | {self._kubectl(f'{verb} -f -')}")

    def inject(self, replica: Replica) -> None:
        found = json.loads(on_machine(replica, self._on_object("get", "-o json")).out)
        if self._key not in found:
            raise InjectFailed(self.where, f"expected it to have {self._key}, it has none")
        self._bring(replica, "create")
        self._was[:] = [found[self._key]]
        on_machine(replica, self._on_object("patch", f"-p {shlex.quote(json.dumps(self.patch))}"))
        if not poll(lambda: self._is_in_force(replica), within_s=self.effect_within_s, clock=SystemClock()):
            raise InjectFailed(self.where, f"expected the cluster to take it up within {self.effect_within_s:.0f} s")
        self._delete(replica, "pods --wait=false")

    def is_present(self, replica: Replica) -> bool:
        return self.shows.is_seen(replica)

    def revert(self, replica: Replica) -> None:
        if self._was:
            back = json.dumps({self._key: taken_back(self.patch[self._key], self._was[0])})
            on_machine(replica, self._on_object("patch", f"-p {shlex.quote(back)}"))
            must_hold(f"{self.where} is in force", lambda: self._is_in_force(replica), within_s=60.0)
            # A ReplicaSet that was refused pods asks for them ever more seldom; a new one asks at once. Old pods, which
            # may still answer, are waited for.
            self._delete(replica, "replicasets,pods")
            self._bring(replica, "delete --ignore-not-found --wait=false")
        self._was.clear()
        must_hold(f"{self.where} is as it was", lambda: not self.is_present(replica), within_s=60.0)
