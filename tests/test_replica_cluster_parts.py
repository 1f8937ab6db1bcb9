"""What a replica on a user's cluster is made of, without a cluster."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import comes

from drillbook.errors import ReplicaError, UsageError
from drillbook.replica.cluster.delivery import loader_of
from drillbook.replica.cluster.forward import Forward
from drillbook.replica.cluster.host import access, with_images
from drillbook.replica.cluster.tenancy import reap_cluster
from drillbook.replica.cluster.user import UserCluster, context_of
from drillbook.replica.kube_node import KubeReplica
from drillbook.replica.loader import load_replica, registry_of

NAMES = {"shop/web:1": "registry.example:5000/drillbook/shop-web:0f", "db": "drillbook/shop-db:1a"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("image: shop/web:1\n", f"image: {NAMES['shop/web:1']}\n", id="block"),
        pytest.param("{name: a, image: db, env: []}", f"{{name: a, image: {NAMES['db']}, env: []}}", id="flow"),
        pytest.param('image: "shop/web:1" # the web', f'image: "{NAMES["shop/web:1"]}" # the web', id="quoted"),
        pytest.param('{"image":"db"}', f'{{"image":"{NAMES["db"]}"}}', id="json"),
        pytest.param("image: shop/web:11", "image: shop/web:11", id="another tag"),
        pytest.param("images: db", "images: db", id="another key"),
        pytest.param("name: db", "name: db", id="a name"),
    ],
)
def test_manifests_get_the_names_that_the_cluster_has(before: str, after: str) -> None:
    assert with_images(before, NAMES) == after


@pytest.mark.parametrize(
    ("node", "load"),
    [
        pytest.param(
            {"metadata": {"name": "drill-control-plane"}, "spec": {"providerID": "kind://docker/drill/drill-control"}},
            ["kind", "load", "docker-image", "a:1", "b:2", "--name", "drill"],
            id="kind",
        ),
        pytest.param(
            {"metadata": {"name": "k3d-my-drill-server-0"}, "spec": {"providerID": "k3s://k3d-my-drill-server-0"}},
            ["k3d", "image", "import", "a:1", "b:2", "--cluster", "my-drill"],
            id="k3d",
        ),
        pytest.param(
            {"metadata": {"name": "m", "labels": {"minikube.k8s.io/name": "drill"}}, "spec": {}},
            ["minikube", "--profile", "drill", "image", "load", "a:1", "b:2"],
            id="minikube",
        ),
        pytest.param({"metadata": {"name": "ip-10-0-0-1"}, "spec": {"providerID": "aws:///a/i-1"}}, None, id="cloud"),
        pytest.param({"metadata": {"name": "pi"}, "spec": {"providerID": "k3s://pi"}}, None, id="k3s on a machine"),
        pytest.param({"metadata": {"name": "bare"}}, None, id="bare"),
    ],
)
def test_a_cluster_is_loaded_by_the_program_that_made_it(node: dict[str, Any], load: list[str] | None) -> None:
    assert loader_of([node], ["a:1", "b:2"]) == load


def test_the_operator_may_change_its_namespaces_and_read_nodes_and_volumes() -> None:
    things = access("drillbook-shop", ["shop", "shop-outside"], "0f")
    roles = [one for one in things if one["kind"] == "Role"]
    assert [one["metadata"]["namespace"] for one in roles] == ["shop", "shop-outside"]
    (shared,) = [one for one in things if one["kind"] == "ClusterRole"]
    verbs = {verb for rule in shared["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    assert shared["metadata"]["labels"] == {"drillbook.run": "0f"}
    bindings = [one for one in things if one["kind"].endswith("Binding")]
    assert all(
        one["subjects"] == [{"kind": "ServiceAccount", "name": "operator", "namespace": "drillbook-shop"}]
        for one in bindings
    )
    assert len(bindings) == 3


def test_a_cluster_is_named_by_its_context() -> None:
    assert context_of("context:arn:aws:eks:eu-west-1:1:cluster/shop") == "arn:aws:eks:eu-west-1:1:cluster/shop"


@pytest.mark.parametrize("option", ["", "kind-drill", "context:", "context:--as=root", "namespace:shop"])
def test_a_cluster_that_is_named_in_another_way_is_a_usage_error(option: str) -> None:
    with pytest.raises(UsageError, match="context:NAME"):
        context_of(option)


def test_without_kubectl_there_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReplicaError, match="expected the program kubectl"):
        UserCluster("drill").must_answer()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a stand-in for kubectl into PATH, a script whose calls are written down; returns their file."""

    def install(script: str) -> Path:
        program = tmp_path / "bin" / "kubectl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nshift 2\necho "$@" >>{tmp_path}/calls\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return tmp_path / "calls"

    return install


def test_a_right_that_is_refused_is_named(stand_in: Callable[[str], Path]) -> None:
    stand_in('case "$*" in *"delete clusterroles"*) echo no; exit 1 ;; esac')
    with pytest.raises(ReplicaError, match=r"the right to delete clusterroles\.rbac"):
        UserCluster("drill").must_answer()


def test_a_role_that_gives_more_than_its_maker_has_needs_a_right_of_its_own(stand_in: Callable[[str], Path]) -> None:
    stand_in('case "$*" in *"bind roles"*"--all-namespaces") echo no; exit 1 ;; esac')
    with pytest.raises(ReplicaError, match=r"the right to bind roles\.rbac\S+ --all-namespaces"):
        UserCluster("drill").must_answer()


def test_a_question_about_rights_that_fails_is_no_refusal(stand_in: Callable[[str], Path]) -> None:
    stand_in('case "$*" in *can-i*) echo "error: You must be logged in to the server" >&2; exit 1 ;; esac')
    with pytest.raises(ReplicaError, match="exit status 1") as caught:
        UserCluster("drill").must_answer()
    assert caught.value.evidence == ("error: You must be logged in to the server",)


def test_what_cannot_be_removed_keeps_nothing_else_from_being_removed(stand_in: Callable[[str], Path]) -> None:
    meta = {"name": "shop", "labels": {"drillbook.run": "0f"}, "creationTimestamp": "2026-01-31T03:12:45Z"}
    dead = json.dumps({"items": [{"metadata": meta}]})
    now = json.dumps({"metadata": {"creationTimestamp": "2026-01-31T04:12:45Z"}})
    calls = stand_in(
        f"""case "$*" in
*"delete cluster"*) echo forbidden >&2; exit 1 ;;
"get namespaces"*) echo '{dead}' ;;
create*) cat >/dev/null; echo '{now}' ;;
esac"""
    )
    with pytest.raises(ReplicaError, match="delete clusterrolebindings"):
        reap_cluster(UserCluster("drill"))
    assert "delete namespaces -l drillbook.run=0f --ignore-not-found" in calls.read_text(encoding="utf-8")


def test_ctrl_c_in_a_terminal_does_not_reach_kubectl(stand_in: Callable[[str], Path]) -> None:
    stand_in("ps -o pgid= -p $$")
    assert int(UserCluster("drill").kubectl("version")) != os.getpgid(0)


@pytest.mark.parametrize("name", ["registry.example", "registry.example:5000/drills", "10.0.0.1:5000/a/b"])
def test_a_registry_is_named_in_the_projects_settings(tmp_path: Path, name: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.drillbook]\nregistry = "{name}"\n', encoding="utf-8")
    assert registry_of(tmp_path) == name


@pytest.mark.parametrize("value", ["5", '"https://registry.example"', '"a b"', '"registry.example/UPPER"'])
def test_a_registry_that_no_image_can_be_named_after_is_a_usage_error(tmp_path: Path, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.drillbook]\nregistry = {value}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="HOST"):
        registry_of(tmp_path)


def test_without_a_registry_there_is_none(tmp_path: Path) -> None:
    assert registry_of(tmp_path) is None


def test_a_replica_that_is_no_cluster_cannot_live_on_one(tmp_path: Path) -> None:
    folder = tmp_path / "fixtures" / "shop"
    folder.mkdir(parents=True)
    (folder / "replica.py").write_text(
        "from pathlib import Path\n"
        "from drillbook.replica.docker_host import ComposeReplica\n"
        "def replica():\n"
        "    return ComposeReplica(slug='shop', folder=Path(__file__).parent, project='shop', services=[], ports={})\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="made of manifests, got ComposeReplica"):
        load_replica(tmp_path, "shop", "kind-drill")


# ---------------------------------------------------------------- ports; kubectl itself runs in test_replica_cluster.py

KUBECTL = """#!/bin/sh
# Stands in for `kubectl port-forward`: says what it was asked for, and that a free port is 5000 and its own.
echo "$@" >>"$0.calls"
echo $$ >"$0.new" && mv "$0.new" "$0.pid"
for pair; do
  case $pair in
  *:*[0-9]) here=${pair%%:*}; echo "Forwarding from 127.0.0.1:${here:-5000} -> ${pair#*:}" ;;
  esac
done
exec sleep 600
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def pid_of(program: Path) -> int:
    return int(Path(f"{program}.pid").read_text(encoding="ascii"))


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def test_a_forward_that_ends_comes_back_on_the_same_port(kubectl: Path) -> None:
    forward = Forward(UserCluster("drill"), "home", "operator", [443])
    try:
        assert forward.open() == {443: 5000}
        first = pid_of(kubectl)
        os.kill(first, signal.SIGKILL)
        assert comes(lambda: pid_of(kubectl) != first)
    finally:
        forward.close()
    assert comes(lambda: not is_alive(pid_of(kubectl)))  # it closes its output before it is gone
    calls = Path(f"{kubectl}.calls").read_text(encoding="utf-8").splitlines()
    assert [call.split()[-1] for call in calls] == [":443", "5000:443"]


def test_a_forward_ends_with_the_process_that_wanted_it(kubectl: Path) -> None:
    code = (
        "import sys; from drillbook.replica.cluster.forward import Forward;"
        "from drillbook.replica.cluster.user import UserCluster;"
        "print(Forward(UserCluster('drill'), 'home', 'operator', [443]).open(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "{443: 5000}\n"
        child = pid_of(kubectl)
        assert is_alive(child)
        process.kill()
    assert comes(lambda: not is_alive(child))


def test_a_forward_that_does_not_open_tells_what_kubectl_said(kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl.write_text("#!/bin/sh\necho 'error: pods \"operator\" not found' >&2\nexit 1\n", encoding="utf-8")
    forward = Forward(UserCluster("drill"), "home", "operator", [443])
    monkeypatch.setattr(forward._is_open, "wait", lambda within_s: not comes(lambda: bool(forward._said)))
    with pytest.raises(ReplicaError, match="not found"):
        forward.open()


def test_an_image_of_a_registry_is_named_by_its_tag(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`pulled` wants images with tags, got redis@sha256:0f"):
        KubeReplica(
            slug="x",
            folder=tmp_path,
            project="x",
            workloads={},
            ports={},
            start_command="true",
            pulled=["redis:7", "redis@sha256:0f"],
        )
