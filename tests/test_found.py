"""What a reader takes from earlier output."""

import pytest

from drillbook.evidence import Record
from drillbook.found import found_in

PODS = """NAME                        READY   STATUS             RESTARTS      AGE
backend-75cd749797-cc79l    1/1     Running            0             40s
backend-75cd749797-nvhdh    0/1     CrashLoopBackOff   5 (5s ago)    40s
"""


def record(text: str, out: str) -> Record:
    return Record("a#1.1", text, text, 0, out)


@pytest.mark.parametrize(
    ("listed", "pod"),
    [
        pytest.param(PODS, "backend-75cd749797-nvhdh", id="the first that is not ready"),
        pytest.param("\n".join(PODS.splitlines()[:2]), "backend-75cd749797-cc79l", id="the first where all are"),
        pytest.param("web-0   1/1   Terminating   0   1s\n", "web-0", id="one that ends is not well"),
    ],
)
def test_the_pod_is_the_one_that_a_reader_would_look_at(listed: str, pod: str) -> None:
    assert found_in([record("kubectl get pods -n shop -l app=backend", listed)])["pod-name"] == pod


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("kubectl get deployments -n shop", PODS),
        ("echo get pods", PODS),
        ("kubectl get pods -n shop", ""),
        ("kubectl get pods -n shop", "No resources found in shop namespace.\n"),
        ("kubectl get pods -A", "NAMESPACE   NAME    READY   STATUS\nshop   web-0   1/1   Running\n"),
    ],
)
def test_nothing_is_found_where_no_pod_is_listed(text: str, out: str) -> None:
    assert "pod-name" not in found_in([record(text, out)])


def test_the_newest_list_decides() -> None:
    later = record("kubectl get po -n shop", "web-1   1/1   Running   0   1s\n")
    assert found_in([record("kubectl get pods -n shop", PODS), later])["pod-name"] == "web-1"


RUNS = """● web.service - Web
     Active: active (running) since Mon 2026-01-05 10:00:00 UTC; 1min ago
   Main PID: 4242 (python3)
"""
ENDED = RUNS.replace("(python3)", "(code=killed, signal=KILL)")
OPEN = """COMMAND  PID     USER   FD   TYPE DEVICE SIZE/OFF NODE NAME
nginx     77 www-data   11u  IPv4  11111      0t0  TCP localhost:40000->localhost:8080 (ESTABLISHED)
socat    812     root    5u  IPv4  22222      0t0  TCP *:8080 (LISTEN)
"""
LOG = """1111111 Release 2
2222222 Release 1
3333333 Begin
"""


@pytest.mark.parametrize(
    ("text", "out", "name", "value"),
    [
        pytest.param("systemctl status web", RUNS, "pid", "4242", id="the main process of a unit"),
        pytest.param("lsof -i :8080", OPEN, "PID", "812", id="who listens"),
        pytest.param("git log --oneline -10", LOG, "previous-commit", "2222222", id="the commit before"),
        pytest.param("git log --oneline", LOG, "previous-working-commit", "2222222", id="that it worked is hoped"),
    ],
)
def test_what_a_reader_takes_from_a_host(text: str, out: str, name: str, value: str) -> None:
    assert found_in([record(text, out)])[name] == value


@pytest.mark.parametrize(
    ("text", "out", "name"),
    [
        pytest.param("systemctl status web", ENDED, "pid", id="it has ended"),
        pytest.param("echo systemctl status", RUNS, "pid", id="not what systemctl said"),
        pytest.param("lsof -i :8080", OPEN.replace("LISTEN", "CLOSED"), "PID", id="nobody listens"),
        pytest.param("git log --oneline -1", LOG[:18], "previous-commit", id="one commit has none before it"),
        pytest.param("git log", LOG, "previous-commit", id="another format"),
    ],
)
def test_nothing_is_taken_from_a_host_that_is_not_there(text: str, out: str, name: str) -> None:
    assert name not in found_in([record(text, out)])
