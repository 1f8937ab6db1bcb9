"""The DMARC dashboard: is it really back, and if not, which cause does its runbook name?"""

import json
import re

import httpx
import pytest

from drillbook.evidence import expect

DIAGNOSIS = "diagnosis"
CONTAINERS = f"{DIAGNOSIS}/step-1-identify-affected-services#1.1"
LOGS = f"{DIAGNOSIS}/step-2-check-service-logs#1"
RESOURCES = f"{DIAGNOSIS}/step-3-check-resource-usage#1"
DEPENDENCIES = f"{DIAGNOSIS}/step-4-check-dependencies#1"
CRASHED = "resolution/scenario-1-container-crashed-exit-status"
MEMORY = "resolution/scenario-2-out-of-memory"
DATABASE = "resolution/scenario-3-database-connection-issues"
REDIS = "resolution/scenario-4-redis-connection-issues"
CELERY = "resolution/scenario-5-celery-worker-not-processing"
VERIFICATION = "verification"

NOT_UP = r"\b(?:Exited|Restarting|Created|Dead)\b|\(Paused\)|\(unhealthy\)"
SIGKILL = 128 + 9
BACKLOG = 2
"""Tasks that may wait at any moment; the alert on reports that pile up has the same figure."""
DATA_DISK = r"/srv/dmarc-dashboard/data$"


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.1", f"{CRASHED}#1.4")
def test_health_endpoint_says_healthy(runs):
    """The health endpoint calls the service healthy in its body; its code is 200 either way."""
    answer = runs(f"{VERIFICATION}#1.1")
    expect(answer.exit_status == 0, '"status": "healthy"', answer.out or answer.err or "nothing healthy")
    expect(json.loads(answer.out)["database"] == "connected", '"database": "connected"', answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.2")
def test_domains_are_listed(runs):
    """The API lists domains, each with its reports counted."""
    answer = runs(f"{VERIFICATION}#1.2")
    expect(answer.exit_status == 0, "a list of domains", answer.err or answer.out or "nothing")
    uncounted = [domain for domain in json.loads(answer.out) if domain["report_count"] < 1]
    expect(not uncounted, "at least one report of each domain that is listed", uncounted)


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.3", f"{CELERY}#1.1")
def test_a_worker_answers(runs):
    """A Celery worker answers and says what it is doing."""
    answer = runs(f"{VERIFICATION}#1.3")
    expect(answer.exit_status == 0, "exit status 0 (69: no worker, 1: no broker)", answer.err[-300:] or answer.out)
    expect("online" in answer.out, "a node online", answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{CELERY}#1.2")
def test_the_queue_is_short(runs):
    """Nothing piles up in the queue."""
    answer = runs(f"{CELERY}#1.2")
    expect(answer.exit_status == 0, "the length of the queue", answer.err or answer.out)
    expect(int(answer.out) <= BACKLOG, f"at most {BACKLOG} tasks that wait", answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{DEPENDENCIES}.2", f"{DEPENDENCIES}.3")
def test_redis_answers_and_has_room(runs):
    """Redis answers a ping with PONG and is below 95 % of its memory."""
    answer = runs(f"{DEPENDENCIES}.2")
    expect(answer.exit_status == 0 and answer.out.strip() == "PONG", "PONG", answer.err or answer.out or "nothing")
    used, limit = redis_memory(runs(f"{DEPENDENCIES}.3").out)
    expect(not limit or used < 0.95 * limit, "below 95 % of maxmemory", f"{used} of {limit} bytes")


@pytest.mark.verify
@pytest.mark.covers(CONTAINERS)
def test_every_container_is_up(runs):
    """No container has ended, restarts over and over, is paused or unhealthy."""
    answer = runs(CONTAINERS)
    expect(answer.exit_status == 0 and "Up" in answer.out, "the containers of the project", answer.err or answer.out)
    bad = [line for line in answer.out.splitlines() if re.search(NOT_UP, line)]
    expect(not bad, "every container up", "\n".join(bad))


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#2")
def test_prometheus_reaches_everything(urls):
    """Prometheus scrapes every target, and the exporters reach what they watch."""
    down = [sample["metric"]["job"] for sample in query(urls, "up == 0")]
    expect(not down, "every target up", down)
    silent = [sample["metric"]["__name__"] for sample in query(urls, '{__name__=~"redis_up|pg_up"} == 0')]
    expect(not silent, "exporters that reach Redis and the database", silent)


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#2")
def test_no_alert_fires(urls):
    """No alert of the dashboard fires any more."""
    firing = [sample["metric"]["alertname"] for sample in query(urls, 'ALERTS{alertstate="firing"}')]
    expect(not firing, "none", ", ".join(firing))


@pytest.mark.verify(writes=True)
@pytest.mark.covers(f"{VERIFICATION}#3.1")
def test_the_mailbox_is_looked_through(runs, urls):
    """Looking through the mailbox can be triggered, and happens by itself at every turn."""
    answer = runs(f"{VERIFICATION}#3.1")
    expect(answer.exit_status == 0, "HTTP 202 from the trigger", answer.err or answer.out)
    expect("task_id" in json.loads(answer.out), "the id of the task that was queued", answer.out)
    stalled = query(urls, 'ALERTS{alertname="CeleryBeatStalled"}')
    expect(not stalled, "a turn within the last three", stalled)


@pytest.mark.verify(writes=True)
@pytest.mark.covers(f"{VERIFICATION}#4")
def test_a_report_comes_out(dmarc_report_comes_out):
    """A report that is handed in now is processed, and its domain counts one more in /api/domains."""
    dmarc_report_comes_out()


@pytest.mark.diagnose
@pytest.mark.covers(CRASHED)
def test_backend_has_not_crashed(transcript):
    """The backend's container runs, and nothing says that memory ended it."""
    line = row_of(transcript, "backend")
    out_of_memory = transcript.find(r"^dmarc-backend ran out of memory", among=[f"{RESOURCES}.3"])
    transcript.told(f"{RESOURCES}.3")
    expect(out_of_memory or not re.search(NOT_UP, line), "backend up", line)


@pytest.mark.diagnose
@pytest.mark.covers(MEMORY)
def test_memory_suffices(transcript):
    """No container ran out of memory.

    The kernel's own lines are those of the whole machine and name no container, so Docker's events decide.
    """
    kill = transcript.find(r"ran out of memory", among=[f"{RESOURCES}.3"])
    transcript.told(f"{RESOURCES}.3")
    expect(not kill, "no OOM kill in a container", kill)


@pytest.mark.diagnose
@pytest.mark.covers(DATABASE)
def test_database_is_reached(transcript):
    """The backend reaches the database by its name, and its disk has room."""
    line = row_of(transcript, "db")
    expect(not re.search(NOT_UP, line), "db up", line)
    full = transcript.find(rf"\s100%\s+{DATA_DISK}", among=[f"{RESOURCES}.4"])
    expect(not full, "room on the database's disk", full)
    if re.search(NOT_UP, row_of(transcript, "backend")):
        return  # whoever would ask is down; what it asks for is not the cause
    connected, name = transcript[f"{DEPENDENCIES}.1"], transcript[f"{DEPENDENCIES}.4"]
    if any(ended_while_asked(answer) for answer in (connected, name)):
        return  # the same: it starts again and again, and was up when containers were listed
    expect("DB Connected: True" in connected.out, "DB Connected: True", connected.out[-300:] or connected.err[-300:])
    expect(name.exit_status == 0, "an address for db", name.err or "none")


@pytest.mark.diagnose
@pytest.mark.covers(REDIS)
def test_redis_is_reached_and_takes_writes(transcript):
    """Redis runs, answers PONG, and has room for what is written."""
    line = row_of(transcript, "redis")
    expect(not re.search(NOT_UP, line), "redis up", line)
    pong = transcript[f"{DEPENDENCIES}.2"]
    expect(pong.out.strip() == "PONG", "PONG", pong.err or pong.out or "no answer in time")
    used, limit = redis_memory(transcript[f"{DEPENDENCIES}.3"].out)
    expect(not limit or used < 0.95 * limit, "below 95 % of maxmemory", f"used_memory:{used}, maxmemory:{limit}")


@pytest.mark.diagnose
@pytest.mark.covers(CELERY)
def test_workers_process(transcript):
    """Worker and beat run, the worker answers, and nothing waits that it could work on."""
    for service in ("celery-worker", "celery-beat"):
        line = row_of(transcript, service)
        expect(not re.search(NOT_UP, line), f"{service} up", line)
    used, limit = redis_memory(transcript[f"{DEPENDENCIES}.3"].out)
    has_redis = "PONG" in transcript[f"{DEPENDENCIES}.2"].out and not (limit and used >= 0.95 * limit)
    if not has_redis or not has_database(transcript):
        return  # it waits for them, and they are causes of their own
    ping = transcript[f"{CELERY}#1.1"]
    expect(ping.exit_status == 0, "a worker that answers (69: none does)", ping.err[-300:] or ping.out)
    waiting = transcript[f"{CELERY}#1.2"].out.strip()
    expect(int(waiting) <= BACKLOG, f"at most {BACKLOG} tasks that wait", f"{waiting} tasks wait in the queue")


def row_of(transcript, service):
    """Return the line of a service in the list of containers."""
    line = transcript.find(rf"\s{service}\s+(?:\d+|About|Less)\b.*", among=[CONTAINERS])
    expect(line, f"a container of {service}", "none is listed")
    return line


def ended_while_asked(answer):
    """Return whether a container was down when a command was to run in it, or was killed under the command."""
    return answer.exit_status == SIGKILL or re.search(r"Container \w+ is (?:restarting|not running)", answer.err)


def has_database(transcript):
    """Return whether the backend said that it reaches the database, and its disk is not full."""
    full = transcript.find(rf"\s100%\s+{DATA_DISK}", among=[f"{RESOURCES}.4"])
    return not full and transcript.find("DB Connected: True", among=[f"{DEPENDENCIES}.1"]) is not None


def redis_memory(info):
    """Return bytes in use and the limit (0 for none) from what ``info memory`` says."""
    figures = dict(re.findall(r"^(used_memory|maxmemory):(\d+)", info, re.MULTILINE))
    return int(figures.get("used_memory", 0)), int(figures.get("maxmemory", 0))


def query(urls, promql):
    """Return the result vector of an instant query."""
    answer = httpx.get(urls["prometheus"] + "/api/v1/query", params={"query": promql}, timeout=5)
    answer.raise_for_status()
    return answer.json()["data"]["result"]
