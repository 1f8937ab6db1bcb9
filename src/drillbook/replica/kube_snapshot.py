"""The state of a cluster that a drill must leave as it found it, as paths and short values."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drillbook.replica import Snapshot
from drillbook.replica.inner_cluster import InnerCluster

__all__ = ["address_state", "leaves", "object_state", "take_cluster_snapshot"]

_CORE = (
    "configmaps",
    "limitranges",
    "persistentvolumeclaims",
    "pods",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
_GROUPS = {
    "apps/v1": ("daemonsets", "deployments", "statefulsets"),
    "autoscaling/v2": ("horizontalpodautoscalers",),
    "batch/v1": ("cronjobs", "jobs"),
    "discovery.k8s.io/v1": ("endpointslices",),
    "networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "policy/v1": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io/v1": ("rolebindings", "roles"),
}
_CLUSTER = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/persistentvolumes",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/storage.k8s.io/v1/storageclasses",
)
_WHOLE = frozenset({"clusterroles", "customresourcedefinitions"})
"""Too long to be told leaf by leaf: each is one entry."""

# What a restart, a rollout or the cluster itself writes.
_NOT_STATE = frozenset(
    {
        "kubectl.kubernetes.io/restartedAt",
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
        "drillbook/replicas",
    }
)
_LONG = 120


def take_cluster_snapshot(cluster: InnerCluster, namespaces: Sequence[str] | None = None) -> Snapshot:
    """Look at everything that a recovery may leave behind.

    Pods are counted by owner and state: their names, addresses and ages change with every restart. So are the addresses
    of Services, as traffic has them: the old Endpoints, which nothing goes by, can stay empty after the API server was
    away (seen), until something of the Service changes.

    Args:
        cluster: The replica's cluster.
        namespaces: Look into these only; None for all there are and for what is in none.

    Raises:
        ReplicaError: Something cannot be looked at.
    """
    groups = {"/api/v1": _CORE, **{f"/apis/{group}": kinds for group, kinds in _GROUPS.items()}}
    spaces = [""] if namespaces is None else [f"/namespaces/{name}" for name in namespaces]
    kinds = {f"{group}{space}/{kind}": kind for space in spaces for group, some in groups.items() for kind in some}
    if namespaces is None:
        kinds |= {path: path.rpartition("/")[2] for path in _CLUSTER}
    found: dict[str, str] = {}
    for path, answer in cluster.gather(list(kinds)).items():
        items = answer["items"] if answer else ()
        if kinds[path] == "pods":
            found.update(pod_state(items))
        elif kinds[path] == "endpointslices":
            found.update(address_state(items))
        else:
            for item in items:
                found.update(object_state(kinds[path], item))
    return dict(sorted(found.items()))


def pod_state(pods: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return how many pods each owner has, and how many of them are ready."""
    counts: dict[str, list[int]] = {}
    for pod in pods:
        meta = pod["metadata"]
        owner = next((str(one["name"]) for one in meta.get("ownerReferences") or ()), str(meta["name"]))
        # The name of a ReplicaSet is its Deployment's and a hash of the template, which a rollout changes.
        if template := (meta.get("labels") or {}).get("pod-template-hash"):
            owner = owner.removesuffix(f"-{template}")
        conditions = (pod.get("status") or {}).get("conditions") or ()
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        count = counts.setdefault(f"{meta['namespace']}/pods/{owner}", [0, 0])
        count[0] += 1
        count[1] += ready
    return {owner: f"{ready} of {there} ready" for owner, (there, ready) in counts.items()}


def address_state(slices: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return how many addresses each Service has that traffic may go to; slices come and go with generated names."""
    counts: dict[str, int] = {}
    for one in slices:
        meta = one["metadata"]
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name", meta["name"])
        key = f"{meta['namespace']}/endpoints/{service}/addresses"
        # Whether an endpoint is ready may be left out, and then it is.
        ready = [(end.get("conditions") or {}).get("ready") is not False for end in one.get("endpoints") or ()]
        counts[key] = counts.get(key, 0) + sum(ready)
    return {key: str(count) for key, count in counts.items()}


def object_state(kind: str, item: Mapping[str, Any]) -> dict[str, str]:
    """Return one entry for each leaf of what was asked of an object: labels, annotations, and all but its status."""
    meta = item["metadata"]
    place = f"{meta['namespace']}/{kind}" if "namespace" in meta else kind
    key = f"{place}/{meta['name']}"
    kept = {name: value for name, value in item.items() if name not in {"apiVersion", "kind", "metadata", "status"}}
    if kind == "nodes":
        conditions = (item.get("status") or {}).get("conditions") or ()
        kept["ready"] = next((one["status"] for one in conditions if one["type"] == "Ready"), "Unknown")
    if kind in {"persistentvolumeclaims", "persistentvolumes", "namespaces"}:
        kept["phase"] = (item.get("status") or {}).get("phase")
    kept["labels"] = meta.get("labels") or {}
    kept["annotations"] = meta.get("annotations") or {}
    if kind in _WHOLE:
        return {key: _short(kept, secret=False)}
    secret = kind == "secrets"
    found = {f"{key}/{path}": _short(value, secret=secret) for path, value in leaves(kept)}
    return found or {key: "there"}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of every leaf of a JSON value; items of a list go by their name where they have one."""
    if isinstance(value, Mapping):
        for name, inner in sorted(value.items()):
            if name not in _NOT_STATE:
                yield from leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            name = inner.get("name", at) if isinstance(inner, Mapping) else at
            yield from leaves(inner, f"{path}[{name}]")
    else:
        yield path, value


def _short(value: Any, *, secret: bool) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if secret or len(text) > _LONG:
        return hashlib.sha256(text.encode()).hexdigest()[:12]
    return text
