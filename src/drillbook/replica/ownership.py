"""Who owns what a replica is made of, and whether that process still lives."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = [
    "CACHE_LABEL",
    "LEASE",
    "OWNER_LABEL",
    "ROLE_LABEL",
    "RUN_LABEL",
    "Owner",
    "is_abandoned",
    "new_run_id",
    "process_exists",
]

RUN_LABEL = "drillbook.run"
OWNER_LABEL = "drillbook.owner"
ROLE_LABEL = "drillbook.role"
CACHE_LABEL = "drillbook.cache"
_HIDDEN = "hidden"

LEASE = timedelta(hours=6)
"""How long an owner counts as alive that cannot be looked at from here (another machine, another PID namespace)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every later one with the same number.

    Attributes:
        pid: Its number.
        started: When it started, in whatever unit its system has.
        space: PID namespace, boot and host name: only from within the same one can it be looked at.
    """

    pid: int
    started: str
    space: str

    @classmethod
    def me(cls) -> "Owner":
        """Return this process."""
        return cls(os.getpid(), _start_of(os.getpid()) or "", _space())

    @classmethod
    def parse(cls, label: str) -> "Owner | None":
        """Return the owner that a label names, or None where it is no such label."""
        parts = label.split(" ", 2)
        if len(parts) != 3 or not parts[0].isdigit():
            return None
        return cls(int(parts[0]), parts[1], parts[2])

    @property
    def label(self) -> str:
        """The owner as the value of a label."""
        return f"{self.pid} {self.started} {self.space}"

    def is_alive(self) -> bool | None:
        """True or False where it can be looked at from here, else None."""
        if self.space != _space():
            return None
        started = _start_of(self.pid)
        return None if started == _HIDDEN else started == self.started


def new_run_id() -> str:
    """Return an id that no other run has: short enough for names and paths."""
    return uuid.uuid4().hex[:12]


def is_abandoned(labels: Mapping[str, str], created: datetime, now: datetime | None = None) -> bool:
    """True where nothing that lives can own this.

    Args:
        labels: Labels of the container or volume.
        created: When it was made.
        now: For tests; None is now.
    """
    if RUN_LABEL not in labels:
        return False
    owner = Owner.parse(labels.get(OWNER_LABEL, ""))
    alive = owner.is_alive() if owner else None
    if alive is None:
        return (now or datetime.now(UTC)) - created > LEASE
    return not alive


def _space() -> str:
    """Return what tells this PID namespace, boot and machine from others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:13]}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()}/{sys.platform}"


def _start_of(pid: int) -> str | None:
    """Return when a process started, or None where there is none."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return _HIDDEN if process_exists(pid) else None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return said.stdout.strip().replace(" ", "_") or None


def process_exists(pid: int) -> bool:
    """True where there is such a process; also for another user's, which ``/proc`` may hide."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
