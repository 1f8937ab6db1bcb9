"""What of somebody's compose project goes into the replica: the file, and what it reads from beside itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from drillbook.errors import UsageError

__all__ = ["Carried", "Files", "Service", "carried_along", "files_below"]

Files = dict[Path, str | bytes]
"""Path in the project -> content."""

_MOST_BYTES = 5_000_000
_NOT_CARRIED = frozenset({".git", ".venv", "node_modules", "__pycache__", "fixtures", "reports"})
"""Folders that no replica needs; ``fixtures`` is where all this goes to."""


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

    Raises:
        UsageError: A service has a name that no command could use.
    """
    loaded = yaml.safe_load(compose.read_text(encoding="utf-8"))
    carried = Carried({folder / compose.name: compose.read_bytes()})
    named: list[str] = [".env"] if (compose.parent / ".env").is_file() else []
    for name, settings in loaded["services"].items():
        if not re.fullmatch(r"[\w.-]+", str(name)):
            raise UsageError(
                str(compose), f"expected a service's name of letters, digits, . _ and -, got {str(name)!r}"
            )
        own = _mapping(settings)
        carried.services.append(Service(str(name), tuple(_published(_list(own.get("ports"))))))
        named += _read_by(own)
        if "extends" in own:
            carried.notes.append(f"service {name} extends another one: bring the file that it is in into {folder}")
    if loaded.get("include"):
        carried.notes.append(f"the compose file includes others: bring them into {folder}")
    for kind in ("configs", "secrets"):
        named += [str(one["file"]) for one in _mapping(loaded.get(kind)).values() if "file" in _mapping(one)]
    for path in dict.fromkeys(named):
        _take(compose.parent, path, folder, carried)
    return carried


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def _published(ports: list[Any]) -> Iterator[int]:
    for port in ports:
        if isinstance(port, dict):
            published = str(port.get("published") or "")
        else:
            # ${PORT:-8080} stands for what is used where nobody sets it
            parts = re.sub(r"\$\{\w+:?-(\d+)\}", r"\1", str(port)).partition("/")[0].split(":")
            published = parts[-2] if len(parts) > 1 else ""
        if re.fullmatch(r"[0-9]{1,5}", published):
            yield int(published)


def _read_by(settings: dict[Any, Any]) -> Iterator[str]:
    for one in _list(settings.get("env_file")):
        path = one.get("path") if isinstance(one, dict) else one
        if isinstance(path, str):
            yield path
    for volume in _list(settings.get("volumes")):
        if isinstance(volume, dict):
            source, is_bind = str(volume.get("source") or ""), volume.get("type") == "bind"
        else:
            source = str(volume).partition(":")[0]
            is_bind = source.startswith((".", "/", "~"))
        if is_bind and source:
            yield source


def _take(beside: Path, name: str, folder: Path, carried: Carried) -> None:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or name.startswith("~") or "$" in name:
        carried.notes.append(f"the compose file reads {name}, which lies outside of its folder: bring it into {folder}")
        return
    try:
        found = list(files_below(beside / name, beside.resolve()))
        size = sum(path.stat().st_size for path in found)
    except OSError as error:
        carried.notes.append(f"the compose file reads {name[:80]}, which cannot be read: {error.strerror}")
        return
    if not found:
        carried.notes.append(f"the compose file reads {name}, and there is nothing to copy")
    elif size > _MOST_BYTES:
        carried.notes.append(f"{name} is larger than 5 MB and was not copied into {folder}: copy what a drill needs")
    else:
        for path in found:
            carried.files[folder / path.relative_to(beside)] = path.read_bytes()


def files_below(source: Path, root: Path) -> Iterator[Path]:
    """Yield a file, or those of a folder, as far as they really lie below the project's folder."""
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        skipped = _NOT_CARRIED & {*path.relative_to(source).parts}
        if path.is_file() and not skipped and path.resolve().is_relative_to(root):
            yield path
