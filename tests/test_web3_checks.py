"""The marketplace's diagnosis checks, over transcripts that a drill on a fresh replica does not make."""

import runpy
from pathlib import Path

import pytest

from drillbook.errors import TargetUnreachable
from drillbook.evidence import Finding, Record, Transcript

CHECKS = runpy.run_path(str(Path(__file__).parents[1] / "checks" / "test_web3_marketplace.py"))
DEEP, CONNECTIVITY, EXTERNAL = CHECKS["DEEP"], CHECKS["CONNECTIVITY"], CHECKS["EXTERNAL"]
DATABASE, REDIS = CHECKS["DATABASE"], CHECKS["REDIS"]

NODES = """Name:               node-1
Lease:
  HolderIdentity:  node-1
  RenewTime:       Fri, 27 Nov 2026 10:08:00 +0000
Conditions:
  Ready            True    Fri, 27 Nov 2026 10:07:58 +0000   KubeletReady   kubelet is posting ready status
"""
COUNTS = """NAME                                 READY   UP-TO-DATE   AVAILABLE   AGE
deployment.apps/backend-deployment   {backend}/2     2            {backend}           3h
deployment.apps/frontend-deployment  2/2     2            2           3h

NAME                                READY   AGE
statefulset.apps/postgres-primary   1/1     3h
statefulset.apps/postgres-replica   1/1     3h
statefulset.apps/redis-master       1/1     3h
"""
FORBIDDEN = 'Error from server (Forbidden): {what} is forbidden: User "on-call" cannot {act}'
NO_POD = "error: timed out waiting for the condition"
STREAMING = " pid | sent_lsn  | replay_lsn | state\n 77  | 0/3000060 | 0/3000060  | streaming\n"


def transcript(*, backend: int = 2, nodes: str = NODES, log: str = "", inside: str = "") -> Transcript:
    """What the document's commands print; ``inside`` is what kubectl says in place of each command in a pod."""

    def ran(id_: str, out: str, err: str = "") -> Record:
        return Record(id_, id_, id_, 1 if err else 0, "" if err else out, err)

    return Transcript(
        [
            ran(f"{DEEP}.2", nodes, "" if nodes else FORBIDDEN.format(what="nodes", act="list nodes")),
            ran(f"{DEEP}.5", COUNTS.format(backend=backend)),
            ran(f"{CONNECTIVITY}.1", " ?column?\n 1\n", inside),
            ran(f"{CONNECTIVITY}.2", log),
            ran(f"{DATABASE}#1.1", "accepting connections\n", inside),
            ran(f"{DATABASE}#1.2", "/dev/vdb 160M 40M 120M 25% /var/lib/postgresql\n", inside),
            ran(f"{DATABASE}#1.3", STREAMING, inside),
            ran(f"{REDIS}#1.1", "PONG\n", inside),
            ran(f"{REDIS}#1.2", "used_memory:1000\nmaxmemory:0\n", inside),
            ran(f"{EXTERNAL}#1.1", "PONG\n", inside),
            ran(f"{EXTERNAL}#1.2", "HTTP/1.1 200 OK\n", inside),
            ran(f"{CHECKS['FRONTEND']}#1.2", "{}", inside),
        ]
    )


def refusal(second: str) -> str:
    return f"2026-11-27 10:{second}.004 UTC [61] FATAL:  sorry, too many clients already\n"


def implicated(seen: Transcript) -> list[str]:
    """Return the diagnosis checks that are red."""
    red = []
    for name in ("test_database_is_well", "test_redis_is_well", "test_external_api_answers", "test_backend_is_well"):
        try:
            CHECKS[name](seen)
        except Finding:
            red.append(name)
    return red


def test_a_system_that_is_well_implicates_nobody() -> None:
    assert implicated(transcript()) == []


@pytest.mark.parametrize("name", ["database", "redis", "backend"])
def test_who_may_not_look_at_nodes_does_not_know_whether_pods_could_be_there(name: str) -> None:
    with pytest.raises(TargetUnreachable, match="was refused"):
        CHECKS[f"test_{name}_is_well"](transcript(backend=0, nodes="", inside=NO_POD))


@pytest.mark.parametrize("name", ["database", "redis", "backend"])
def test_who_may_not_enter_a_pod_does_not_know_what_it_would_have_said(name: str) -> None:
    inside = FORBIDDEN.format(what='pods "backend-0"', act='create resource "pods/exec"')
    with pytest.raises(TargetUnreachable, match="was refused"):
        CHECKS[f"test_{name}_is_well"](transcript(inside=inside))


def test_a_pod_that_is_not_there_is_the_backends_affair() -> None:
    gone = transcript(backend=0, inside=NO_POD)
    CHECKS["test_database_is_well"](gone)
    with pytest.raises(Finding, match="0 of 2"):
        CHECKS["test_backend_is_well"](gone)


def test_a_database_that_refuses_sessions_is_named_and_the_backend_that_waits_for_one_is_not() -> None:
    refuses = transcript(backend=0, log=refusal("06:30") + refusal("07:58"))
    with pytest.raises(Finding, match="07:58"):
        CHECKS["test_database_is_well"](refuses)
    CHECKS["test_backend_is_well"](refuses)


def test_sessions_that_were_refused_minutes_ago_hide_no_cause_of_now() -> None:
    refused = transcript(backend=0, log=refusal("00:12") + refusal("01:12"), inside=NO_POD)
    CHECKS["test_database_is_well"](refused)
    with pytest.raises(Finding, match="0 of 2"):
        CHECKS["test_backend_is_well"](refused)


def test_a_refusal_without_a_time_that_is_known_counts() -> None:
    local = "2026-11-27 11:01:12.004 CET [61] FATAL:  sorry, too many clients already\n"
    with pytest.raises(Finding, match="CET"):
        CHECKS["test_database_is_well"](transcript(log=local))


def test_who_waited_in_vain_for_a_name_implicates_nobody_where_the_others_were_told_none() -> None:
    no_name = "curl: (6) Could not resolve host: x\ncommand terminated with exit code 6"
    asked = transcript()
    late = Record(f"{EXTERNAL}#1.1", "redis-cli", "redis-cli", 124, "", "command terminated with exit code 124")
    for id_ in (f"{CONNECTIVITY}.1", f"{EXTERNAL}#1.2", f"{CHECKS['FRONTEND']}#1.2"):
        asked.append(Record(id_, "curl", "curl", 6, "", no_name))
    asked.append(late)
    assert implicated(asked) == []


def test_who_waits_in_vain_while_others_are_served_implicates_what_it_waits_for() -> None:
    asked = transcript()
    asked.append(Record(f"{EXTERNAL}#1.1", "redis-cli", "redis-cli", 124, "", "command terminated with exit code 124"))
    CHECKS["test_database_is_well"](asked)
    with pytest.raises(Finding, match="PONG for the backend"):
        CHECKS["test_redis_is_well"](asked)
