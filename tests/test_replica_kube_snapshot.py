"""What of a cluster must be as it was."""

from typing import Any

from drillbook.replica.kube_snapshot import address_state, leaves, object_state, pod_state


def deployment(**changes: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "shop/web:1", "env": [{"name": "LEVEL", "value": "info"}]}
    return {
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "17", "uid": "x", "labels": {"app": "web"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{**container, **changes}]}}},
        "status": {"readyReplicas": 2},
    }


def test_items_of_a_list_go_by_their_names() -> None:
    assert dict(leaves({"a": [{"name": "x", "value": 1}, {"b": None}], "c": ["y"]})) == {
        "a[x].name": "x",
        "a[x].value": 1,
        "a[1].b": None,
        "c[0]": "y",
    }


def test_what_was_asked_of_an_object_is_state_and_what_became_of_it_is_not() -> None:
    found = object_state("deployments", deployment())
    assert found["shop/deployments/web/spec.replicas"] == "2"
    assert found["shop/deployments/web/labels.app"] == "web"
    assert found["shop/deployments/web/spec.template.spec.containers[web].env[LEVEL].value"] == "info"
    assert not [key for key in found if "status" in key or "resourceVersion" in key or "uid" in key]


def test_a_restart_and_a_rollout_leave_no_trace() -> None:
    restarted = deployment()
    restarted["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    restarted["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    assert object_state("deployments", restarted) == object_state("deployments", deployment())


def test_another_value_of_a_variable_is_one_changed_key() -> None:
    before = object_state("deployments", deployment())
    after = object_state("deployments", deployment(env=[{"name": "LEVEL", "value": "debug"}]))
    changed = [key for key in before if before[key] != after[key]]
    assert changed == ["shop/deployments/web/spec.template.spec.containers[web].env[LEVEL].value"]


def test_a_secret_is_told_apart_and_not_told() -> None:
    def secret(value: str) -> dict[str, str]:
        return object_state("secrets", {"metadata": {"name": "s", "namespace": "shop"}, "data": {"PW": value}})

    assert "aHVudGVyMg==" not in str(secret("aHVudGVyMg=="))
    assert secret("aHVudGVyMg==") != secret("aHVudGVyMw==")


def test_a_node_is_told_with_whether_it_is_ready() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"unschedulable": True}, "status": {"conditions": []}}
    assert object_state("nodes", node) == {"nodes/n/ready": "Unknown", "nodes/n/spec.unschedulable": "true"}


def test_addresses_of_a_service_are_counted_over_its_slices() -> None:
    def part(name: str, *ready: bool | None) -> dict[str, object]:
        meta = {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}
        return {"metadata": meta, "endpoints": [{"conditions": {"ready": one}} for one in ready]}

    nobody = {"metadata": {"name": "db-x1", "namespace": "shop"}, "endpoints": None}
    state = address_state([part("web-a1", True, False), part("web-b2", None), nobody])
    assert state == {"shop/endpoints/web/addresses": "2", "shop/endpoints/db-x1/addresses": "0"}


def pod(name: str, *, ready: bool, **meta: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"name": name, "namespace": "shop", **meta}, "status": {"conditions": conditions}}


def test_pods_are_counted_by_owner_and_a_rollout_does_not_rename_it() -> None:
    def of_deployment(template: str) -> dict[str, str]:
        owner = {"ownerReferences": [{"name": f"web-{template}"}], "labels": {"pod-template-hash": template}}
        pods = [pod(f"web-{template}-{end}", ready=end == "a", **owner) for end in "ab"]
        return pod_state([*pods, pod("alone", ready=True)])

    assert of_deployment("7d4") == {"shop/pods/web": "1 of 2 ready", "shop/pods/alone": "1 of 1 ready"}
    assert of_deployment("9f2") == of_deployment("7d4")
