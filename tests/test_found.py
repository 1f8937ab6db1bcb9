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
