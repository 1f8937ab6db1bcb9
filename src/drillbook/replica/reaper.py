"""Finding and removing what dead processes left on the engine; what a living process owns is never touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.errors import ReplicaError
from drillbook.replica.engine import connect_engine, engine_error
from drillbook.replica.ownership import RUN_LABEL, is_abandoned
from drillbook.replica.removal import cgroup_folders, created_at, has_processes, remove_cgroups, remove_container
from drillbook.replica.work_folder import (
    is_abandoned_folder,
    mounts_below_work_folders,
    remove_work_folder,
    work_folders,
)
from drillbook.signals import uninterrupted

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["Leftover", "leftovers", "reap"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that is there and that drillbook made; caches are not meant.

    Attributes:
        kind: container, volume, network, cgroup, mount or folder; on a user's cluster namespace, clusterrole or
            clusterrolebinding.
        name: As the engine, the kernel or the cluster calls it.
        run: Id of the run that made it, or empty.
        owned: True where a living process owns it.
    """

    kind: str
    name: str
    run: str
    owned: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (" (in use)" if self.owned else "")


def leftovers(client: "DockerClient | None" = None) -> list[Leftover]:
    """Return everything but caches that drillbook made and that is there now, with whether it is in use.

    Args:
        client: The user's engine; None connects.

    Raises:
        DockerMissing: No engine answers.
    """
    with _engine(client) as engine:
        return _left(engine)


def _left(engine: "DockerClient") -> list[Leftover]:
    # Folders and volumes first: whatever was made for a container is never older than it.
    groups = cgroup_folders()
    volumes = engine.volumes.list(filters={"label": RUN_LABEL})
    containers = _containers(engine)
    living = {one.labels[RUN_LABEL] for one in containers if not is_abandoned(one.labels, created_at(one.attrs))}
    found = [
        Leftover("container", str(one.name), one.labels[RUN_LABEL], one.labels[RUN_LABEL] in living)
        for one in containers
    ]
    for volume in volumes:
        labels = volume.attrs.get("Labels") or {}
        owned = labels[RUN_LABEL] in living or not is_abandoned(labels, created_at(volume.attrs))
        found.append(Leftover("volume", str(volume.name), labels[RUN_LABEL], owned))
    for network in engine.networks.list(filters={"label": RUN_LABEL}):
        labels = network.attrs.get("Labels") or {}
        owned = labels[RUN_LABEL] in living or not is_abandoned(labels, created_at(network.attrs))
        found.append(Leftover("network", str(network.name), labels[RUN_LABEL], owned))
    for run, folders in groups.items():
        # Another engine of this machine may own them: then somebody lives in there.
        owned = run in living or has_processes(folders)
        found += [Leftover("cgroup", str(folder), run, owned) for folder in folders]
    found += [Leftover("mount", path, "", not is_abandoned_folder(Path(path))) for path in mounts_below_work_folders()]
    found += [Leftover("folder", str(path), "", not is_abandoned_folder(path)) for path in work_folders()]
    return found


def reap(client: "DockerClient | None" = None) -> list[Leftover]:
    """Remove what dead processes left, and return what was removed.

    Containers go with their anonymous volumes; a preparation that was killed goes with its half-made cache.

    Raises:
        DockerMissing: No engine answers.
        ReplicaError: Something cannot be removed.
    """
    with _engine(client) as engine:
        dead = [one for one in _left(engine) if not one.owned]
        _remove_all(engine, dead)
    return dead


@contextmanager
def _engine(client: "DockerClient | None") -> "Iterator[DockerClient]":
    engine = client or connect_engine()
    try:
        yield engine
    finally:
        if client is None:
            engine.close()


def _remove_all(engine: "DockerClient", dead: list[Leftover]) -> None:
    from docker.errors import APIError

    for container in _containers(engine):
        if is_abandoned(container.labels, created_at(container.attrs)):
            _remove(engine, container)
    for one in dead:
        if one.kind in {"volume", "network"}:
            try:
                (engine.volumes if one.kind == "volume" else engine.networks).get(one.name).remove()
            except APIError as error:
                if error.status_code not in {404, 409}:  # gone, or somebody else is removing it
                    raise engine_error(one.name, f"removing the {one.kind}", error) from error
    _remove_groups(engine, {one.run for one in dead if one.kind == "cgroup"})
    for one in dead:
        if one.kind == "folder":
            remove_work_folder(Path(one.name))


def _containers(engine: "DockerClient") -> "list[Container]":
    found: list[Container] = engine.containers.list(all=True, filters={"label": RUN_LABEL}, ignore_removed=True)
    return found


def _remove(engine: "DockerClient", container: "Container") -> None:
    from docker.errors import APIError

    with uninterrupted():
        remove_container(engine, container, container.labels[RUN_LABEL], str(container.attrs["Image"]))
        half_made = container.labels.get("drillbook.volume")
        if half_made:
            try:
                engine.api.remove_volume(half_made, force=True)
            except APIError as error:
                if error.status_code not in {404, 409}:
                    raise engine_error(half_made, "removing the half-made cache", error) from error


def _remove_groups(engine: "DockerClient", runs: set[str]) -> None:
    still = sorted(runs & set(cgroup_folders()))
    if not still:
        return
    images = engine.images.list("drillbook/host")
    if not images:
        problem = f"folders of {', '.join(still)} are left and no host image is there to remove them"
        raise ReplicaError("/sys/fs/cgroup", problem, hint="find /sys/fs/cgroup/*/drillbook -depth -type d -delete")
    remove_cgroups(engine, still, str(images[0].id), only_empty=True)
