"""What of somebody's compose project goes into the replica: the file, and what it reads from beside itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

__all__ = ["Carried", "Files", "Service", "carried_along"]

Files = dict[Path, str | bytes]
"""Path in the project -> content."""

_MOST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a compose file: its name, and the ports that it publishes on the host."""

    name: str
    ports: tuple[int, ...] = ()


@dataclass(slots=True)
class Carried:
    """Files that the replica needs, the services of the project, and what could not be taken along."""

    files: Files = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def carried_along(compose: Path, folder: Path) -> Carried:
    """Return the compose file and what it mounts or reads from its own folder, as files of the scaffold.

    Args:
        compose: A compose file that was read once already.
        folder: Where they go in the project.
    """
    loaded = yaml.safe_load(compose.read_text(encoding="utf-8"))
    carried = Carried({folder / compose.name: compose.read_bytes()})
    named: list[str] = [".env"] if (compose.parent / ".env").is_file() else []
    for name, settings in loaded["services"].items():
        settings = settings if isinstance(settings, dict) else {}
        carried.services.append(Service(str(name), tuple(_published(settings.get("ports") or ()))))
        named += _read_by(settings)
    for kind in ("configs", "secrets"):
        named += [
            str(one["file"]) for one in (loaded.get(kind) or {}).values() if isinstance(one, dict) and "file" in one
        ]
    for path in dict.fromkeys(named):
        _take(compose.parent, path, folder, carried)
    return carried


def _published(ports: Any) -> Iterator[int]:
    for port in ports:
        if isinstance(port, dict):
            published = str(port.get("published") or "")
        else:
            # ${PORT:-8080} stands for what is used where nobody sets it
            parts = re.sub(r"\$\{\w+:?-(\d+)\}", r"\1", str(port)).partition("/")[0].split(":")
            published = parts[-2] if len(parts) > 1 else ""
        if published.isdigit():
            yield int(published)


def _read_by(settings: dict[str, Any]) -> Iterator[str]:
    env_file = settings.get("env_file") or ()
    for one in [env_file] if isinstance(env_file, str) else env_file:
        yield str(one["path"]) if isinstance(one, dict) else str(one)
    for volume in settings.get("volumes") or ():
        source = str(volume.get("source") or "") if isinstance(volume, dict) else str(volume).partition(":")[0]
        is_bind = source.startswith(".") if isinstance(volume, str) else volume.get("type") == "bind"
        if is_bind and source:
            yield source


def _take(beside: Path, name: str, folder: Path, carried: Carried) -> None:
    inside = PurePosixPath(name)
    source = beside / name
    if inside.is_absolute() or ".." in inside.parts or "$" in name:
        carried.notes.append(f"the compose file reads {name}, which lies outside of its folder: bring it into {folder}")
    elif source.is_file() or source.is_dir():
        found = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        if sum(path.stat().st_size for path in found) > _MOST_BYTES:
            carried.notes.append(
                f"{name} is larger than 5 MB and was not copied into {folder}: copy what a drill needs"
            )
            return
        for path in found:
            carried.files[folder / path.relative_to(beside)] = path.read_bytes()
    else:
        carried.notes.append(f"the compose file reads {name}, and it is not there")
