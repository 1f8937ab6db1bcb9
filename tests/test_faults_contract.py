"""One contract for every fault, on a real replica: the gateway's, whose table uses them all."""

import importlib.util
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import drillbook.faults
from drillbook.clock import SystemClock, poll
from drillbook.errors import InjectFailed, UsageError
from drillbook.faults import Fault, confirm
from drillbook.faults.corrupt import DamagedFile
from drillbook.faults.disconnect import Disconnect
from drillbook.faults.environment import MissingVariable
from drillbook.faults.firewall import Blocked
from drillbook.faults.kill import Kill
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.port import PortTaken
from drillbook.faults.release import BadRelease
from drillbook.faults.segfault import Segfault
from drillbook.faults.stop import Stop
from drillbook.replica import Replica
from drillbook.replica.loader import load_replica

ROOT = Path(__file__).parent.parent


def fault_classes() -> dict[str, type]:
    """Return every fault class of the package by name."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(drillbook.faults.__path__, "drillbook.faults.")
    ]
    return {
        name: value
        for module in modules
        for name, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__ and hasattr(value, "inject")
    }


def table_of_the_gateway() -> dict[str, Fault]:
    spec = importlib.util.spec_from_file_location("gateway_table", ROOT / "chaos" / "test_inference_gateway.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {case.id: case.faults[0] for case in module.TABLE}


FAULTS = table_of_the_gateway()


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    replica = load_replica(ROOT, "inference-gateway")
    try:
        replica.start()
        replica.wait_until_ready(90)
        yield replica
    finally:
        replica.stop()


@pytest.fixture
def healthy(replica: Replica) -> Iterator[Replica]:
    """The replica, healthy before and, whatever the test left, after."""
    assert poll(lambda: replica.ask_as_customer().served, within_s=20, clock=SystemClock())
    yield replica
    service = replica.service("inference-gateway")
    if not poll(lambda: replica.ask_as_customer().served, within_s=15, clock=SystemClock()):
        service.start()
        pytest.fail("the service does not answer after revert")


@pytest.mark.parametrize("name", sorted(fault_classes()))
def test_every_fault_has_its_row_in_the_docs(name):
    assert f"| `{name}` |" in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_fault_is_in_a_table_of_drills():
    assert {type(fault).__name__ for fault in FAULTS.values()} == set(fault_classes())


@pytest.mark.parametrize(
    ("fault", "parameters"),
    [
        (Kill, {"service": ""}),
        (Stop, {"service": "two words"}),
        (Pause, {"service": "a;b"}),
        (OutOfMemory, {"service": "gateway", "working_set_bytes": 0}),
        (OutOfMemory, {"service": "", "working_set_bytes": 1}),
        (Segfault, {"service": "$x"}),
        (Disconnect, {"service": ""}),
        (PortTaken, {"service": "gateway", "port": 0}),
        (PortTaken, {"service": "gateway", "port": 65536}),
        (MissingVariable, {"service": "gateway", "variable": "", "apply": "true"}),
        (MissingVariable, {"service": "gateway", "variable": "NAME", "apply": " "}),
        (BadRelease, {"service": "gateway", "deploy": " ", "undo": "true"}),
        (BadRelease, {"service": "gateway", "deploy": "true", "undo": "true", "wrong_status": 200}),
        (DamagedFile, {"service": "gateway", "file": ""}),
        (Blocked, {"service": "gateway", "port": -1}),
    ],
    ids=str,
)
def test_bad_parameters_are_refused_at_construction(fault, parameters):
    with pytest.raises(UsageError, match=fault.__name__):
        fault(**parameters)


@pytest.mark.docker
@pytest.mark.parametrize("name", FAULTS)
def test_the_effect_is_absent_then_present_then_absent(name, healthy):
    fault = FAULTS[name]
    assert not fault.is_present(healthy)
    try:
        fault.inject(healthy)
        assert confirm(fault, healthy, SystemClock())
    finally:
        fault.revert(healthy)
    assert not fault.is_present(healthy)
    fault.revert(healthy)
    assert not fault.is_present(healthy)


@pytest.mark.docker
@pytest.mark.parametrize("name", FAULTS)
def test_revert_without_inject_changes_nothing(name, healthy):
    before = dict(healthy.snapshot())
    FAULTS[name].revert(healthy)
    assert dict(healthy.snapshot()) == before


@pytest.mark.docker
@pytest.mark.parametrize("name", ["port", "environment", "model", "oom", "segfault"])
def test_half_an_inject_is_reverted(name, healthy):
    """Faults whose injection takes several acts: the second one fails."""
    fault = FAULTS[name]
    half = _HalfReplica(healthy)
    try:
        fault.inject(half)  # type: ignore[arg-type]
    except InjectFailed:
        assert half.acts
    fault.revert(healthy)
    assert not fault.is_present(healthy)


@pytest.mark.docker
def test_networks_come_back_with_their_aliases_and_addresses(healthy):
    service = healthy.service("inference-gateway")
    before = service.networks()
    fault = Disconnect("inference-gateway")
    fault.inject(healthy)
    fault.revert(healthy)
    assert service.networks() == before


class _HalfReplica:
    """Lets the first act of an injection through and fails the second."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.acts = 0

    def host(self, role):
        return _HalfTarget(self, self._replica.host(role))

    def __getattr__(self, name):
        return getattr(self._replica, name)


class _HalfTarget:
    def __init__(self, half: _HalfReplica, target) -> None:
        self._half = half
        self._target = target

    def run(self, command, **more):
        if not command.startswith(("grep", "ss ", "cmp")):
            self._half.acts += 1
        if self._half.acts > 1:
            raise InjectFailed(command, "the second act fails, as the test wants it")
        return self._target.run(command, **more)
