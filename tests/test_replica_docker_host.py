"""The real thing: a replica of one small web server, on the engine of this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from patience import HOPELESS_S, READY_S, comes

from drillbook.clock import SystemClock, poll
from drillbook.errors import DockerMissing, NotSupported, ReplicaError
from drillbook.replica import Replica, Service, Wait
from drillbook.replica.content import Content
from drillbook.replica.docker_host import ComposeReplica
from drillbook.replica.engine import connect_engine
from drillbook.replica.reaper import Leftover, leftovers, reap

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("replica")]

WEB = """
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "cannot listen";
while (my $c = $s->accept) {
  while (<$c>) { last if /^\\r?\\n$/ } print $c "HTTP/1.0 200 OK\\r\\n\\r\\nok\\n";
  close $c
}
"""
DOCKERFILE = 'ARG BASE\nFROM ${BASE}\nCOPY web.pl /web.pl\nCMD ["perl", "/web.pl"]\n'
COMPOSE = """
services:
  web:
    image: localhost:5000/web:1
    container_name: the-web
    init: true
    command: ["perl", "/web.pl"]
    ports: ["8000:8000"]
    mem_limit: 32m
    restart: "no"
    networks: {inner: {aliases: [www], ipv4_address: 10.199.0.9}}
    volumes: [state:/state]
    healthcheck: {test: ["CMD", "true"], interval: 1s, start_interval: 0.2s, start_period: 5s}
networks: {inner: {ipam: {config: [{subnet: 10.199.0.0/24}]}}}
volumes: {state: {}}
"""
PREPARE = """
docker tag drillbook/tiny/web:latest localhost:5000/web:1
docker push -q localhost:5000/web:1
docker tag drillbook/tiny/web:latest localhost:5000/web:2
docker push -q localhost:5000/web:2
docker rmi localhost:5000/web:2 >/dev/null
git init -q && git add -A && git commit -qm 'Deploy 1' && echo '# 2' >>compose.yaml && git commit -qam 'Deploy 2'
"""
START = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_replica_docker_host import tiny
replica = tiny(Path(sys.argv[1]))
replica.start()
print(replica.run, flush=True)
sys.stdin.read()
"""


def fixture_folder(folder: Path) -> Path:
    (folder / "images" / "web").mkdir(parents=True)
    (folder / "project").mkdir()
    (folder / "images" / "web" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "images" / "web" / "web.pl").write_text(WEB)
    (folder / "project" / "compose.yaml").write_text(COMPOSE)
    (folder / "project" / ".env").write_text("SECRET=1\n")
    (folder / "prepare").write_text(PREPARE)
    return folder


def tiny(folder: Path) -> ComposeReplica:
    return ComposeReplica(
        slug="tiny",
        folder=folder,
        project="tiny",
        services=("web",),
        ports={"web": 8000},
        ready={"web": "/"},
        aliases={"shop": "web"},
        tracked=("/etc/hostname", "no-such-file-*"),
        waits=until_alert,
    )


def until_alert(replica: Replica) -> list[Wait]:
    """Ask the replica itself, as one whose intervals depend on the machine."""
    answer = httpx.get(replica.urls["web"], trust_env=False)
    return [Wait(answer.text.strip(), 60.0, 4.0)]


def ours(run: str) -> list[Leftover]:
    return [left for left in leftovers() if left.run == run]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixture_folder(tmp_path_factory.mktemp("fixtures") / "tiny")


@pytest.fixture(scope="module")
def replica(folder: Path) -> Iterator[ComposeReplica]:
    made = tiny(folder)
    made.start()
    run = made.run
    try:
        made.wait_until_ready(READY_S)
        yield made
    finally:
        made.stop()
    assert ours(run) == []


@pytest.fixture
def web(replica: ComposeReplica) -> Iterator[Service]:
    yield replica.service("web")
    replica.service("web").thaw()
    replica.service("web").start()
    replica.wait_until_ready(READY_S)


def test_it_satisfies_the_protocols(replica: ComposeReplica) -> None:
    as_replica: Replica = replica
    as_service: Service = replica.service("web")
    assert (as_replica.slug, as_service.name) == ("tiny", "web")


def test_its_ports_answer_here_and_a_customer_is_served(replica: ComposeReplica) -> None:
    assert httpx.get(replica.urls["web"], trust_env=False).text == "ok\n"
    assert replica.ask_as_customer().served
    assert replica.healthy_start_s > 0


def test_waits_that_only_the_replica_can_tell_are_known_once_it_is_ready(replica: ComposeReplica, folder: Path) -> None:
    assert list(replica.waits) == [Wait("ok", 60.0, 4.0)]
    assert list(tiny(folder).waits) == []


def test_names_and_places_of_the_runbook_are_true(replica: ComposeReplica) -> None:
    said = replica.host("operator").run(
        "pwd; hostname; git log --format=%s; curl -s localhost:8000; docker-compose ps -q | wc -l"
    )
    assert said.out.split("\n") == ["/srv/tiny", "tiny", "Deploy 2", "Deploy 1", "ok", "1", ""]
    assert replica.host("web").run("cat /proc/1/cmdline").out.startswith("/sbin/docker-init")


def test_there_is_no_way_out(replica: ComposeReplica) -> None:
    assert replica.host("machine").run("ip route show default").out == ""


def test_names_that_nobody_knows_are_refused_at_once_however_many_are_asked_for(replica: ComposeReplica) -> None:
    asked = replica.host("web").run("for n in $(seq 10); do getent hosts nobody-$n; done; echo $?")
    assert asked.out == "2\n"
    assert asked.took_s < 4.0, "the engine's resolver waits 4 s for an answer that is dropped"


def test_a_registry_serves_what_is_not_on_the_machine(replica: ComposeReplica) -> None:
    machine = replica.host("machine")
    assert machine.run("docker image inspect localhost:5000/web:2").exit_status != 0
    pulled = machine.run(
        "docker pull -q localhost:5000/web:2 && docker rmi localhost:5000/web:2", deadline_s=HOPELESS_S
    )
    assert pulled.exit_status == 0, pulled.err


def test_a_restart_and_a_recreation_leave_no_residue(replica: ComposeReplica, web: Service) -> None:
    before, identity = replica.snapshot(), web.identity()
    operator = replica.host("operator")
    assert operator.run("docker-compose restart", deadline_s=HOPELESS_S).exit_status == 0
    replica.wait_until_ready(READY_S)
    assert replica.snapshot() == before
    assert web.identity() == identity
    assert operator.run("docker-compose down && docker-compose up -d", deadline_s=HOPELESS_S).exit_status == 0
    replica.wait_until_ready(READY_S)
    assert replica.snapshot() == before
    assert web.identity() != identity


@pytest.mark.parametrize(
    ("change", "undo", "keys"),
    [
        ("echo X=1 >>.env", "sed -i /X=1/d .env", {"file/.env", "git/status"}),
        ("echo '# x' >>compose.yaml", "git checkout -q .", {"file/compose.yaml", "git/status"}),
        ("git checkout -q HEAD~1", "git checkout -q main", {"file/compose.yaml", "git/branch", "git/head"}),
        ("iptables -A INPUT -p tcp --dport 7 -j DROP", "iptables -D INPUT -p tcp --dport 7 -j DROP",
         {"iptables/filter/INPUT"}),
        ("docker update --memory 48m --memory-swap 96m the-web", "docker update --memory 32m --memory-swap 64m the-web",
         {"container/web/memory_bytes"}),
        ("setsid socat TCP-LISTEN:7777 /dev/null >/dev/null 2>&1 &", "pkill socat",
         {"port/tcp/0.0.0.0:7777", "process/socat"}),
        ("docker network create other", "docker network rm other", {"network/other"}),
        ("docker pause the-web", "docker unpause the-web", {"container/web/state"}),
    ],
    ids=lambda value: value.split()[1].strip("'/-") if isinstance(value, str) else "",
)  # fmt: skip
def test_what_somebody_changed_is_seen(replica: ComposeReplica, change: str, undo: str, keys: set[str]) -> None:
    before, machine = replica.snapshot(), replica.host("machine")
    assert machine.run(change).exit_status == 0

    def changed() -> set[str]:
        after = replica.snapshot()
        return {key for key in {*before, *after} if before.get(key) != after.get(key)}

    try:
        assert comes(lambda: keys <= changed()), changed()
    finally:
        machine.run(undo)
    assert comes(lambda: replica.snapshot() == before)


def test_a_stopped_service_has_an_exit_status_and_starts_again(web: Service) -> None:
    identity = web.identity()
    assert (web.is_running(), web.exit_status()) == (True, None)
    web.stop()
    assert (web.is_running(), web.exit_status(), web.main_pid(), web.main_processes()) == (False, 0, None, ())
    web.start()
    assert (web.is_running(), web.identity()) == (True, identity)
    web.kill()
    assert (web.is_running(), web.exit_status()) == (False, 137)
    assert web.oom_kills() == 0


def test_the_main_process_is_the_program_and_not_its_init_shim(replica: ComposeReplica, web: Service) -> None:
    assert replica.host("machine").run(f"cat /proc/{web.main_pid()}/comm").out == "perl\n"


@pytest.mark.parametrize("how", ["engine", "signal"])
def test_a_frozen_service_does_not_run_and_can_be_thawed(replica: ComposeReplica, web: Service, how: str) -> None:
    if how == "engine":
        web.freeze()
    else:
        replica.host("machine").run(f"kill -STOP {web.main_pid()}")
    assert (web.is_running(), web.is_frozen()) == (False, True)
    web.thaw()
    assert (web.is_running(), web.is_frozen()) == (True, False)
    web.thaw()


def test_networks_are_left_and_joined_with_aliases_and_addresses(replica: ComposeReplica, web: Service) -> None:
    before = web.networks()
    assert [(one.network, one.aliases, one.address) for one in before] == [
        ("tiny_inner", ("the-web", "web", "www"), "10.199.0.9")
    ]
    assert web.leave_networks() == before
    assert web.networks() == ()
    assert not replica.ask_as_customer().served
    web.join_networks(before)
    web.join_networks(before)
    assert web.networks() == before
    assert comes(lambda: replica.ask_as_customer().served)


def test_the_kernels_own_count_tells_an_oom_kill_from_a_kill(replica: ComposeReplica, web: ComposeReplica) -> None:
    service = replica.service("web")
    assert service.memory_limit_bytes() == 32 * 1024**2
    eat = "my @a; push @a, 'x' x 1000000 while 1"
    replica.host("web").run(f'perl -e "{eat}"', deadline_s=HOPELESS_S)
    assert service.is_running()
    assert service.oom_kills() == 1
    machine = replica.host("machine")
    main = service.main_processes()[0]
    machine.run(
        f"echo 1000 >/proc/{main.pid}/oom_score_adj; "
        f"sh -c 'echo $$ >{main.group}/cgroup.procs; head -c 64000000 /dev/zero | tail >/dev/null'",
        deadline_s=HOPELESS_S,
    )
    assert comes(lambda: service.exit_status() == 137)
    assert service.oom_kills() >= 2


def test_an_unknown_service_is_named(replica: ComposeReplica) -> None:
    assert replica.service("shop").name == "web"
    with pytest.raises(NotSupported, match="there is no service 'bank'"):
        replica.service("bank")


def test_without_an_alertmanager_no_alert_fires(replica: ComposeReplica) -> None:
    assert replica.alerts() == ()


def test_what_is_not_ready_is_named_with_its_last_words(replica: ComposeReplica, web: Service) -> None:
    web.stop()
    with pytest.raises(ReplicaError, match=r"not ready: web \(Exited \(0\)") as caught:
        replica.wait_until_ready(0.1)
    assert any("web printed last" in line for line in caught.value.evidence)


def test_a_living_owner_is_untouched_by_reap(replica: ComposeReplica) -> None:
    assert any(left.kind == "container" and left.owned for left in ours(replica.run))
    reap()
    assert replica.ask_as_customer().served
    assert replica.service("web").is_running()


def test_a_frozen_service_does_not_keep_a_replica_from_being_removed(folder: Path) -> None:
    made = tiny(folder)
    try:
        made.start()
        made.wait_until_ready(READY_S)
        made.service("web").freeze()
        run = made.run
    finally:
        made.stop()
    made.stop()
    assert ours(run) == []


@pytest.mark.parametrize("after_s", [0.05, 0.4, 0.8, 1.2, 1.8])
def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(folder: Path, after_s: float) -> None:
    made = tiny(folder)

    def press(line: str) -> None:
        if "starting the replica" in line:
            threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT)).start()

    made.progress = press
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the start may be over before
        made.start()
        try:
            poll(lambda: False, within_s=5, clock=SystemClock())
        finally:
            made.stop()
    assert ours(made.run) == []
    assert made.container_name == ""


def test_an_exception_in_the_middle_of_a_start_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from drillbook.replica.host_container import HostContainer

    def fail(host: HostContainer, within_s: float) -> None:
        assert ours(host.run)
        raise RuntimeError(within_s)

    monkeypatch.setattr(HostContainer, "wait_for_engine", fail)
    made = tiny(folder)
    with pytest.raises(RuntimeError):
        made.start()
    assert ours(made.run) == []


def test_an_engine_that_stops_answering_is_one_message(
    folder: Path, replica: ComposeReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(DockerMissing, match="got no answer"):
        tiny(folder).start()


def test_a_host_that_is_gone_is_named_with_its_last_words(folder: Path) -> None:
    made = tiny(folder)
    try:
        made.start()
        client = connect_engine()
        client.containers.get(made.container_name).kill()
        client.close()
        with pytest.raises(ReplicaError, match="its host is gone") as caught:
            made.wait_until_ready(5)
        assert any("host ready" in line for line in caught.value.evidence)
    finally:
        made.stop()
    assert ours(made.run) == []


def test_what_a_killed_owner_left_is_reaped(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        run = owner.stdout.readline().strip()
        assert {left.kind for left in ours(run)} >= {"container", "volume"}
        assert all(left.owned for left in ours(run))
        owner.kill()
    assert not any(left.owned for left in ours(run) if left.kind != "cgroup")
    removed = reap()
    assert any(left.run == run and left.kind == "container" for left in removed)
    assert ours(run) == []


def test_a_cache_that_is_not_whole_is_prepared_again(tmp_path: Path) -> None:
    folder = fixture_folder(tmp_path / "other" / "tiny")
    (folder / "project" / "more").write_text(str(tmp_path))
    lines: list[str] = []
    _, volume = Content("tiny", folder, "tiny").ensure(lines.append)
    client = connect_engine()
    client.volumes.get(volume).remove()
    client.volumes.create(volume, labels={"drillbook.cache": "half", "drillbook.slug": "tiny"})
    client.close()
    lines.clear()
    made = tiny(folder)
    made.progress = lines.append
    try:
        made.start()
        made.wait_until_ready(READY_S)
    finally:
        made.stop()
    assert any("preparing the replica's content" in line for line in lines)


def test_two_processes_prepare_one_cache_once(tmp_path: Path) -> None:
    folder = fixture_folder(tmp_path / "both" / "tiny")
    (folder / "project" / "more").write_text(json.dumps(str(tmp_path)))
    code = START.replace(
        "replica.start()", "replica.progress = lambda line: print(line, flush=True); replica.prepare()"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=HOPELESS_S)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("tiny: prepared" in text for text in said) == 1
    assert not [left for left in leftovers() if "drillbook-prepare-tiny" in left.name]


def test_a_preparation_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    folder = fixture_folder(tmp_path / "bad" / "tiny")
    (folder / "prepare").write_text("echo this went wrong >&2; exit 7")
    made = tiny(folder)
    with pytest.raises(ReplicaError, match="exit status 7") as caught:
        made.start()
    assert any("this went wrong" in line for line in caught.value.evidence)
    assert not [left for left in leftovers() if "drillbook-prepare-tiny" in left.name]
