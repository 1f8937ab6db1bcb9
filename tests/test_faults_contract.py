"""One contract for every fault, on a real replica whose table uses it."""

import importlib.util
import inspect
import pkgutil
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock, FakeReplica
from patience import READY_S, comes

import drillbook.faults
from drillbook.client import Client
from drillbook.clock import SystemClock
from drillbook.errors import InjectFailed, NotSupported, UsageError
from drillbook.faults import Fault, confirm
from drillbook.faults.celery_queue import Queue
from drillbook.faults.certificate import CertificateExpired
from drillbook.faults.child_oom import ChildOutOfMemory
from drillbook.faults.clock_off import ClockOff
from drillbook.faults.config import ConfigChanged
from drillbook.faults.connections import ConnectionsExhausted
from drillbook.faults.consumer import ConsumerLost
from drillbook.faults.corrupt import DamagedFile
from drillbook.faults.cpu import CpuStarved
from drillbook.faults.descriptors import DescriptorsExhausted
from drillbook.faults.disconnect import Disconnect
from drillbook.faults.disk import DiskFull
from drillbook.faults.environment import MissingVariable
from drillbook.faults.evicted import PodsEvicted
from drillbook.faults.firewall import Blocked
from drillbook.faults.inodes import InodesExhausted
from drillbook.faults.kill import Kill
from drillbook.faults.killed_again import KilledAgain
from drillbook.faults.lagging import ReplicaLags
from drillbook.faults.lock import LockHeld
from drillbook.faults.name import NameLost
from drillbook.faults.node_part import PartDown
from drillbook.faults.object import NoAnswer, ObjectChanged, taken_back
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.poison import PoisonTask
from drillbook.faults.policy import PolicyBlocks
from drillbook.faults.port import PortTaken
from drillbook.faults.redis_full import RedisFull
from drillbook.faults.release import BadRelease, Request
from drillbook.faults.rotated import RotatedPassword
from drillbook.faults.segfault import Segfault
from drillbook.faults.slow import SlowNetwork
from drillbook.faults.stop import Stop
from drillbook.replica import Replica
from drillbook.replica.hosted import HostedReplica
from drillbook.replica.loader import load_fixture, load_replica

ROOT = Path(__file__).parent.parent
PASSWORD = {
    "service": "db", "role": "shop", "client": "web", "login": "true",
    "new": "new", "current": "cat old", "vault": "vault",
}  # fmt: skip

CHANGE = {"where": "shop/service/web", "patch": {"spec": {}}, "shows": NoAnswer("http://10.0.0.1"), "says": "changed"}

EDIT = {
    "service": "web", "file": "/etc/web.yaml", "old": "port: 1", "new": "port: 2", "apply": "true",
    "asked": Request("http://localhost"), "what": "another port",
}  # fmt: skip


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


def table(slug: str) -> dict[str, Fault]:
    """Return the faults of a runbook's drills by the ids of the cases."""
    module = load_fixture(ROOT / "chaos" / f"test_{slug.replace('-', '_')}.py")
    return {case.id: case.faults[0] for case in module.TABLE}


TABLES = {
    slug: table(slug)
    for slug in (
        "inference-gateway",
        "dmarc-dashboard",
        "microdiff-matdesign",
        "web3-marketplace",
        "web3-marketplace-database",
    )
}
HALVES = {
    "inference-gateway": ("port", "environment", "model", "oom", "segfault"),
    "dmarc-dashboard": ("oom-child", "db-password", "db-disk", "db-slow", "redis-full"),
    "microdiff-matdesign": ("config-syntax", "clock"),
    "web3-marketplace": ("config-key", "quota"),
    "web3-marketplace-database": ("password",),
}
"""Faults whose injection takes several acts."""


def contract() -> list[tuple[str, str]]:
    """Return what is put through the contract, as (slug, case): of a table, the kinds that no earlier one has."""
    seen: set[str] = set()
    pairs = []
    for slug, faults in TABLES.items():
        more = {name: fault for name, fault in faults.items() if type(fault).__name__ not in seen}
        pairs += [(slug, name) for name in more]
        seen |= {type(fault).__name__ for fault in more.values()}
    return pairs


def on_replicas(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Return pairs as parameters; those whose replica is a Kubernetes node say so."""
    return [
        pytest.param(slug, name, marks=pytest.mark.kubernetes if slug.startswith("web3-") else ())
        for slug, name in pairs
    ]


@pytest.fixture(scope="module")
def replicas() -> Iterator[Callable[[str], Replica]]:
    """Starts a replica when it is first asked for, with customers: some faults show in what becomes of their work."""
    running: dict[str, tuple[Replica, Client]] = {}

    def get(slug: str) -> Replica:
        if slug not in running:
            stop_all()
            replica = load_replica(ROOT, slug)
            running[slug] = replica, Client(replica.ask_as_customer, SystemClock())
            replica.start()
            replica.wait_until_ready(READY_S)
            running[slug][1].start(every_s=0.1)
        return running[slug][0]

    def stop_all() -> None:
        for replica, client in running.values():
            client.stop()
            replica.stop()
        running.clear()

    try:
        yield get
    finally:
        stop_all()


@pytest.fixture
def healthy(slug: str, replicas: Callable[[str], Replica]) -> Iterator[Replica]:
    """The replica, healthy before and, whatever the test left, after."""
    replica = replicas(slug)

    assert isinstance(replica, HostedReplica)

    def is_well() -> bool:
        return replica.ask_as_customer("contract").served and not replica.not_ready()

    assert comes(is_well)
    yield replica
    assert comes(is_well), f"after revert customers are not served, or not ready: {replica.not_ready()}"


@pytest.mark.parametrize("name", sorted(fault_classes()))
def test_every_fault_has_its_row_in_the_docs(name):
    assert f"| `{name}` |" in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_fault_is_in_a_table_of_drills():
    assert {type(TABLES[slug][name]).__name__ for slug, name in contract()} == set(fault_classes())


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
        (Blocked, {"service": "gateway", "port": 80, "chain": "INPUT"}),
        (ChildOutOfMemory, {"service": "gateway", "working_set_bytes": -1}),
        (ConnectionsExhausted, {"service": "db", "role": "x' OR", "database": "shop", "sessions": 9}),
        (ConnectionsExhausted, {"service": "db", "role": "shop", "database": "shop", "sessions": 0}),
        (RotatedPassword, PASSWORD | {"new": "it's"}),
        (RotatedPassword, PASSWORD | {"login": " "}),
        (RedisFull, {"service": "redis", "database": 16}),
        (RedisFull, {"service": "redis", "prefix": "a b"}),
        (Queue, {"broker": "redis", "name": "celery; flushall"}),
        (ConsumerLost, {"service": "worker", "app": " ", "queue": Queue("redis")}),
        (PoisonTask, {"service": "worker", "hand_in": "", "mark": "poison", "queue": Queue("redis")}),
        (PoisonTask, {"service": "worker", "hand_in": "true", "mark": "", "queue": Queue("redis")}),
        (NameLost, {"service": "db", "name": "", "asked_from": "backend"}),
        (DiskFull, {"service": "db", "file": "./"}),
        (SlowNetwork, {"service": "db", "client": "backend", "exchange": "", "delay_s": 1.0}),
        (SlowNetwork, {"service": "db", "client": "backend", "exchange": "true", "delay_s": 0}),
        (ObjectChanged, CHANGE | {"where": "shop/web"}),
        (ObjectChanged, CHANGE | {"where": "shop/service/web;reboot"}),
        (ObjectChanged, CHANGE | {"patch": {}}),
        (ObjectChanged, CHANGE | {"patch": {"spec": {}, "data": {}}}),
        (ObjectChanged, CHANGE | {"restarts": ("a b",)}),
        (PartDown, {"part": "sshd"}),
        (KilledAgain, {"service": "a b"}),
        (PodsEvicted, {"namespace": "shop", "app": "", "shows": NoAnswer("http://10.0.0.1")}),
        (PolicyBlocks, {"namespace": "shop", "app": "db", "port": 0}),
        (ReplicaLags, {"service": "standby", "primary": ""}),
        (CertificateExpired, {"url": "http://shop", "expire": "true", "renew": "true"}),
        (CertificateExpired, {"url": "https://shop", "expire": " ", "renew": "true"}),
        (LockHeld, {"service": "web", "file": "access.log"}),
        (LockHeld, {"service": "a b", "file": "/var/log/access.log"}),
        (InodesExhausted, {"service": "web", "folder": "/"}),
        (InodesExhausted, {"service": "web", "folder": "sessions"}),
        (DescriptorsExhausted, {"service": "web", "port": 0, "connections": 9}),
        (DescriptorsExhausted, {"service": "web", "port": 80, "connections": 0}),
        (ConfigChanged, EDIT | {"file": "web.yaml"}),
        (ConfigChanged, EDIT | {"new": "port: 1"}),
        (ConfigChanged, EDIT | {"old": ""}),
        (ConfigChanged, EDIT | {"apply": " "}),
        (CpuStarved, {"service": "web", "starve": "true", "feed": ""}),
        (ClockOff, {"service": "web", "url": "http://web", "shift": " ", "put_right": "true"}),
        (ClockOff, {"service": "web", "url": "http://web", "shift": "true", "put_right": "true", "off_by_s": 0}),
    ],
    ids=str,
)
def test_bad_parameters_are_refused_at_construction(fault, parameters):
    with pytest.raises(UsageError, match=fault.__name__):
        fault(**parameters)


def test_a_patch_is_taken_back_and_what_was_changed_since_stays():
    container = {
        "name": "web",
        "image": "web:1",
        "env": [{"name": "URL", "valueFrom": {"key": "url"}}],
        "resources": {"limits": {"memory": "1Gi"}},
    }
    changed = {
        "name": "web",
        "image": "web:2",
        "command": ["false"],
        "env": [{"name": "URL", "value": "", "valueFrom": None}, {"name": "MORE", "value": "1"}],
        "resources": {"limits": {"memory": "9Gi"}, "$patch": "replace"},
    }
    was = {"containers": [container, {"name": "other"}], "selector": {"app": "web"}, "replicas": 2}
    patch = {"containers": [changed], "selector": {"app": "gone"}, "volumes": [{"name": "cache", "emptyDir": {}}]}
    assert taken_back(patch, was) == {
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "command": None,
                "env": [
                    {"name": "URL", "value": None, "valueFrom": {"key": "url"}},
                    {"name": "MORE", "$patch": "delete"},
                ],
                "resources": {"limits": {"memory": "1Gi"}, "$patch": "replace"},
            }
        ],
        "selector": {"app": "web"},
        "volumes": [{"name": "cache", "$patch": "delete"}],
    }


@pytest.mark.parametrize(
    "fault",
    [
        Blocked("shop", 80),
        DamagedFile("shop", "echo /var/lib/shop/data"),
        DiskFull("shop", "/var/lib/shop/full"),
        InodesExhausted("shop", "/var/lib/shop/left"),
        PartDown("kubelet"),
        PolicyBlocks("shop", "shop", 80),
        PortTaken("shop", 80),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_touches_the_machine_is_not_done_to_one_that_is_the_users(fault):
    replica = FakeReplica(FakeClock())
    replica.has_machine = False
    with pytest.raises(NotSupported, match="the user's"):
        fault.is_present(replica) or fault.inject(replica)  # as a drill does
    assert not replica.operator.asked


@pytest.mark.docker
@pytest.mark.parametrize(("slug", "name"), on_replicas(contract()))
def test_the_effect_is_absent_then_present_then_absent(slug, name, healthy):
    fault = TABLES[slug][name]
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
@pytest.mark.parametrize(("slug", "name"), on_replicas(contract()))
def test_revert_without_inject_changes_nothing(slug, name, healthy):
    before = dict(healthy.snapshot())
    TABLES[slug][name].revert(healthy)
    assert dict(healthy.snapshot()) == before


@pytest.mark.docker
@pytest.mark.parametrize(("slug", "name"), on_replicas((slug, name) for slug in HALVES for name in HALVES[slug]))
def test_half_an_inject_is_reverted(slug, name, healthy):
    """The second act fails."""
    fault = TABLES[slug][name]
    half = _HalfReplica(healthy)
    try:
        fault.inject(half)  # type: ignore[arg-type]
    except InjectFailed:
        assert half.acts
    fault.revert(healthy)
    assert not fault.is_present(healthy)


@pytest.mark.docker
@pytest.mark.parametrize("slug", ["inference-gateway"])
def test_networks_come_back_with_their_aliases_and_addresses(healthy):
    service = healthy.service("inference-gateway")
    before = service.networks()
    fault = Disconnect("inference-gateway")
    fault.inject(healthy)
    fault.revert(healthy)
    assert service.networks() == before


# Asks for a session and, when it is asked for its password, says nothing; writes down both, and how it ended.
LOGGING_IN = """
import socket, struct
def say(word):
    with open("/tmp/logging-in", "a") as file: file.write(word + " ")
db = socket.create_connection(("db", 5432), 30)
wanted = b"user\\0dmarc\\0database\\0dmarc\\0\\0"
db.sendall(struct.pack(">ii", 8 + len(wanted), 3 << 16) + wanted)
say("asked" if db.recv(1) == b"R" else "refused")
try:
    while db.recv(1024): pass
    say("ended")
except TimeoutError:
    say("waits")
"""


@pytest.mark.docker
@pytest.mark.parametrize("slug", ["dmarc-dashboard"])
def test_whoever_logs_in_while_a_password_is_rotated_gets_no_session(healthy):
    fault, backend = TABLES["dmarc-dashboard"]["db-password"], healthy.host("backend")
    backend.run(f"rm -f /tmp/logging-in; python3 -c {shlex.quote(LOGGING_IN)} >/dev/null 2>&1 </dev/null &")
    assert comes(lambda: backend.run("cat /tmp/logging-in").out == "asked ")
    try:
        fault.inject(healthy)
        assert comes(lambda: backend.run("cat /tmp/logging-in").out != "asked ")
        assert backend.run("cat /tmp/logging-in").out == "asked ended "
    finally:
        fault.revert(healthy)


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
        if not command.startswith(("grep", "ss ", "cmp")) and " get " not in command:
            self._half.acts += 1
        if self._half.acts > 1:
            raise InjectFailed(command, "the second act fails, as the test wants it")
        return self._target.run(command, **more)
