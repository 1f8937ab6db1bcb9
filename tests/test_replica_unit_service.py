"""A unit of a systemd host, as systemd and the kernel show it."""

import pytest
from fakes import FakeTarget

from drillbook.errors import NotSupported, ReplicaError
from drillbook.replica.unit_service import UnitService, properties
from drillbook.target import Output

SHOWN = {
    "Id": "web.service",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "MainPID": "42",
    "ExecMainCode": "0",
    "ExecMainStatus": "0",
    "ExecMainExitTimestampMonotonic": "0",
    "MemoryMax": "100663296",
}
KILLED = {
    "ActiveState": "failed",
    "SubState": "failed",
    "MainPID": "0",
    "ExecMainCode": "2",
    "ExecMainStatus": "9",
    "ExecMainExitTimestampMonotonic": "1",
}
PROCESS = """@comm
python3
@state
{state} (what it is)
@children

@group
/sys/fs/cgroup/memory/system.slice/web.service
@freezer
@limit
100663296
@oom
oom_kill {kills}
"""


class Host(FakeTarget):
    """A host with one unit; ``kill`` sets what is shown next."""

    def __init__(self, *shown: dict[str, str], state: str = "S", kills: int = 0) -> None:
        super().__init__(self._answer)
        self._shown = [{**SHOWN, **one} for one in shown or ({},)]
        self._process = PROCESS.format(state=state, kills=kills)

    def _answer(self, command: str) -> str:
        if command.startswith("systemctl show"):
            return "".join(f"{name}={value}\n" for name, value in self._shown[0].items())
        if command.startswith("systemctl kill") and len(self._shown) > 1:
            self._shown.pop(0)
        return self._process if "look 42" in command else ""


def unit(host: Host, kills: int = 0) -> UnitService:
    return UnitService("web", "web.service", host, lambda name: kills)


def test_what_systemctl_shows_may_hold_any_character() -> None:
    assert properties("Id=a.service\nEnvironment=A=1 B=2\nEmpty=\nno property\n") == {
        "Id": "a.service",
        "Environment": "A=1 B=2",
        "Empty": "",
    }


def test_a_unit_that_is_active_runs() -> None:
    service = unit(Host())
    assert service.is_running()
    assert (service.main_pid(), service.exit_status()) == (42, None)
    assert not service.is_frozen()
    found = [(process.pid, process.group) for process in service.main_processes()]
    assert found == [(42, "/sys/fs/cgroup/memory/system.slice/web.service")]


def test_a_unit_whose_processes_are_stopped_hangs() -> None:
    service = unit(Host(state="T"))
    assert service.is_frozen()
    assert not service.is_running()


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        pytest.param("1", "0", 0, id="it ended well"),
        pytest.param("1", "3", 3, id="with an error"),
        pytest.param("2", "9", 137, id="killed"),
        pytest.param("3", "11", 139, id="crashed, with a core"),
    ],
)
def test_how_it_ended(code: str, status: str, expected: int) -> None:
    service = unit(Host({**KILLED, "ExecMainCode": code, "ExecMainStatus": status}))
    assert not service.is_running()
    assert (service.main_pid(), service.exit_status()) == (None, expected)


def test_one_that_never_ran_never_ended() -> None:
    assert unit(Host({"ActiveState": "inactive", "MainPID": "0"})).exit_status() is None


def test_it_is_killed_until_systemd_gives_it_up() -> None:
    host = Host({}, {"MainPID": "43"}, KILLED)
    unit(host).kill()
    assert sum(command.startswith("systemctl kill") for command in host.asked) == 2


def test_a_change_that_systemd_refuses_is_told_with_the_journal() -> None:
    class Refusing(Host):
        def run(self, command: str, **more: object) -> Output:
            said = super().run(command, **more)  # type: ignore[arg-type]
            if command.startswith("systemctl stop"):
                return Output(command, 1, b"", b"Job failed\n", 0.0)
            return Output(command, 0, b"it said this last\n", b"", 0.0) if "journalctl" in command else said

    with pytest.raises(ReplicaError) as raised:
        unit(Refusing()).stop()
    assert "it cannot be stopped: exit status 1" in str(raised.value)
    assert "it said this last" in str(raised.value)


def test_kills_are_counted_by_the_group_and_by_the_log() -> None:
    assert unit(Host(kills=2), kills=1).oom_kills() == 2
    assert unit(Host(KILLED), kills=3).oom_kills() == 3


def test_it_has_the_network_of_its_host() -> None:
    service = unit(Host())
    assert service.networks() == ()
    with pytest.raises(NotSupported, match="no network of its own"):
        service.leave_networks()


def test_its_state_is_what_a_drill_must_leave() -> None:
    assert unit(Host()).state() == {"state": "active running", "enabled": "enabled", "memory_bytes": "100663296"}
    assert unit(Host({"MemoryMax": "infinity"})).state()["memory_bytes"] == "0"
