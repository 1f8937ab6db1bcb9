"""Removing a host container with everything that belongs to it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.replica.engine import engine_error, has_cgroup_v2
from drillbook.replica.flags import host_flags, owner_labels

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["cgroup_folders", "created_at", "has_processes", "remove_cgroups", "remove_container"]

_END_WITHIN_S = 8


def created_at(attrs: Mapping[str, Any]) -> datetime:
    """Return when the engine made a container or volume."""
    text = str(attrs.get("Created") or attrs.get("CreatedAt") or "")
    match = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    return datetime.fromisoformat(match[0]).replace(tzinfo=UTC) if match else datetime.now(UTC)


def remove_container(client: "DockerClient", container: "Container", run: str, image: str) -> None:
    """End a host, and remove it with its volumes and, on cgroup v1, its folders in the machine's tree.

    The host removes its own cgroup folders on SIGTERM. Where it could not, another container does it: it also thaws
    what is frozen, because the engine cannot remove a container with frozen processes in it.

    Raises:
        ReplicaError: The engine could not remove it.
    """
    from docker.errors import APIError, NotFound

    try:
        container.reload()
        clean = container.status == "created" or (
            container.status == "exited" and not container.attrs["State"]["ExitCode"]
        )
        if container.status in {"running", "restarting", "paused"}:
            if container.status == "paused":
                container.unpause()
            container.stop(timeout=_END_WITHIN_S)
            container.reload()
            clean = container.attrs["State"]["ExitCode"] == 0
        if not clean:
            remove_cgroups(client, [run], image)
        container.remove(v=True, force=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code == 409 and "already in progress" in str(error):
            return
        raise engine_error(str(container.name), "removing the container", error) from error


def cgroup_folders() -> dict[str, list[Path]]:
    """Return run -> folders that a host has left, or uses, in this machine's cgroup v1 tree."""
    found: dict[str, list[Path]] = {}
    for folder in sorted(Path("/sys/fs/cgroup").glob("*/drillbook/*")):
        if folder.is_dir():
            found.setdefault(folder.name, []).append(folder)
    return found


def has_processes(folders: list[Path]) -> bool:
    """True where a process lives in one of these cgroup folders or below."""
    lists = (procs for folder in folders for procs in folder.rglob("cgroup.procs"))
    try:
        return any(procs.read_text(encoding="ascii").strip() for procs in lists)
    except FileNotFoundError:
        return False


def remove_cgroups(client: "DockerClient", runs: list[str], image: str, *, only_empty: bool = False) -> None:
    """Remove the cgroup v1 folders of runs.

    Args:
        client: The user's engine.
        runs: Their ids.
        image: A host image.
        only_empty: Leave those alone that hold processes; else the processes are ended.

    Raises:
        ReplicaError: They cannot be removed.
    """
    from docker.errors import DockerException

    if not runs or has_cgroup_v2(client):
        return
    try:
        client.containers.run(
            image,
            ["sweep", "keep" if only_empty else "kill", *runs],
            remove=True,
            pid_mode="host",
            network_mode="none",
            labels=owner_labels("sweep", "sweep"),
            **host_flags(client),
        )
    except DockerException as error:
        raise engine_error(", ".join(runs), "removing cgroup folders", error) from error
