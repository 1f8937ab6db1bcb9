"""The user's folder for what is expensive to make, and locks between this user's processes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook.errors import ReplicaError

__all__ = ["alone", "cache_folder"]


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/drillbook``, made where it is not there.

    Raises:
        ReplicaError: It cannot be written to.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drillbook"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    return folder


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Let one process at a time do something; the others wait.

    Raises:
        ReplicaError: The cache's folder cannot be written to.
    """
    path = cache_folder() / f"{what}.lock"
    try:
        lock = path.open("w")
    except OSError as error:
        raise _not_writable(path, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _not_writable(path: Path, error: OSError) -> ReplicaError:
    problem = f"expected a place to write to, got: {error.strerror}"
    return ReplicaError(str(path), problem, hint="XDG_CACHE_HOME can name another folder")
