"""What of somebody's Kubernetes manifests goes into the replica: the files, and what is said of them there."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from drillbook.errors import UsageError
from drillbook.scaffold.project import Files, files_below
from drillbook.target.connect import KUBE_NAME
from drillbook.yamlfile import read_yaml

__all__ = ["Manifests", "read_manifests"]

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_RENDERED = "a chart is rendered first: helm template NAME CHART > manifests.yaml"
_WORKLOADS = frozenset({"Deployment", "StatefulSet"})
_LACKS = {
    "Ingress": "the node has no ingress controller: bring one, or let a nginx of yours do what it does",
    "PersistentVolumeClaim": "the node makes no volumes: add a PersistentVolume for each claim",
    "Kustomization": "a kustomization is not applied: give what `kubectl kustomize` prints",
}
"""Kinds that need something of a cluster which the replica's node does not have."""


@dataclass(slots=True)
class Manifests:
    """What a replica is made of.

    Attributes:
        files: Path in the project -> content.
        workloads: Name -> ``NAMESPACE/KIND/NAME`` of what runs and stays.
        images: That its pods are made from, by their tags.
        namespaces: That it lives in, ``default`` left out.
        ports: Name -> port that answers on the node itself.
        notes: What is left to the user, a sentence each.
    """

    files: Files = field(default_factory=dict)
    workloads: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_manifests(place: Path, folder: Path) -> Manifests:
    """Read manifests, YAML or JSON.

    Args:
        place: A file, or a folder with all that is below it.
        folder: Where they go in the project.

    Raises:
        UsageError: There are none, one is no YAML, or none has a Deployment or a StatefulSet.
    """
    found = Manifests()
    things: list[dict[str, Any]] = []
    beside = place if place.is_dir() else place.parent
    for path in files_below(place, beside.resolve()):
        if path.suffix not in _SUFFIXES:
            continue
        found.files[folder / path.relative_to(beside)] = path.read_bytes()
        try:
            for thing in _things(path):
                things.append(thing)
                _take(thing, found)
        except RecursionError as error:  # an anchor within itself
            raise UsageError(str(path), "expected YAML that ends, got one that has itself in it") from error
    if not found.workloads:
        raise UsageError(
            str(place),
            "expected manifests with a Deployment or a StatefulSet, got none",
            hint=_RENDERED,
        )
    found.notes += _lacking(things)
    if not found.ports:
        found.notes.append(
            "no port of the replica answers from here: give a Service a nodePort, or a container a hostPort"
        )
    return found


def _things(path: Path) -> Iterator[dict[str, Any]]:
    for thing in read_yaml(path, "a manifest", load=_all_documents, hint=_RENDERED):
        if isinstance(thing, dict):
            listed = thing.get("items")
            yield from (one for one in (listed if isinstance(listed, list) else [thing]) if isinstance(one, dict))


def _all_documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def _lacking(things: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what the manifests need of a cluster and the replica's node does not have, a sentence each."""
    has_volumes = any(thing.get("kind") == "PersistentVolume" for thing in things)
    for thing in things:
        kind, name = str(thing.get("kind")), _mapping(thing.get("metadata")).get("name")
        lacks = "PersistentVolumeClaim" if _mapping(thing.get("spec")).get("volumeClaimTemplates") else kind
        if lacks in _LACKS and not (has_volumes and lacks == "PersistentVolumeClaim"):
            yield f"{kind} {name}: {_LACKS[lacks]}"


def _take(thing: dict[str, Any], found: Manifests) -> None:
    kind, meta, spec = str(thing.get("kind")), _mapping(thing.get("metadata")), _mapping(thing.get("spec"))
    name, namespace = str(meta.get("name")), str(meta.get("namespace") or "default")
    if kind == "Namespace":
        namespace = name
    if namespace not in ("default", *found.namespaces) and not namespace.startswith("kube-"):
        found.namespaces.append(namespace)
    if kind in _WORKLOADS:
        for part in (name, namespace):
            if not re.fullmatch(KUBE_NAME, part):
                raise UsageError(f"{kind} {name}", f"expected a name as Kubernetes has them, got {part!r}")
        free = name if name not in found.workloads else f"{namespace}-{name}"
        found.workloads[free] = f"{namespace}/{kind.lower()}/{name}"
    if kind == "Service":
        for port in _list(spec.get("ports")):
            if isinstance(port.get("nodePort"), int):
                found.ports.setdefault(_port_name(name, port, found), port["nodePort"])
    for container in _containers(thing):
        _take_image(container, found)
        for port in _list(container.get("ports")):
            if isinstance(port.get("hostPort"), int):
                found.ports.setdefault(_port_name(name, port, found), port["hostPort"])


def _port_name(owner: str, port: dict[str, Any], found: Manifests) -> str:
    return owner if owner not in found.ports else f"{owner}-{port.get('name') or port.get('port')}"


def _take_image(container: dict[str, Any], found: Manifests) -> None:
    image = container.get("image")
    if not isinstance(image, str) or image in found.images:
        return
    if "@" in image:
        found.notes.append(f"{image} is named by its digest, which is lost on the way to the node: name it by a tag")
        return
    found.images.append(image)
    policy = container.get("imagePullPolicy")
    if policy == "Always" or (policy is None and re.search(r":latest$|^[^:]*$", image.rpartition("/")[2])):
        found.notes.append(f"{image} is pulled at every start, and the node cannot: imagePullPolicy: IfNotPresent")


def _containers(thing: Any) -> Iterator[dict[str, Any]]:
    """Yield the containers of the pods that an object makes, whatever makes them."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key in ("containers", "initContainers"):
                yield from _list(value)
            else:
                yield from _containers(value)
    elif isinstance(thing, list):
        for one in thing:
            yield from _containers(one)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
