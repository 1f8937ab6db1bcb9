"""What the doctor says of machines that lack this or that."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drillbook.doctor import Need, State, ThisMachine, examine
from drillbook.errors import DockerMissing

HEALTHY: Mapping[str, Any] = {
    "ServerVersion": "26.1.5",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "OSType": "linux",
    "MemoryLimit": True,
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
}


@dataclass(frozen=True)
class FakeMachine:
    """A machine made of what it has."""

    python_version: str = "3.13.5"
    packages: Mapping[str, str] = field(
        default_factory=lambda: {"pytest": "9.2.0", "pytest-testinfra": "10.2.2", "pytest-html": "4.2.0"}
    )
    programs: frozenset[str] = frozenset({"docker", "apt-get", "ssh", "kubectl"})
    paths: frozenset[str] = frozenset({"/sys/module/nf_tables"})
    free: int | None = 50 * 1024**3
    info: Mapping[str, Any] | DockerMissing = field(default_factory=lambda: HEALTHY)
    images: frozenset[str] = frozenset({"drillbook/base:trixie"})

    def python(self) -> str:
        return self.python_version

    def version(self, package: str) -> str | None:
        return self.packages.get(package)

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.programs else None

    def has(self, path: str) -> bool:
        return path in self.paths

    def free_bytes(self, path: str) -> int | None:
        return self.free

    def engine(self) -> Mapping[str, Any]:
        if isinstance(self.info, DockerMissing):
            raise self.info
        return self.info

    def image(self, name: str) -> str | None:
        return "sha256:0123456789abcdef" if name in self.images else None


def needs(machine: FakeMachine) -> Mapping[str, Need]:
    return {need.name: need for need in examine(machine)}


def with_info(**changes: Any) -> FakeMachine:
    return FakeMachine(info={**HEALTHY, **changes})


def test_a_machine_that_has_everything_needs_nothing() -> None:
    found = examine(FakeMachine())
    assert {need.state for need in found} == {State.OK}
    assert not any(need.how for need in found)


def test_the_engine_s_line_has_version_and_cgroup_version() -> None:
    assert needs(FakeMachine())["Docker engine"].found == "26.1.5, cgroup v2 (systemd)"


def test_an_engine_that_does_not_answer_is_told_once_with_its_hint() -> None:
    found = needs(
        FakeMachine(info=DockerMissing("unix:///x.sock", "got no answer", hint="sudo systemctl start docker"))
    )
    assert found["Docker engine"] == Need(
        "Docker engine", State.MISSING, "got no answer (unix:///x.sock)", "sudo systemctl start docker"
    )
    assert "base image" not in found


@pytest.mark.parametrize(
    ("machine", "name", "state", "said"),
    [
        (FakeMachine(python_version="3.10.2"), "Python", State.MISSING, "3.11 or newer"),
        (
            FakeMachine(packages={"pytest": "9.0.0", "pytest-testinfra": "10.0.0"}),
            "pytest-html",
            State.MISSING,
            "pip install",
        ),
        (FakeMachine(programs=frozenset({"apt-get"})), "Docker client", State.MISSING, "apt-get install docker.io"),
        (FakeMachine(programs=frozenset()), "Docker client", State.MISSING, "install Docker Engine 20.10 or newer"),
        (with_info(ServerVersion="19.03.1"), "Docker engine", State.MISSING, "20.10 or newer"),
        (with_info(OSType="windows"), "Docker engine", State.MISSING, "Linux containers"),
        (with_info(MemoryLimit=False), "memory cgroup", State.MISSING, "cgroup_enable=memory"),
        (with_info(Driver="vfs"), "storage driver", State.OPTIONAL, "overlay2"),
        (FakeMachine(paths=frozenset()), "iptables", State.OPTIONAL, "modprobe ip_tables"),
        (FakeMachine(images=frozenset()), "base image", State.OPTIONAL, "the first drill"),
        (FakeMachine(free=1024**3), "free disk", State.MISSING, "make room for 4 GiB"),
        (FakeMachine(free=None), "free disk", State.OPTIONAL, "4 GiB there are enough"),
        (FakeMachine(programs=frozenset({"docker"})), "ssh", State.OPTIONAL, "ssh:// targets"),
    ],
)
def test_what_is_not_there_comes_with_how_to_get_it(machine: FakeMachine, name: str, state: State, said: str) -> None:
    need = needs(machine)[name]
    assert need.state is state
    assert said in need.how


def test_one_thing_missing_leaves_the_other_lines_as_they_are() -> None:
    everything = needs(FakeMachine())
    without = needs(replace(FakeMachine(), free=0))
    assert {name for name in everything if everything[name] != without[name]} == {"free disk"}


def test_an_unheard_of_version_is_not_called_too_old() -> None:
    assert needs(with_info(ServerVersion="dev"))["Docker engine"].state is State.OK


def test_this_machine_answers_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    found = {need.name: need for need in examine(ThisMachine())}
    assert found["Python"].state is State.OK
    assert found["Docker engine"].state is State.MISSING
    assert "unix:///nowhere/docker.sock" in found["Docker engine"].found


@pytest.mark.docker
def test_this_machine_s_engine_tells_its_version() -> None:
    found = {need.name: need for need in examine(ThisMachine())}
    assert found["Docker engine"].state is State.OK
    assert found["free disk"].found
