"""Folders as tar streams, as the engine takes them."""

import io
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

__all__ = ["folder_as_tar"]


def folder_as_tar(folder: Path, more: Mapping[str, bytes | Path] | None = None) -> IO[bytes]:
    """Return a folder's content as a tar file that is open for reading.

    Owners are root and Python's caches are left out, so that equal content makes equal images.

    Args:
        folder: What is packed; its own name is not in the archive.
        more: Further files, path -> content, or the file that holds it, which can then be run; the archive lies beside
            such files, because they may be big.
    """
    beside = next((str(path.parent) for path in (more or {}).values() if isinstance(path, Path)), None)
    file: IO[bytes] = tempfile.TemporaryFile(dir=beside)  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.add(folder, arcname=".", filter=_plain)
        for name, content in (more or {}).items():
            if isinstance(content, Path):
                tar.add(content, arcname=name, filter=_program)
                continue
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    file.seek(0)
    return file


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in entry.name or entry.name.endswith(".pyc"):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _program(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.mode, entry.mtime = 0o755, 0  # else the engine would take equal files for new ones
    return _plain(entry)
