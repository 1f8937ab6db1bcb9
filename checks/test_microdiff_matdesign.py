"""The microdiff service on its systemd host: is it really back, and if not, which cause does its runbook name?"""

import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import PurePosixPath

import httpx
import pytest

from drillbook.errors import TargetUnreachable
from drillbook.evidence import expect

CHANGES = "immediate-actions-0-5-minutes/2-check-recent-changes#1"
VERIFY = "immediate-actions-0-5-minutes/1-verify-the-alert#1"
RESOURCES = "investigation-5-15-minutes/2-check-system-resources#1"
DEPENDENCIES = "investigation-5-15-minutes/3-check-dependencies#1"
NETWORK = "investigation-5-15-minutes/4-check-network-issues#1"
CAUSES = "common-causes-and-solutions"
MEMORY = f"{CAUSES}/1-out-of-memory"
DATABASE = f"{CAUSES}/2-database-connection-issues"
DISK = f"{CAUSES}/3-disk-space-full"
CONFIG = f"{CAUSES}/4-configuration-issues"
PORT = f"{CAUSES}/5-port-already-in-use"
ROLLBACK = f"{CAUSES}/6-rollback"
HEALTH = "recovery-verification/1-health-check#1"
FUNCTIONAL = "recovery-verification/2-functional-test#1"

SERVICE = "microdiff-matdesign"
UNITS = (SERVICE, "postgresql@17-main", "redis-server", "nginx")
CLOCK_WITHIN_S = 300.0
LOGS = "/var/log"
FULL_PERCENT = 95
FULL_FOR_SURE_PERCENT = 99
NO_SESSION = re.compile(
    r"refused|tim(?:ed |e)out|too many|connection slots|starting up|shutting down|closed the connection|No such file"
)
"""What psql says of a database that cannot be had; what it says of its own user (no password) is nothing of that."""


def disk_of_logs(listing: str) -> re.Match[str] | None:
    """Return the line of ``df`` for the file system that holds the logs, with its share in use (percent)."""
    lines = re.finditer(r"^\S+ .*\s(\d+)%\s+(/\S*)$", listing, re.MULTILINE)
    holds = [line for line in lines if PurePosixPath(LOGS).is_relative_to(line[2])]
    return max(holds, key=lambda line: len(line[2]), default=None)


@pytest.mark.verify
@pytest.mark.covers(f"{HEALTH}.1")
def test_health_endpoint_says_healthy(runs):
    """The health endpoint answers 200, calls itself healthy, and knows what time it is."""
    answer = runs(f"{HEALTH}.1")
    expect(answer.exit_status == 0, "HTTP 200 from /health", answer.err.strip()[-200:] or answer.out)
    told = json.loads(answer.out)
    expect(told["status"] == "healthy", '"status": "healthy"', answer.out)
    off_s = abs((datetime.now(UTC) - datetime.fromisoformat(told["timestamp"])).total_seconds())
    expect(off_s < CLOCK_WITHIN_S, f"a clock within {CLOCK_WITHIN_S:.0f} s", f"{told['timestamp']}: {off_s:.0f} s off")


@pytest.mark.verify
@pytest.mark.covers(f"{HEALTH}.2")
def test_nothing_is_missing(runs):
    """The service's own checks of database, cache, storage, model and the API that it asks are all green."""
    answer = runs(f"{HEALTH}.2")
    expect(answer.exit_status == 0, '"status": "healthy"', answer.err.strip()[-200:] or answer.out or "degraded")
    wrong = {name: said for name, said in json.loads(answer.out)["checks"].items() if said != "ok"}
    expect(not wrong, "every check ok", wrong)


@pytest.mark.verify(writes=True)
@pytest.mark.covers(f"{FUNCTIONAL}.1")
def test_designs_follow_their_question(runs, urls):
    """A design comes back, and another question gets another one: no stub answers."""
    answer = runs(f"{FUNCTIONAL}.1")
    expect(answer.exit_status == 0, "HTTP 200 from /api/v1/inference", answer.err.strip()[-200:] or answer.out)
    first = json.loads(answer.out)
    expect(len(first.get("design", ())) == 8, "a design of eight numbers", answer.out)
    other = httpx.post(urls["microdiff"] + "/api/v1/inference", json={"test": uuid.uuid4().hex}, timeout=3)
    expect(other.status_code == 200, "HTTP 200 for another question", f"HTTP {other.status_code}: {other.text[:200]}")
    expect(other.json()["design"] != first["design"], "another design", other.text[:200])


@pytest.mark.verify
@pytest.mark.covers(f"{FUNCTIONAL}.2")
def test_customers_are_served(runs):
    """Through nginx the service answers over TLS, with a certificate that is valid, and shows no maintenance page."""
    answer = runs(f"{FUNCTIONAL}.2")
    expect(answer.exit_status == 0, "HTTP 200 over TLS", answer.err.strip()[-200:] or answer.out)
    expect("healthy" in answer.out, "the service's answer", answer.out[:200])


@pytest.mark.verify
@pytest.mark.parametrize("unit", UNITS)
def test_units_run(host, unit):
    """The service and what it needs on its host are active, and come back after a boot."""
    service = host.service(unit)
    expect(service.is_running, f"{unit} active", host.run(f"systemctl is-active {unit}").stdout.strip())
    if "@" not in unit:  # an instance is started by its template's generator
        expect(service.is_enabled, f"{unit} enabled", host.run(f"systemctl is-enabled {unit}").stdout.strip())


@pytest.mark.verify
@pytest.mark.covers(f"{NETWORK}.1")
def test_the_port_is_the_services_own(runs, host):
    """The service listens on 8080, for everybody."""
    expect(host.socket("tcp://0.0.0.0:8080").is_listening, "a listener on 8080", "none")
    listening = re.search(r"^tcp\s.*:8080\s.*LISTEN\s+(\d+)/\S+", runs(f"{NETWORK}.1").out, re.MULTILINE)
    main = host.service(SERVICE).systemd_properties["MainPID"]
    expect(listening and listening[1] == main, f"the service's own process, {main}", listening and listening[0])


@pytest.mark.verify
def test_the_configuration_is_in_place(host):
    """The configuration is there, and nobody but root may change it."""
    file = host.file("/etc/microdiff/config.yaml")
    expect(file.is_file, "/etc/microdiff/config.yaml", "it is not there")
    expect(file.user == "root" and not file.mode & 0o022, "writable for root only", f"{file.user} {file.mode:o}")


@pytest.mark.verify
@pytest.mark.covers(f"{RESOURCES}.4", f"{RESOURCES}.5")
def test_disks_have_room(runs):
    """The disk of the logs has room and inodes."""
    for id_ in (f"{RESOURCES}.4", f"{RESOURCES}.5"):
        answer = runs(id_)
        used = disk_of_logs(answer.out)
        expect(used, f"a line for {LOGS}", answer.out or answer.err)
        expect(int(used[1]) < FULL_PERCENT, f"below {FULL_PERCENT} % in use", used[0].strip())


@pytest.mark.verify
@pytest.mark.covers(f"{DEPENDENCIES}.1", f"{DEPENDENCIES}.2", f"{DEPENDENCIES}.3")
def test_database_and_redis_answer(runs):
    """The database takes a connection of the service's role, and Redis answers PONG."""
    for id_ in (f"{DEPENDENCIES}.1", f"{DEPENDENCIES}.2"):
        answer = runs(id_)
        expect(answer.exit_status == 0, "an answer of the database", answer.err.strip()[-200:] or answer.out)
    pong = runs(f"{DEPENDENCIES}.3")
    expect(pong.exit_status == 0 and pong.out.strip() == "PONG", "PONG", pong.err or pong.out or "nothing")


@pytest.mark.verify
@pytest.mark.covers(f"{DEPENDENCIES}.4", f"{NETWORK}.3")
def test_the_external_api_answers(runs):
    """The name of the API that the service asks resolves, and it answers."""
    resolved = runs(f"{NETWORK}.3")
    expect(resolved.exit_status == 0, "an address for the external API", resolved.out.strip()[-200:] or resolved.err)
    answer = runs(f"{DEPENDENCIES}.4")
    expect(answer.exit_status == 0, "HTTP 200 from the external API", answer.err.strip()[-200:] or answer.out)


@pytest.mark.verify
def test_no_alert_fires(urls):
    """Prometheus reaches the service, and no alert fires."""

    def ask(query):
        answer = httpx.get(urls["prometheus"] + "/api/v1/query", params={"query": query}, timeout=5)
        answer.raise_for_status()
        return answer.json()["data"]["result"]

    up = [sample["value"][1] for sample in ask(f'up{{job="{SERVICE}"}}')]
    expect(up == ["1"], "the service scraped", f"up is {', '.join(up) or 'not there'}")
    firing = [sample["metric"]["alertname"] for sample in ask('ALERTS{alertstate="firing"}')]
    expect(not firing, "none", ", ".join(firing))


@pytest.mark.diagnose
@pytest.mark.covers(MEMORY)
def test_not_out_of_memory(transcript):
    """The kernel killed nothing in the control group of the unit."""
    kill = transcript.find(r"oom-kill: the kernel killed", among=[f"{MEMORY}#1.2"])
    expect(not kill, "no OOM kill in the unit", kill)
    journal = transcript.told(f"{CHANGES}.2")
    if "not seeing messages" in journal.err:
        raise TargetUnreachable(f"{CHANGES}.2", "the journal of the unit may not be read, so its silence says nothing")


@pytest.mark.diagnose
@pytest.mark.covers(DATABASE)
def test_database_takes_connections(transcript):
    """The database runs and lets the service's role in."""
    ready = transcript[f"{DEPENDENCIES}.1"]
    rejects_or_silent = (1, 2)  # pg_isready; 3 is a question that it could not ask
    expect(ready.exit_status not in rejects_or_silent, "accepting connections", ready.out.strip() or ready.err.strip())
    session = transcript[f"{DEPENDENCIES}.2"]
    expect(not NO_SESSION.search(session.err), "a session", session.err.strip()[-200:])
    transcript.told(f"{DEPENDENCIES}.1")
    transcript.told(f"{DEPENDENCIES}.2")


@pytest.mark.diagnose
@pytest.mark.covers(DISK)
def test_disk_has_room(transcript):
    """There is room on the disk of the logs, and there are inodes."""
    for id_ in (f"{RESOURCES}.4", f"{RESOURCES}.5"):
        used = disk_of_logs(transcript.told(id_).out)
        expect(used is None or int(used[1]) < FULL_FOR_SURE_PERCENT, "room and inodes", used and used[0].strip())


@pytest.mark.diagnose
@pytest.mark.covers(CONFIG)
def test_configuration_is_what_worked(transcript):
    """The configuration is valid, and is what it was when it worked."""
    for id_, complaint in ((f"{CONFIG}#1.1", r"^invalid: "), (f"{CONFIG}#1.2", r"^(?:yaml\.|FileNotFoundError)")):
        said = transcript[id_].err
        expect(not re.search(complaint, said, re.MULTILINE), "a valid configuration", said.strip()[-300:])
        transcript.told(id_)  # a module that is missing says nothing of the configuration
    differs = 1  # diff; 2 is a backup that is not there
    changed = transcript[f"{CONFIG}#1.3"]
    expect(changed.exit_status != differs, "the configuration of the backup", changed.out)
    transcript.told(f"{CONFIG}#1.3")


@pytest.mark.diagnose
@pytest.mark.covers(PORT)
def test_nobody_else_has_the_port(transcript):
    """Who listens on the port is the main process of the unit."""
    listening = re.search(r"^\S+\s+(\d+)\s.*\(LISTEN\)$", transcript[f"{PORT}#1.1"].out, re.MULTILINE)
    if listening is None:
        return  # nobody has it, so nobody keeps the service from it
    status = transcript[f"{VERIFY}.3"]
    main = re.search(r"Main PID: (\d+) \((?!code=)", status.out)
    expect(main and main[1] == listening[1], "the service's own process", listening[0])


@pytest.mark.diagnose
@pytest.mark.covers(ROLLBACK)
def test_no_recent_release(transcript):
    """Nothing went out within the hour before."""
    commits = transcript.told(f"{ROLLBACK}#1.1").out.splitlines()
    expect(not commits, "no release", commits[0] if commits else "")
