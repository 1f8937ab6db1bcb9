"""A workload of a cluster, as the API shows it."""

from typing import Any

import pytest

from drillbook.replica.kube_service import Workload, ready_after_s, why_not_rolled_out


def workload(wanted: int = 2, **status: Any) -> dict[str, Any]:
    counts = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted, "observedGeneration": 3, **status}
    return {"metadata": {"generation": 3}, "spec": {"replicas": wanted}, "status": counts}


def test_a_workload_that_has_all_its_pods_is_rolled_out() -> None:
    assert why_not_rolled_out(workload()) == ""


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(None, "it is not there", id="missing"),
        pytest.param(workload(observedGeneration=2), "newest definition was not looked at", id="not seen yet"),
        pytest.param(workload(readyReplicas=1), "readyReplicas 1 of 2", id="a pod is not ready"),
        pytest.param(workload(readyReplicas=None), "readyReplicas 0 of 2", id="none is"),
        pytest.param(workload(updatedReplicas=1), "updatedReplicas 1 of 2", id="a pod is of the old template"),
        pytest.param(workload(replicas=3), "replicas 3 of 2", id="an old pod is still there"),
    ],
)
def test_a_workload_says_why_it_is_not(found: dict[str, Any] | None, why: str) -> None:
    assert why in why_not_rolled_out(found)


def test_where_a_workload_is() -> None:
    found = Workload("shop/statefulset/db")
    assert (found.namespace, str(found)) == ("shop", "statefulset/db")
    assert found.path == "/apis/apps/v1/namespaces/shop/statefulsets/db"


@pytest.mark.parametrize("text", ["shop/web", "shop/pod/web", "shop/deployment/web/x"])
def test_a_workload_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        Workload(text)


@pytest.mark.parametrize(("status", "after_s"), [("True", 8.0), ("False", 0.0)])
def test_how_long_a_pod_took_to_be_ready(status: str, after_s: float) -> None:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:09Z"}
    pod = {"metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"}, "status": {"conditions": [ready]}}
    assert ready_after_s(pod) == after_s


def test_a_pod_that_was_never_looked_at_is_not_ready() -> None:
    assert ready_after_s({"metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"}}) == 0.0
