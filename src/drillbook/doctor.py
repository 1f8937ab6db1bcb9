"""What this machine lacks for drills and verification, and how to get it."""

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from drillbook.errors import DockerMissing
from drillbook.replica.base_image import BASE_IMAGE
from drillbook.units import format_bytes

__all__ = ["Machine", "Need", "State", "ThisMachine", "examine"]

_FREE_BYTES = 4 * 1024**3
_OVERLAYS = {"overlay", "overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs"}
_NETFILTER = ("/proc/net/ip_tables_names", "/sys/module/ip_tables", "/sys/module/nf_tables")
_OLDEST_PYTHON = (3, 11)
_OLDEST_ENGINE = (20, 10)
_ASK_S = 15.0


class State(StrEnum):
    """What a need means for the user."""

    OK = "ok"
    OPTIONAL = "optional"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that drillbook needs or can use, and whether it is there.

    Attributes:
        name: What it is.
        state: Whether it is there, can be done without, or must be got.
        found: What is there now.
        how: How to get it; empty where it is there.
    """

    name: str
    state: State
    found: str
    how: str = ""


class Machine(Protocol):
    """What the doctor asks a machine; tests bring their own."""

    def python(self) -> str:
        """Return the version of the running Python."""
        ...

    def version(self, package: str) -> str | None:
        """Return the version of an installed Python package, or None."""
        ...

    def which(self, program: str) -> str | None:
        """Return where a program is, or None."""
        ...

    def has(self, path: str) -> bool:
        """True where there is such a file or folder."""
        ...

    def free_bytes(self, path: str) -> int | None:
        """Return the free bytes of the file system that holds a path, or None where there is no such path."""
        ...

    def engine(self) -> Mapping[str, Any]:
        """Return what the Docker engine says of itself (``GET /info``). Raises DockerMissing."""
        ...

    def image(self, name: str) -> str | None:
        """Return the id of an image that the engine has, or None."""
        ...


class ThisMachine:
    """The machine that this runs on."""

    def python(self) -> str:
        return platform.python_version()

    def version(self, package: str) -> str | None:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    def which(self, program: str) -> str | None:
        return shutil.which(program)

    def has(self, path: str) -> bool:
        return Path(path).exists()

    def free_bytes(self, path: str) -> int | None:
        try:
            return shutil.disk_usage(path).free
        except OSError:
            return None

    def engine(self) -> Mapping[str, Any]:
        from drillbook.replica.engine import connect_engine

        client = connect_engine(_ASK_S)
        try:
            info: Mapping[str, Any] = client.info()
        finally:
            client.close()
        return info

    def image(self, name: str) -> str | None:
        from drillbook.replica.engine import connect_engine

        client = connect_engine(_ASK_S)
        try:
            found = client.images.list(name=name)
        finally:
            client.close()
        return str(found[0].id) if found else None


def examine(machine: Machine) -> Sequence[Need]:
    """Return what was found; nothing is changed and nothing is installed."""
    return [*_python(machine), *_docker(machine), *_programs(machine)]


def _python(machine: Machine) -> Iterator[Need]:
    version = machine.python()
    if _at_least(version, _OLDEST_PYTHON):
        yield Need("Python", State.OK, version)
    else:
        yield Need("Python", State.MISSING, version, "install Python 3.11 or newer")
    for package in ("pytest", "pytest-testinfra", "pytest-html"):
        found = machine.version(package)
        if found:
            yield Need(package, State.OK, found)
        else:
            yield Need(package, State.MISSING, "not installed", "pip install --upgrade drillbook")


def _at_least(version: str, oldest: tuple[int, int]) -> bool:
    numbers = version.split(".")[:2]
    return not all(part.isdecimal() for part in numbers) or tuple(map(int, numbers)) >= oldest


def _docker(machine: Machine) -> Iterator[Need]:
    client = machine.which("docker")
    if client:
        yield Need("Docker client", State.OK, client)
    else:
        yield Need("Docker client", State.MISSING, "no `docker` in PATH", _install(machine))
    try:
        info = machine.engine()
    except DockerMissing as error:
        yield Need("Docker engine", State.MISSING, f"{error.problem} ({error.where})", error.hint or _install(machine))
        return
    yield _engine(info)
    yield _memory(info)
    yield _storage(info)
    yield _iptables(machine)
    yield _base_image(machine)
    yield _disk(machine, str(info.get("DockerRootDir", "")))


def _install(machine: Machine) -> str:
    if machine.which("apt-get"):
        return "./run --yes drill installs it; by hand: sudo apt-get install docker.io docker-cli"
    return "install Docker Engine 20.10 or newer"


def _engine(info: Mapping[str, Any]) -> Need:
    version = str(info.get("ServerVersion", "?"))
    found = f"{version}, cgroup v{info.get('CgroupVersion') or '1'} ({info.get('CgroupDriver', '?')})"
    system = info.get("OSType", "linux")
    if system != "linux":
        return Need("Docker engine", State.MISSING, f"{found}, {system} containers", "switch it to Linux containers")
    if not _at_least(version, _OLDEST_ENGINE):
        return Need("Docker engine", State.MISSING, found, "upgrade it to 20.10 or newer")
    return Need("Docker engine", State.OK, found)


def _memory(info: Mapping[str, Any]) -> Need:
    if info.get("MemoryLimit"):
        return Need("memory cgroup", State.OK, "the engine can limit memory")
    how = "boot with cgroup_enable=memory: without limits nothing runs out of memory"
    return Need("memory cgroup", State.MISSING, "the engine cannot limit memory", how)


def _storage(info: Mapping[str, Any]) -> Need:
    driver = str(info.get("Driver", "unknown"))
    if driver in _OVERLAYS:
        return Need("storage driver", State.OK, driver)
    return Need("storage driver", State.OPTIONAL, driver, "overlay2 starts replicas faster and needs less disk")


def _iptables(machine: Machine) -> Need:
    if any(machine.has(path) for path in _NETFILTER):
        return Need("iptables", State.OK, "in the kernel")
    how = "where the engine runs on this machine: sudo modprobe ip_tables"
    return Need("iptables", State.OPTIONAL, "not seen in this kernel", how)


def _base_image(machine: Machine) -> Need:
    found = machine.image(BASE_IMAGE)
    if found:
        return Need("base image", State.OK, f"{BASE_IMAGE} {found[:19]}")
    how = "the first drill pulls it, or makes it with debootstrap (about 1 min)"
    return Need("base image", State.OPTIONAL, f"no {BASE_IMAGE} yet", how)


def _disk(machine: Machine, root: str) -> Need:
    free = machine.free_bytes(root)
    enough = format_bytes(_FREE_BYTES)
    if free is None:
        return Need(
            "free disk", State.OPTIONAL, "the engine's disk is not seen from here", f"{enough} there are enough"
        )
    found = f"{format_bytes(free)} in {root}"
    if free >= _FREE_BYTES:
        return Need("free disk", State.OK, found)
    return Need("free disk", State.MISSING, found, f"make room for {enough}; `docker system df` says what is used")


def _programs(machine: Machine) -> Iterator[Need]:
    for program, use in (("ssh", "ssh:// targets"), ("kubectl", "kubectl:// targets and --cluster")):
        where = machine.which(program)
        if where:
            yield Need(program, State.OK, where)
        else:
            yield Need(program, State.OPTIONAL, "not in PATH", f"install it for {use}")
