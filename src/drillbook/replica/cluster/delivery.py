"""Bringing images from this machine's engine to the nodes of a user's cluster."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drillbook.errors import ReplicaError
from drillbook.replica.base_image import Progress
from drillbook.replica.cluster.user import UserCluster
from drillbook.replica.engine import connect_engine, engine_error
from drillbook.replica.user_cache import alone

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["deliver", "loader_of"]

_LOADED_WITHIN_S = 600.0
_MINIKUBE = "minikube.k8s.io/name"


def deliver(cluster: UserCluster, images: Sequence[str], registry: str | None, progress: Progress) -> dict[str, str]:
    """Bring images to a cluster and return tag on this machine's engine -> name in the cluster.

    Args:
        cluster: Where they go.
        images: Tags on this machine's engine; made from content, so that what is there already is not another one.
        registry: ``HOST[:PORT][/PATH]`` that this machine pushes to and the cluster pulls from; None for a cluster of
            kind, k3d or minikube, which is loaded directly.
        progress: Told what is going on.

    Raises:
        DockerMissing: No engine answers.
        ReplicaError: There is no way to the cluster, or it fails.
    """
    if registry:
        progress(f"context:{cluster.context}: {len(images)} images go through {registry}")
        engine = connect_engine()
        try:
            with alone("registry"):  # runs share images, and each removes the tag that it pushed
                return {tag: _push(engine, tag, registry) for tag in images}
        finally:
            engine.close()
    load = loader_of(cluster.items("nodes"), images)
    if load is None:
        raise ReplicaError(
            f"context:{cluster.context}",
            "expected a cluster of kind, k3d or minikube, or a registry that brings images to it; got neither",
            hint='[tool.drillbook] registry = "HOST[:PORT][/PATH]" in pyproject.toml',
        )
    if shutil.which(load[0]) is None:
        raise ReplicaError("PATH", f"expected the program {load[0]}, which loads images into the cluster; got none")
    progress(f"context:{cluster.context}: {load[0]} loads {len(images)} images")
    try:
        said = subprocess.run(load, capture_output=True, text=True, timeout=_LOADED_WITHIN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ReplicaError(load[0], f"expected the images to be loaded within {_LOADED_WITHIN_S:.0f} s") from error
    if said.returncode:
        raise ReplicaError(
            load[0], f"loading images ended with exit status {said.returncode}", evidence=said.stdout + said.stderr
        )
    return {tag: tag for tag in images}


def loader_of(nodes: Sequence[Mapping[str, Any]], images: Sequence[str]) -> list[str] | None:
    """Return the command that loads images into a cluster, by what its nodes say of themselves; None for no such."""
    for node in nodes:
        kind, _, rest = str((node.get("spec") or {}).get("providerID") or "").partition("://")
        if kind == "kind":  # kind://docker/CLUSTER/NODE
            return ["kind", "load", "docker-image", *images, "--name", rest.split("/")[1]]
        if kind == "k3s" and rest.startswith("k3d-"):  # k3s://k3d-CLUSTER-server-0
            return ["k3d", "image", "import", *images, "--cluster", rest.removeprefix("k3d-").rsplit("-", 2)[0]]
        if profile := (node["metadata"].get("labels") or {}).get(_MINIKUBE):
            return ["minikube", "--profile", str(profile), "image", "load", *images]
    return None


def _push(engine: "DockerClient", tag: str, registry: str) -> str:
    import requests
    from docker.errors import DockerException

    name, _, version = tag.rpartition(":")
    there = f"{registry.rstrip('/')}/{name}"
    try:
        engine.images.get(tag).tag(there, version)
        try:
            for step in engine.images.push(there, version, stream=True, decode=True):
                if "error" in step:
                    raise ReplicaError(registry, f"the registry did not take {tag}", evidence=str(step["error"]))
        finally:
            engine.images.remove(f"{there}:{version}")
    except (DockerException, requests.RequestException) as error:
        raise engine_error(registry, f"pushing {tag}", error) from error
    return f"{there}:{version}"
