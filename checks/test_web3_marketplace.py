"""The web3 marketplace: is it really back, and if not, which cause does its runbook name?"""

import json
import re
import uuid
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from drillbook.clock import SystemClock, poll
from drillbook.evidence import expect

NAMESPACE = "web3-marketplace-prod"
API = "https://api.web3marketplace.com"
DEEP = "investigation-5-15-minutes/4-deep-dive-analysis#1"
CONNECTIVITY = "investigation-5-15-minutes/5-database-connectivity#1"
EXTERNAL = "investigation-5-15-minutes/6-external-dependencies"
BACKEND = "resolution-steps/backend-service-down"
FRONTEND = "resolution-steps/frontend-service-down"
DATABASE = "resolution-steps/database-service-down"
REDIS = "resolution-steps/redis-service-down"
RESTORED = "post-incident-actions/1-service-restoration-verification#1"

WORKLOADS = ("backend-deployment", "frontend-deployment", "postgres-primary", "postgres-replica", "redis-master")
SERVICES = ("backend-service", "frontend-service", "postgres-primary-service", "redis-master-service")
SETTLED_WITHIN_S = 5.0
LAG_BYTES = 65536
"""An order writes some 2 kB of log; a replica that is well is behind by one or two of them."""
QUIET_S = 10.0
"""How long a container that ended, or a warning, counts. A crash loop is seen by its pod, which is not ready."""
REFUSED_WITHIN_S = 60.0
"""How long a refused session counts; whoever lacks one asks again within seconds."""
SESSIONS_REFUSED = r"FATAL:.*(?:too many clients already|remaining connection slots|too many connections)"
NO_SUCH_NAME = "|".join(
    (
        "could not translate host name",
        "Could not resolve host",
        "Resolving timed out",
        "name resolution",
        "Name or service not known",
    )
)
BACKEND_ASKS = (f"{CONNECTIVITY}.1", f"{EXTERNAL}#1.1", f"{EXTERNAL}#1.2")
FRONTEND_ASKS = (f"{FRONTEND}#1.2",)


@pytest.mark.verify
@pytest.mark.covers(f"{RESTORED}.2", f"{RESTORED}.3")
def test_customers_get_in(runs):
    """Both public addresses answer 200 and call themselves healthy, the API with database and Redis connected."""
    api = runs(f"{RESTORED}.2")
    expect(api.exit_status == 0, "HTTP 200 from the API", api.err or api.out)
    said = json.loads(api.out)
    expect(said["database"] == said["redis"] == "connected", "database and redis connected", api.out)
    site = runs(f"{RESTORED}.3")
    expect(site.exit_status == 0, "HTTP 200 from the site", site.err or site.out)
    expect(json.loads(site.out)["status"] == "healthy", '"status": "healthy"', site.out)


@pytest.mark.verify
def test_the_shop_window_shows_listings(operator):
    """The site's first page lists what the API has."""
    page = operator.run("curl -fsS --max-time 4 https://web3marketplace.com/")
    expect(page.exit_status == 0, "HTTP 200 from the first page", page.err)
    expect(re.search(r"<li>.*ETH", page.out), "at least one listing with its price", page.out[-300:])


@pytest.mark.verify
@pytest.mark.covers(f"{DEEP}.5", f"{RESTORED}.1")
def test_every_workload_has_its_pods(runs):
    """Each Deployment and StatefulSet has as many ready pods as it should have, and at least one."""
    counts = ready_counts(runs(f"{DEEP}.5"))
    for name in WORKLOADS:
        ready, wanted = counts.get(name, (0, 0))
        expect(ready == wanted > 0, f"all pods of {name} ready", f"{ready} of {wanted}")
    pods = runs(f"{RESTORED}.1")
    unwell = [
        line
        for line in pods.out.splitlines()[1:]
        if not re.search(r"\s(?:(\d+)/\1\s+Running|0/\d+\s+Completed)\s", line)
    ]
    expect(pods.exit_status == 0 and not unwell, "pods that run and are ready", "\n".join(unwell) or pods.err)


@pytest.mark.verify
def test_every_service_leads_somewhere(operator):
    """Each Service has at least one address behind it."""
    said = operator.run(f"kubectl get endpointslices -n {NAMESPACE} -o json")
    expect(said.exit_status == 0, "a list of endpoint slices", said.err)
    ready = dict.fromkeys(SERVICES, 0)
    for item in json.loads(said.out)["items"]:
        name = item["metadata"]["labels"].get("kubernetes.io/service-name")
        if name in ready:
            ready[name] += sum(one["conditions"].get("ready") is True for one in item.get("endpoints") or ())
    expect(all(ready.values()), "an address behind each Service", ready)


@pytest.mark.verify
def test_nothing_restarts_or_warns(operator):
    """No container has ended in the last seconds, and nothing has warned since the last pod became ready."""
    said = operator.run(f"date -u +%FT%TZ && kubectl get pods,events -n {NAMESPACE} -o json")
    expect(said.exit_status == 0, "a list of pods and events", said.err)
    now, _, listed = said.out.partition("\n")
    items = json.loads(listed)["items"]
    pods = [item for item in items if item["kind"] == "Pod"]
    quiet_since = datetime.fromisoformat(now) - timedelta(seconds=QUIET_S)
    ended = [f"{name} ended ({why})" for name, why, at in endings(pods) if at >= quiet_since]
    expect(not ended, f"no container that ended within {QUIET_S:.0f} s", ended)
    recovered = max([quiet_since, *(at for pod in pods if (at := ready_at(pod)))])
    staying = {pod["metadata"]["name"]: pod for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    warned = [
        f"{event['involvedObject']['name']}: {event['reason']}: {event.get('message')}"
        for event in items
        if event["kind"] == "Event" and event["type"] == "Warning" and told_at(event) > recovered
        if counts_now(event, staying)
    ]
    expect(not warned, "no warning since the last pod became ready", warned)


@pytest.mark.verify
@pytest.mark.covers(f"{DEEP}.3")
def test_claims_are_bound(runs):
    """Each claim has its volume."""
    said = runs(f"{DEEP}.3")
    claims = re.findall(r"^persistentvolumeclaim/(\S+)\s+(\S+)", said.out, re.MULTILINE)
    expect(claims, "claims", said.err or said.out)
    unbound = [f"{name} {phase}" for name, phase in claims if phase != "Bound"]
    expect(not unbound, "Bound", unbound)


@pytest.mark.verify
@pytest.mark.covers(f"{DATABASE}#1.1", f"{DATABASE}#1.2", f"{DATABASE}#1.3")
def test_database_replicates(runs):
    """The database accepts connections, has room on its disk, and a replica follows it."""
    answer = runs(f"{DATABASE}#1.1")
    expect("accepting connections" in answer.out, "accepting connections", answer.out or answer.err)
    disk = runs(f"{DATABASE}#1.2")
    used = re.search(r"(\d+)%", disk.out)
    expect(used and int(used[1]) < 95, "less than 95 % in use", disk.out or disk.err)
    replicas = runs(f"{DATABASE}#1.3")
    expect("streaming" in replicas.out, "a replica that is streaming", replicas.out or replicas.err)
    behind = bytes_behind(replicas.out)
    expect(behind < LAG_BYTES, f"fewer than {LAG_BYTES} bytes sent and not applied", behind)


@pytest.mark.verify
@pytest.mark.covers(f"{REDIS}#1.1", f"{REDIS}#1.2")
def test_redis_has_room(runs):
    """Redis answers, and less than 95 % of its memory is in use."""
    pong = runs(f"{REDIS}#1.1")
    expect(pong.out.strip() == "PONG", "PONG", pong.err or pong.out)
    memory = runs(f"{REDIS}#1.2")
    expect("used_memory:" in memory.out, "what Redis says of its memory", memory.err or memory.out)
    used, limit = redis_memory(memory.out)
    expect(not limit or used < 0.95 * limit, "below 95 % of maxmemory", f"used {used}, maxmemory {limit}")


@pytest.mark.verify
@pytest.mark.covers(f"{EXTERNAL}#1.2")
def test_exchange_rate_is_had(runs, operator):
    """The external API answers the backend, and a customer gets the exchange rate that comes from it."""
    answer = runs(f"{EXTERNAL}#1.2")
    expect(answer.exit_status == 0, "HTTP 200 from the external API", answer.err or answer.out)
    rate = operator.run(f"curl -fsS --max-time 4 {API}/rate")
    expect(rate.exit_status == 0, "an exchange rate", rate.err or rate.out)


@pytest.mark.verify(writes=True)
def test_an_order_goes_through(operator):
    """An order that is placed now is settled."""
    curl = "curl -fsS --max-time 4 -H 'Content-Type: application/json'"
    session = operator.run(f"{curl} -X POST {API}/session")
    expect(session.exit_status == 0, "a session", session.err or session.out)
    key, token = f"verification-{uuid.uuid4()}", json.loads(session.out)["token"]
    order = json.dumps({"id": key, "listing": 1, "quantity": 1})
    placed = operator.run(f"{curl} -X POST -H 'Authorization: Bearer {token}' -d '{order}' {API}/orders")
    expect(placed.exit_status == 0, "an order that is accepted", placed.err or placed.out)

    def is_settled():
        return '"status":"settled"' in operator.run(f"{curl} {API}/orders/{key}").out

    settled = poll(is_settled, within_s=SETTLED_WITHIN_S, clock=SystemClock(), every_s=0.2)
    expect(settled, f"the order settled within {SETTLED_WITHIN_S:.0f} s", "it is not")


@pytest.mark.diagnose
@pytest.mark.covers(DATABASE)
def test_database_is_well(transcript):
    """The database runs, answers, has room on its disk, is followed by its replica, and lets the backend in."""
    expect_ready(transcript, "postgres-primary")
    answer = transcript[f"{DATABASE}#1.1"]
    if was_asked(answer):
        expect("accepting connections" in answer.out, "accepting connections", answer.out or answer.err)
    refused = refuses_sessions(transcript)
    expect(not refused, "sessions that are left", refused)
    full = transcript.find(r"\s100%\s", among=[f"{DATABASE}#1.2"])
    expect(not full, "room on the database's disk", full)
    replicas = transcript[f"{DATABASE}#1.3"]
    if replicas.exit_status == 0:
        expect("streaming" in replicas.out, "a replica that is streaming", replicas.out)
        behind = bytes_behind(replicas.out)
        expect(behind < LAG_BYTES, f"fewer than {LAG_BYTES} bytes sent and not applied", behind)
    inside = transcript[f"{CONNECTIVITY}.1"]
    if was_asked(inside) and not is_told_no_name(transcript):
        expect(inside.exit_status == 0, "a row for the backend", inside.err or "no answer in time")


@pytest.mark.diagnose
@pytest.mark.covers(REDIS)
def test_redis_is_well(transcript):
    """Redis runs, answers PONG from within and to the backend, and has room."""
    expect_ready(transcript, "redis-master")
    pong = transcript[f"{REDIS}#1.1"]
    if was_asked(pong):
        expect(pong.out.strip() == "PONG", "PONG", pong.err or pong.out or "no answer in time")
    used, limit = redis_memory(transcript[f"{REDIS}#1.2"].out)
    expect(not limit or used < 0.95 * limit, "below 95 % of maxmemory", f"used {used}, maxmemory {limit}")
    inside = transcript[f"{EXTERNAL}#1.1"]
    if was_asked(inside) and not is_told_no_name(transcript):
        expect(inside.out.strip() == "PONG", "PONG for the backend", inside.err or inside.out or "no answer in time")


@pytest.mark.diagnose
@pytest.mark.covers(EXTERNAL)
def test_external_api_answers(transcript):
    """What is not ours answers, where there is a backend that can ask."""
    transcript.told(f"{DEEP}.5")
    answer = transcript[f"{EXTERNAL}#1.2"]
    if was_asked(answer) and not is_told_no_name(transcript):
        expect(answer.exit_status == 0, "HTTP 200 from the external API", answer.err or answer.out)


@pytest.mark.diagnose
@pytest.mark.covers(BACKEND)
def test_backend_is_well(transcript):
    """The backend has its pods, unless it is database or Redis that it waits for."""
    counts = ready_counts(transcript.told(f"{DEEP}.5"))
    if is_told_no_name(transcript, (*BACKEND_ASKS, *FRONTEND_ASKS)):
        return  # it finds nobody, and nobody finds it
    if refuses_sessions(transcript):
        return  # it waits for a session, whoever else still gets one
    waits_for = [name for name in ("postgres-primary", "redis-master") if not is_ready(counts, name)]
    reached = transcript[f"{CONNECTIVITY}.1"], transcript[f"{EXTERNAL}#1.1"]
    is_cut_off = is_told_no_name(transcript)
    if not waits_for and (is_cut_off or not any(was_asked(answer) and answer.exit_status for answer in reached)):
        expect_ready(transcript, "backend-deployment")


@pytest.mark.diagnose
@pytest.mark.covers(FRONTEND)
def test_frontend_is_well(transcript):
    """The frontend has its pods, its build is in them, and it serves."""
    expect_ready(transcript, "frontend-deployment")
    build, serves = transcript[f"{FRONTEND}#1.1"], transcript[f"{FRONTEND}#1.3"]
    if was_asked(build):
        expect("BUILD_ID" in build.out, "a build in /app/.next", build.err or build.out)
    if was_asked(serves):
        expect(re.match(r"HTTP/\S+ 200", serves.out), "HTTP 200 from the server itself", serves.err or serves.out)


def expect_ready(transcript, name):
    """Expect a workload to have its pods, where there is a node that could have them."""
    counts = ready_counts(transcript.told(f"{DEEP}.5"))
    if transcript.find(r"^\s+Ready\s+True\s", among=[f"{DEEP}.2"]):
        ready, wanted = counts.get(name, (0, 0))
        expect(is_ready(counts, name), f"all pods of {name} ready", f"{ready} of {wanted}")


def refuses_sessions(transcript):
    """Return what the database said when it last refused a session for want of room; None where that is over.

    Its log goes back for minutes. What time it is tells the lease of a node, which is renewed every few seconds.
    """
    if not transcript.find(SESSIONS_REFUSED, among=[f"{CONNECTIVITY}.2"]):
        return None
    last = [line for line in transcript[f"{CONNECTIVITY}.2"].lines() if re.search(SESSIONS_REFUSED, line)][-1]
    said_at = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* (?:UTC|GMT)\b", last)
    renewed = re.findall(r"^\s+RenewTime:\s+(\w+, .*)$", transcript[f"{DEEP}.2"].out, re.MULTILINE)
    if said_at and renewed:
        now = max(parsedate_to_datetime(moment) for moment in renewed)
        if now - datetime.fromisoformat(f"{said_at[1]}+00:00") > timedelta(seconds=REFUSED_WITHIN_S):
            return None
    return last


def is_ready(counts, name):
    """Return whether a workload has all its pods, and at least one."""
    ready, wanted = counts.get(name, (0, 0))
    return ready == wanted > 0


def is_told_no_name(transcript, asks=BACKEND_ASKS):
    """Return whether somebody asked for a name and nobody was told it: what they asked for need not be down then.

    Who ran out of time may have waited for the name: its question can go to a DNS server that is no more, unanswered.
    """
    asked = [transcript[id_] for id_ in asks]
    told = [answer for answer in asked if was_asked(answer) and "terminated with exit code 124" not in answer.err]
    return bool(told) and all(re.search(NO_SUCH_NAME, answer.err) for answer in told)


def ready_counts(answer):
    """Return name of a workload -> (ready, wanted) from ``kubectl get deployments,replicasets,statefulsets``.

    A Deployment whose rollout is stuck has as many as the ReplicaSet that lacks most: old pods make it look well.
    """
    counts = {
        name: (int(ready), int(wanted))
        for name, ready, wanted in re.findall(r"^\w+\.apps/(\S+)\s+(\d+)/(\d+)\s", answer.out, re.MULTILINE)
    }
    sets = re.findall(r"^replicaset\.apps/(\S+)-\w+\s+(\d+)\s+\d+\s+(\d+)\s", answer.out, re.MULTILINE)
    for name, desired, ready in sets:
        if int(ready) < int(desired) and name in counts:
            counts[name] = (min(int(ready), counts[name][0]), counts[name][1])
    return counts


def bytes_behind(table):
    """Return the bytes that a replica got and did not apply, from ``SELECT * FROM pg_stat_replication``; 0 for none."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if "|" in line]
    behind = [0]
    for row in rows[1:]:
        found = dict(zip(rows[0], row, strict=False))
        positions = [found.get(name, "").split("/") for name in ("sent_lsn", "replay_lsn")]
        if all(len(position) == 2 for position in positions):
            sent, applied = (int(high, 16) * 2**32 + int(low, 16) for high, low in positions)
            behind.append(sent - applied)
    return max(behind)


def endings(pods):
    """Yield pod, reason and moment of each container's end before it was started again."""
    for pod in pods:
        for container in pod["status"].get("containerStatuses") or ():
            ended = (container.get("lastState") or {}).get("terminated") or {}
            if ended.get("finishedAt"):  # not where a node was started again: nobody saw the end
                yield pod["metadata"]["name"], ended.get("reason"), datetime.fromisoformat(ended["finishedAt"])


def counts_now(event, staying):
    """Return whether a warning is about something that is still there and unwell, of pods by their names.

    A probe of a pod that ends fails, and one that failed once and then did not is what its threshold is for.
    """
    about = event["involvedObject"]
    if about["kind"] != "Pod":
        return True
    pod = staying.get(about["name"])
    return pod is not None and not (event["reason"] == "Unhealthy" and ready_at(pod))


def ready_at(pod):
    """Return since when a pod is ready; None where it is not."""
    conditions = {one["type"]: one for one in pod["status"].get("conditions") or ()}
    ready = conditions.get("Ready", {"status": "False"})
    return datetime.fromisoformat(ready["lastTransitionTime"]) if ready["status"] == "True" else None


def told_at(event):
    """Return when an event was told last; older and newer reporters have different fields for it."""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(last or event["metadata"]["creationTimestamp"])


def was_asked(answer):
    """Return whether a command ran in its container.

    Else what failed is kubectl's way into it, or it was killed with its container (128 and SIGKILL or SIGTERM): neither
    is what the command is about.
    """
    ended = re.search(r"command terminated with exit code (\d+)", answer.err)
    return answer.exit_status == 0 or (ended is not None and ended[1] not in ("137", "143"))


def redis_memory(info):
    """Return bytes in use and the limit (0 for none) from what ``info memory`` says."""
    figures = dict(re.findall(r"^(used_memory|maxmemory):(\d+)", info, re.MULTILINE))
    return int(figures.get("used_memory", 0)), int(figures.get("maxmemory", 0))
