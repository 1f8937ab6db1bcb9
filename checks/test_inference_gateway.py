"""The inference gateway: is it really back, and if not, which cause does its runbook name?"""

import json
import re

import httpx
import pytest

from drillbook.evidence import expect

TRIAGE = "triage-first-2-minutes"
INVESTIGATION = "investigation-next-5-minutes"
STRATEGIES = "mitigation-strategies"
RESTORED = "resolution/step-1-verify-service-restored"
STABLE = "resolution/step-2-monitor-for-stability"

ERROR_RATIO_LIMIT = 0.01
"""The checklist's own figure."""
MEMORY_LIMIT_PERCENT = 85.0
"""The threshold of the alert that the document prescribes under Prevention."""
UNLIMITED_BYTES = 2**60
"""Control groups of version 1 write a number beyond it where there is no limit."""
SLOW_S = 1.0
"""A healthy gateway answers in a few milliseconds."""


@pytest.mark.verify
@pytest.mark.covers(f"{RESTORED}#1.1", "validation-checklist#1")
def test_health_endpoint_says_healthy(runs):
    """The health endpoint answers 200 and calls itself healthy."""
    answer = runs(f"{RESTORED}#1.1")
    expect(answer.exit_status == 0, "HTTP 200 from /health", answer.err or answer.out)
    expect(json.loads(answer.out)["status"] == "healthy", '"status": "healthy"', answer.out)


@pytest.mark.verify(writes=True)
@pytest.mark.covers(f"{RESTORED}#1.2", "validation-checklist#3")
def test_predictions_follow_their_input(runs, urls):
    """A prediction comes back, and another input gets another one: no stub answers."""
    answer = runs(f"{RESTORED}#1.2")
    expect(answer.exit_status == 0, "HTTP 200 from /predict", answer.err or answer.out)
    other = httpx.post(urls["gateway"] + "/predict", json={"data": [[4, 3, 2, 9]]}, timeout=5)
    expect(other.status_code == 200, "HTTP 200 for another input", f"HTTP {other.status_code}: {other.text[:200]}")
    first = json.loads(answer.out)
    expect("prediction" in str(first), "a prediction in the body", answer.out)
    expect(first != other.json(), "another prediction for another input", other.text)


@pytest.mark.verify
@pytest.mark.covers(f"{RESTORED}#1.3", "validation-checklist#2")
def test_prometheus_scrapes_the_gateway(runs):
    """Prometheus holds the target as up."""
    answer = runs(f"{RESTORED}#1.3")
    expect(
        answer.exit_status == 0, 'an active target with "health": "up"', answer.err or answer.out or "no such target"
    )


@pytest.mark.verify
@pytest.mark.covers(f"{STABLE}#1.1")
def test_up_is_one(runs):
    """The metric ``up`` of the gateway is 1."""
    answer = runs(f"{STABLE}#1.1")
    expect(answer.out.strip() == '"1"', '"1"', answer.out or answer.err or "no sample")


@pytest.mark.verify
@pytest.mark.covers("alert-description/alert-query#1")
def test_alert_condition_is_gone(urls):
    """The alert's own query finds nothing any more."""
    found = query(urls, 'up{job="inference-gateway"} == 0')
    expect(not found, "no target that is down", found)


@pytest.mark.verify
@pytest.mark.covers(f"{STABLE}#1.2", "validation-checklist#4")
def test_error_rate_is_below_one_percent(urls, site):
    """Fewer than 1 in 100 requests end in a server error."""
    window = site.variables.get("error_window", "5m")
    errors = query(urls, f'sum(rate(http_requests_total{{job="inference-gateway",status_code=~"5.."}}[{window}]))')
    total = query(urls, f'sum(rate(http_requests_total{{job="inference-gateway"}}[{window}]))')
    expect(total, f"the gateway's own count of its requests over {window}", "no samples: nothing counts them")
    ratio = value(errors) / value(total) if value(total) else 0.0
    expect(ratio < ERROR_RATIO_LIMIT, f"below 1 % over {window}", f"{ratio:.1%}", "do not close: users see errors")


@pytest.mark.verify
@pytest.mark.covers("validation-checklist#5")
def test_answers_come_quickly(urls):
    """Five answers in a row each take less than a second."""
    answers = [httpx.get(urls["gateway"] + "/ready", timeout=2) for _ in range(5)]
    wrong = [answer.status_code for answer in answers if answer.status_code != 200]
    expect(not wrong, "HTTP 200 from /ready", wrong)
    taken_s = [answer.elapsed.total_seconds() for answer in answers]
    expect(max(taken_s) < SLOW_S, f"each below {SLOW_S} s", f"{max(taken_s):.2f} s")


@pytest.mark.verify
@pytest.mark.covers("validation-checklist#6")
def test_log_holds_no_burst_of_errors(host, site):
    """The recent log of whichever instance serves holds no stack trace and no server error."""
    window = site.variables.get("error_window", "5m")
    for name in serving(host):
        log = host.run(f"docker logs --since {window} {name}")
        expect(log.exit_status == 0, f"the log of {name}", log.stderr)
        bad = re.findall(r"^.*(?:Traceback|ERROR|CRITICAL| 500 ).*$", log.stdout + log.stderr, re.MULTILINE)
        expect(not bad, f"none in the last {window}", f"{len(bad)} lines, the last: {bad[-1] if bad else ''}")


@pytest.mark.verify
@pytest.mark.covers(f"{STABLE}#1.3", "validation-checklist#7")
def test_memory_is_well_below_its_limit(host):
    """Whichever instance serves uses less than 85 % of its memory limit, as its own cgroup counts it."""
    for name in serving(host):
        used, limit = memory(host, name)
        expect(limit is not None, f"a memory limit on {name}", "none")
        expect(
            used < MEMORY_LIMIT_PERCENT / 100 * limit, f"below {MEMORY_LIMIT_PERCENT:.0f} %", f"{used} of {limit} bytes"
        )


@pytest.mark.verify
@pytest.mark.covers("validation-checklist#8")
def test_container_health_checks_pass(host):
    """The serving instance is healthy in Docker's eyes, and nothing is unhealthy."""
    states = host.run("docker ps --format '{{.Names}}: {{.Status}}'").stdout
    gateway = re.findall(r"^inference-gateway(?:-backup)?: .*$", states, re.MULTILINE)
    expect(any("(healthy)" in line for line in gateway), "inference-gateway (healthy)", gateway or "it does not run")
    bad = re.findall(r"^.*(?:\((?:unhealthy|Paused)\)|: Restarting).*$", states, re.MULTILINE)
    expect(not bad, "nothing unhealthy, paused or restarting", bad)


@pytest.mark.diagnose
@pytest.mark.covers(f"{STRATEGIES}/strategy-3-rollback-to-previous-version")
def test_no_recent_deployment(transcript):
    """Nobody deployed within the hour before."""
    commits = transcript.told(f"{INVESTIGATION}/step-7-check-recent-changes#1.3").out.splitlines()
    expect(not commits, "no commit to docker-compose.yml or config/", commits[0] if commits else "")


@pytest.mark.diagnose
@pytest.mark.covers(f"{STRATEGIES}/strategy-4-increase-resources-oom-kill")
def test_not_out_of_memory(transcript):
    """The kernel killed no process of the gateway's container for want of memory.

    Exit status 137 alone is any SIGKILL, and the kernel's log belongs to the whole machine, so only a line that names
    this container counts: Docker's own event, or the memory cgroup of the kill.
    """
    kernel, events = f"{INVESTIGATION}/step-5-check-system-resources#1.5", f"{TRIAGE}/step-3-identify-failure-mode#1.1"
    containers = transcript[f"{TRIAGE}/step-2-quick-health-checks#1.3"].out
    id_ = re.search(r"^([0-9a-f]{12})\b.*\sinference-gateway$", containers, re.MULTILINE)
    kill = id_ and transcript.find(rf"oom-kill:.*{id_[1]}", among=[kernel])
    event = transcript.find(r"container oom ", among=[events])
    expect(not (kill or event), "no OOM kill in this container", kill or event)
    transcript.told(events)  # that neither names a kill counts only where both could be read
    transcript.told(kernel)


@pytest.mark.diagnose
@pytest.mark.covers(f"{STRATEGIES}/strategy-5-fix-configuration-error")
def test_configuration_is_whole(transcript):
    """The port is the gateway's own, every variable is set, and the volumes are mounted."""
    strategy = f"{STRATEGIES}/strategy-5-fix-configuration-error"
    listener = next(
        (
            line
            for line in transcript[f"{strategy}#1.1"].out.splitlines()
            if "(LISTEN)" in line and not line.startswith("docker-pr")
        ),
        None,
    )
    expect(not listener, "port 8000 held by Docker only", listener)
    unset = transcript.find(r"variable is not set", among=[f"{strategy}#3.1"])
    expect(not unset, "every variable set", unset)
    settings = transcript[f"{strategy}#3.1"]
    expect(settings.exit_status == 0, "a configuration that Compose can read", settings.err)
    complaint = transcript.find(
        r"(?i)configuration error|environment variable", among=[f"{INVESTIGATION}/step-4-check-container-logs#1.1"]
    )
    expect(not complaint, "no complaint about the configuration in the log", complaint)
    mounts = transcript[f"{strategy}#5.1"]
    expect(mounts.exit_status == 0 and mounts.out.strip() not in {"", "[]", "null"}, "volumes mounted", mounts.out)


def query(urls, promql):
    """Return the result vector of an instant query."""
    answer = httpx.get(urls["prometheus"] + "/api/v1/query", params={"query": promql}, timeout=5)
    answer.raise_for_status()
    return answer.json()["data"]["result"]


def serving(host):
    """Return the names of the instances that run: the gateway's, its backup's, or both."""
    running = host.run("docker ps --format '{{.Names}}'")
    names = re.findall(r"^inference-gateway(?:-backup)?$", running.stdout, re.MULTILINE)
    expect(names, "an instance of the gateway that runs", running.stderr or "none")
    return names


def memory(host, name):
    """Return bytes in use, less page cache that can go, and the limit or None; ``docker stats`` takes two seconds."""
    v2 = "cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.stat"
    v1 = re.sub(r"memory\.(current|max|stat)", r"memory/memory.\1", v2)
    v1 = v1.replace("memory.current", "memory.usage_in_bytes").replace("memory.max", "memory.limit_in_bytes")
    for files in (v2, v1):
        read = host.run(f"docker exec {name} {files}")
        if read.exit_status == 0:
            used, limit, *stat = read.stdout.splitlines()
            idle = [
                int(line.split()[1]) for line in stat if line.split()[0] in {"inactive_file", "total_inactive_file"}
            ]
            unlimited = limit == "max" or int(limit) >= UNLIMITED_BYTES
            return int(used) - max(idle), None if unlimited else int(limit)
    expect(False, f"the memory counters of {name}", read.stderr)
    return 0, None


def value(vector):
    """Return the first sample's value; 0 where there is none."""
    number = float(vector[0]["value"][1]) if vector else 0.0
    return 0.0 if number != number else number
