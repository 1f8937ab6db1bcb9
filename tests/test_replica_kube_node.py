"""A replica that is a Kubernetes node, with a system as small as can be; and kubectl targets on a real cluster."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kube import NODE, tiny, write_tiny
from patience import HOPELESS_S, READY_S, comes

from drillbook.errors import CommandTimeout, NotSupported, ReplicaError, TargetUnreachable, UsageError
from drillbook.replica.base_image import ensure_base_image
from drillbook.replica.engine import connect_engine
from drillbook.replica.flags import HostKind
from drillbook.replica.host_container import HostContainer
from drillbook.replica.kube_node import KubeReplica
from drillbook.replica.ownership import new_run_id
from drillbook.replica.reaper import Leftover, leftovers
from drillbook.target.connect import connect
from drillbook.target.session import ShellSession

PLAIN = "docker.io/plain"
PULLED = "registry.example:5000/shop/pulled"
pytestmark = [pytest.mark.docker, pytest.mark.kubernetes]


def ours(run: str) -> list[Leftover]:
    return [left for left in leftovers() if left.run == run]


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeReplica]:
    folder = write_tiny(tmp_path_factory.mktemp("fixtures"))
    shutil.copytree(folder / "images" / "web", folder / "images" / "plain")
    made = tiny(folder, images={"plain": PLAIN}, pulled=[PULLED])
    client = connect_engine()
    # No registry is in reach: the engine has the image already, as after a pull.
    client.images.get(ensure_base_image(client, print)).tag(PULLED)
    try:
        made.start()
        run = made.run
        made.wait_until_ready(READY_S)
        yield made
    finally:
        made.stop()
        client.images.remove(PULLED)
        client.close()
    assert not ours(run)


@pytest.fixture(scope="module")
def kubectl(replica: KubeReplica, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The node's own kubectl in this machine's path, and a way to call it."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\nexec docker exec -i {replica.container_name} kubectl "$@"\n', encoding="utf-8")
    program.chmod(0o755)

    def call(words: str) -> str:
        said = subprocess.run(
            f"kubectl {words}", shell=True, capture_output=True, text=True, check=True, timeout=HOPELESS_S
        )
        return said.stdout

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield call


@pytest.fixture
def pod(kubectl: Callable[[str], str]) -> Iterator[ShellSession]:
    with connect(f"kubectl://{NODE}/shop/deployment/web") as session:
        yield session


# ---------------------------------------------------------------- the replica


@pytest.mark.parametrize(("name", "image"), [("plain", PLAIN), ("pulled", PULLED)])
def test_a_pod_starts_from_an_image_by_the_name_that_its_manifest_has(
    name: str, image: str, replica: KubeReplica
) -> None:
    once = f"kubectl -n shop run {name} --image={image} --image-pull-policy=IfNotPresent --command -- sleep infinity"
    assert not replica.control.run(once).exit_status
    phase = f"kubectl -n shop get pod {name} -o 'jsonpath={{.status.phase}}'"
    assert comes(lambda: replica.control.run(phase).out == "Running")
    replica.control.run(f"kubectl -n shop delete pod {name} --now")


def test_a_service_is_its_workloads_pods(replica: KubeReplica) -> None:
    web = replica.service("web")
    assert web.is_running()
    assert web.exit_status() is None
    assert web.main_pid()
    assert [process.pid for process in web.main_processes()] == [web.main_pid()]
    assert web.networks()
    assert web.oom_kills() == 0
    assert replica.host("web").run("cat /proc/1/comm").out == "sleep\n"


def test_what_is_stopped_is_scaled_to_zero_and_comes_back(replica: KubeReplica) -> None:
    web = replica.service("web")
    before = web.identity()
    web.stop()
    assert comes(lambda: not web.pods())
    assert not web.is_running()
    web.start()
    assert comes(web.is_running)
    assert web.identity() != before


def test_what_is_frozen_is_alive_and_does_not_run(replica: KubeReplica) -> None:
    web = replica.service("web")
    web.freeze()
    try:
        assert web.is_frozen()
        assert not web.is_running()
        assert web.main_pid()
    finally:
        web.thaw()
    assert web.is_running()
    web.thaw()


def test_a_pod_that_left_its_network_comes_back_with_its_way_out(replica: KubeReplica) -> None:
    web = replica.service("web")
    was = web.leave_networks()
    assert not web.networks()
    web.join_networks(was)
    assert web.networks()
    route = replica.control.run(f"nsenter -t {web.main_pid()} -n ip route")
    assert "default via 10.244.0.1 dev eth0" in route.out


def test_nobody_is_killed_for_good_where_a_kubelet_starts_him_again(replica: KubeReplica) -> None:
    with pytest.raises(NotSupported, match="started again by its kubelet"):
        replica.service("web").kill()
    with pytest.raises(NotSupported, match="there is no service 'db'"):
        replica.service("db")


def test_a_snapshot_stays_as_it_is_and_sees_what_was_scaled(replica: KubeReplica) -> None:
    # Earlier tests have made pods anew; the old ones end.
    assert comes(lambda: replica.snapshot()["shop/pods/web"] == "1 of 1 ready")
    assert comes(lambda: replica.snapshot() == replica.snapshot())
    before = replica.snapshot()
    assert before["shop/deployments/web/spec.replicas"] == "1"
    assert before["shop/pods/web"] == "1 of 1 ready"
    assert before["git/status"] == "clean"
    replica.cluster.kubectl("-n shop scale deployment/web --replicas=2")
    try:
        assert replica.snapshot()["shop/deployments/web/spec.replicas"] == "2"
    finally:
        replica.cluster.kubectl("-n shop scale deployment/web --replicas=1")


def test_a_snapshot_sees_what_was_made_in_a_namespace_that_nobody_thought_of_and_in_none(replica: KubeReplica) -> None:
    before = replica.snapshot()
    made = (
        "-n default create configmap left",
        "-n default create serviceaccount left",
        "-n shop autoscale deployment web --name=left --max=3",
        "create clusterrole left --verb=get --resource=pods",
        "create priorityclass left --value=1",
    )
    try:
        for words in made:
            replica.cluster.kubectl(words)
        new = {key.partition("/left")[0] for key in replica.snapshot().keys() - before.keys()}
    finally:
        replica.cluster.kubectl("-n default delete configmap,serviceaccount,clusterrole,priorityclass left")
        replica.cluster.kubectl("-n shop delete hpa left")
    assert new == {
        "default/configmaps",
        "shop/horizontalpodautoscalers",
        "default/serviceaccounts",
        "clusterroles",
        "priorityclasses",
    }
    assert replica.snapshot().keys() == before.keys()


def test_a_machine_with_little_memory_is_told_so_and_keeps_nothing(replica: KubeReplica) -> None:
    client = connect_engine()
    like = client.containers.get(replica.container_name).attrs
    cache = next(mount["Name"] for mount in like["Mounts"] if mount["Destination"] == "/cache")
    run = new_run_id()
    host = HostContainer(
        like["Config"]["Image"],
        run=run,
        slug="little",
        cache=cache,
        project="tiny",
        start_command="",
        ports=(),
        kind=HostKind.KUBERNETES,
    )
    little = "echo 'MemAvailable: 1048576 kB' >/tmp/meminfo; mount --bind /tmp/meminfo /proc/meminfo"
    host._kwargs["entrypoint"] = ["bash", "-c", f"{little}; exec replica-node run"]
    try:
        host.start()
        with pytest.raises(ReplicaError, match=r"expected at least 1500 MB of free memory .* has 1024 MB"):
            host.wait_for_engine(30)
    finally:
        host.stop()
        client.close()
    assert not ours(run)


def test_the_node_has_no_way_out(replica: KubeReplica) -> None:
    assert replica.control.run("curl -sS -m 5 http://192.0.2.1").exit_status == 7


def test_a_workload_of_another_kind_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NAMESPACE/deployment/NAME"):
        KubeReplica(
            slug="x", folder=tmp_path, project="x", workloads={"a": "shop/pod/a"}, ports={}, start_command="true"
        )


# ---------------------------------------------------------------- kubectl targets


def test_a_command_in_a_pod_has_its_own_output_and_exit_status(pod: ShellSession) -> None:
    said = pod.run("echo out; echo err >&2; exit 7")
    assert (said.out, said.err, said.exit_status) == ("out\n", "err\n", 7)


def test_a_command_that_hangs_in_a_pod_is_killed_at_its_deadline(pod: ShellSession) -> None:
    with pytest.raises(CommandTimeout):
        pod.run("sleep 987", deadline_s=1)
    assert comes(lambda: "sleep 987" not in pod.run("ps ax -o args").out)


def test_a_pod_that_is_deleted_is_no_answer_and_the_next_one_answers(
    pod: ShellSession, kubectl: Callable[[str], str]
) -> None:
    first = pod.run("cat /etc/hostname").out
    kubectl("-n shop delete pod -l app=web --wait=true")

    def another() -> bool:
        try:
            return pod.run("cat /etc/hostname").out != first
        except TargetUnreachable:
            return False

    assert comes(another)


@pytest.mark.parametrize(
    ("uri", "said", "hint"),
    [
        pytest.param(f"{NODE}/shop/deployment/crashing", "", "get pods`", id="it crashes"),
        pytest.param(
            f"{NODE}/shop/deployment/shell-less", "executable file not found", "no sh in its image", id="no sh"
        ),
        pytest.param(f"{NODE}/shop/deployment/nobody", "not found", "get pods` lists", id="no such workload"),
        pytest.param("nowhere/shop/deployment/web", "does not exist", "get-contexts", id="no such context"),
        pytest.param("reader/shop/deployment/web", "orbidden", "auth can-i", id="no rights"),
    ],
)
def test_a_pod_that_cannot_be_entered_is_unreachable_with_a_hint(
    uri: str, said: str, hint: str, kubectl: Callable[[str], str]
) -> None:
    token = kubectl("-n shop create token reader").strip()
    kubectl(f"config set-credentials reader --token={token}")
    kubectl("config set-context reader --cluster=tiny-kube --user=reader")
    with pytest.raises(TargetUnreachable) as caught:
        connect(f"kubectl://{uri}")
    assert said in str(caught.value)
    assert hint in caught.value.hint


def test_an_api_server_that_is_gone_is_unreachable(pod: ShellSession, replica: KubeReplica) -> None:
    pod.run("true")
    replica.control.run("replica-node part stop kube-apiserver", deadline_s=HOPELESS_S)
    try:
        with pytest.raises(TargetUnreachable) as caught:
            connect(f"kubectl://{NODE}/shop/deployment/web")
        assert "API server is not in reach" in caught.value.hint
    finally:
        replica.control.run("replica-node part start kube-apiserver", deadline_s=HOPELESS_S)
    assert comes(lambda: not replica.not_ready())
