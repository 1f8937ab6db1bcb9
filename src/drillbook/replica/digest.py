"""What a folder holds, as one short number: what was built from it is built again only when it changes."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["combined_digest", "folder_digest"]

_LENGTH = 16
_NEVER = frozenset({"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


def folder_digest(folder: Path, *, without: Iterable[str] = ()) -> str:
    """Return a digest of names, bytes, link targets and execute bits below a folder.

    Args:
        folder: What is read; caches of Python tools in it do not count.
        without: Names of entries directly in the folder that do not count.

    Raises:
        OSError: Something in it cannot be read.
    """
    left_out = frozenset(without)
    total = hashlib.sha256()
    for root, folders, files in os.walk(folder):
        at_top = Path(root) == folder
        folders[:] = sorted(name for name in folders if name not in _NEVER and not (at_top and name in left_out))
        for name in sorted(files + [name for name in folders if (Path(root) / name).is_symlink()]):
            if name.endswith(".pyc") or (at_top and name in left_out):
                continue
            path = Path(root) / name
            _add(total, path.relative_to(folder).as_posix(), path)
    return total.hexdigest()[:_LENGTH]


def combined_digest(*parts: str) -> str:
    """Return one digest for several texts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_LENGTH]


def _add(total: "hashlib._Hash", name: str, path: Path) -> None:
    if path.is_symlink():
        kind, content = "link", str(path.readlink()).encode()
    else:
        kind, content = ("run" if os.access(path, os.X_OK) else "file"), path.read_bytes()
    total.update(f"{kind}\0{name}\0{len(content)}\0".encode())
    total.update(content)
