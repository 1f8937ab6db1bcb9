"""The folder in which a base image is made: it needs root to be removed, and may have /proc mounted below it."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook.errors import ReplicaError
from drillbook.replica.ownership import process_exists
from drillbook.signals import uninterrupted

__all__ = [
    "is_abandoned_folder",
    "mounts_below_work_folders",
    "remove_work_folder",
    "root_words",
    "work_folder",
    "work_folders",
]

_PREFIX = "drillbook-base-"
_TIDY = """
awk -v top="$0/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
rm -rf --one-file-system "$0"
"""


@contextmanager
def work_folder() -> Iterator[Path]:
    """Yield an empty folder whose name holds this process's id; it is removed, with what is mounted below it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        with uninterrupted():
            remove_work_folder(folder)


def work_folders() -> list[Path]:
    """Return the folders that this and other processes are using or have left."""
    return sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))


def mounts_below_work_folders() -> list[str]:
    """Return what is mounted below such folders: a killed debootstrap leaves /proc."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [fields[4] for fields in map(str.split, lines) if f"/{_PREFIX}" in fields[4]]


def is_abandoned_folder(path: Path) -> bool:
    """True where the process that the folder is named after has ended."""
    match = re.search(rf"/{_PREFIX}(\d+)-", f"{path}/")
    return match is None or not process_exists(int(match[1]))


def remove_work_folder(folder: Path) -> None:
    """Remove such a folder with what is mounted below it.

    Raises:
        ReplicaError: It cannot be removed.
    """
    done = subprocess.run(
        [*(root_words() or ()), "sh", "-c", _TIDY, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReplicaError(
            str(folder), "the folder cannot be removed", evidence=done.stderr, hint="drillbook reap, as root"
        )


def root_words() -> list[str] | None:
    """Return the words that go before a command that needs root; None where there is no way to be root."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None
