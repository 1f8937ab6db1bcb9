"""The microdiff service on its systemd host: is it really back, and if not, which cause does its runbook name?"""

import json
import re
from datetime import UTC, datetime

import httpx
import pytest

from drillbook.evidence import expect

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

UNITS = ("microdiff-matdesign", "postgresql@17-main", "redis-server", "nginx")
CLOCK_WITHIN_S = 300.0
FULL_PERCENT = 95


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
    other = httpx.post(urls["microdiff"] + "/api/v1/inference", json={"test": "other data"}, timeout=3)
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
def test_the_port_is_the_services_own(host):
    """The service listens on 8080, for everybody."""
    expect(host.socket("tcp://0.0.0.0:8080").is_listening, "a listener on 8080", "none")


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
        used = re.search(r"\s(\d+)%\s+/var/log$", answer.out, re.MULTILINE)
        expect(used, "a line for /var/log", answer.out or answer.err)
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
    answer = runs(f"{DEPENDENCIES}.4")
    expect(answer.exit_status == 0, "HTTP 200 from the external API", answer.err.strip()[-200:] or answer.out)


@pytest.mark.verify
def test_no_alert_fires(urls):
    """Prometheus reaches the service, and no alert fires."""
    answer = httpx.get(urls["prometheus"] + "/api/v1/query", params={"query": "up == 0 or ALERTS"}, timeout=5)
    answer.raise_for_status()
    bad = [sample["metric"] for sample in answer.json()["data"]["result"]]
    firing = [one.get("alertname", "not scraped") for one in bad if one.get("alertstate") != "pending"]
    expect(not firing, "none", ", ".join(firing))


@pytest.mark.diagnose
@pytest.mark.covers(MEMORY)
def test_not_out_of_memory(transcript):
    """The kernel killed nothing in the control group of the unit."""
    kill = transcript.find(r"oom-kill: the kernel killed", among=[f"{MEMORY}#1.2"])
    expect(not kill, "no OOM kill in the unit", kill)


@pytest.mark.diagnose
@pytest.mark.covers(DATABASE)
def test_database_takes_connections(transcript):
    """The database runs and lets the service's role in."""
    ready = transcript[f"{DEPENDENCIES}.1"]
    expect(ready.exit_status == 0, "accepting connections", ready.out.strip() or ready.err.strip())
    session = transcript[f"{DEPENDENCIES}.2"]
    expect(session.exit_status == 0, "a session", session.err.strip()[-200:] or session.out)


@pytest.mark.diagnose
@pytest.mark.covers(DISK)
def test_disk_has_room(transcript):
    """There is room on the disks, and there are inodes."""
    for id_ in (f"{RESOURCES}.4", f"{RESOURCES}.5"):
        full = transcript.find(r"\s(?:99|100)%\s+/(?:var/log)?$", among=[id_])
        transcript.told(id_)
        expect(not full, "room and inodes", full)


@pytest.mark.diagnose
@pytest.mark.covers(CONFIG)
def test_configuration_is_what_worked(transcript):
    """The configuration is valid, and is what it was when it worked."""
    for id_ in (f"{CONFIG}#1.1", f"{CONFIG}#1.2"):
        answer = transcript[id_]
        expect(answer.exit_status == 0, "a valid configuration", (answer.err.strip() or answer.out)[-300:])
    changed = transcript[f"{CONFIG}#1.3"]
    expect(changed.exit_status == 0, "the configuration of the backup", changed.out or changed.err)


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
