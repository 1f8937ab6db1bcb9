"""A replica on somebody else's cluster: here a node of drillbook's own, seen from outside as a user sees his."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from kube import DOCKERFILE, SERVER, deployment, tiny, write_tiny
from patience import HOPELESS_S, READY_S, RUN_S, comes

from drillbook.errors import NotSupported, ReplicaError
from drillbook.faults.evicted import PodsEvicted
from drillbook.faults.object import ObjectChanged, PodStuck
from drillbook.faults.stop import Stop
from drillbook.replica.cluster import host as cluster_host
from drillbook.replica.cluster.host import Residence
from drillbook.replica.cluster.tenancy import LEASE_S, reap_cluster
from drillbook.replica.cluster.user import UserCluster
from drillbook.replica.engine import connect_engine
from drillbook.replica.kube_node import KubeReplica
from drillbook.replica.ownership import OWNER_LABEL, RUN_LABEL, new_run_id

pytestmark = [pytest.mark.docker, pytest.mark.kubernetes]

ROOT = Path(__file__).parents[1]
CONTEXT = "theirs:1/drill"
"""With what the names of EKS hold."""
RUN_UNTIL_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_replica_cluster import shop
made = shop(Path({folder!r}))
made.move_to({context!r}, {registry!r})
made.start()
print("started", flush=True)
sys.stdin.read()
"""


def write_shop(place: Path, name: str) -> Path:
    """Write the folder of a system with one service, whose only namespace has its name."""
    web = json.loads(deployment("web", command=f"exec perl -e '{SERVER}'", space=name))
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8000}]},
    }
    folder = place / name
    (folder / "images" / "web").mkdir(parents=True)
    (folder / "project").mkdir()
    (folder / "images" / "web" / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": [web, service]})
    (folder / "project" / "manifests.json").write_text(manifests, encoding="utf-8")
    (folder / "prepare").write_text("git init -q && git add -A && git commit -qm 'Deploy 1'\n", encoding="utf-8")
    return folder


def shop(folder: Path) -> KubeReplica:
    name = folder.name
    return KubeReplica(
        slug=name,
        folder=folder,
        project="shop",
        workloads={"web": f"{name}/deployment/web", "dns": "kube-system/deployment/coredns"},
        ports={"web": 8000},
        ready={"web": "/"},
        images={"web": "shop/web:1"},
        residence=Residence((name,), {8000: f"web.{name}.svc:8000"}),
        start_command="kubectl create -f manifests.json",
    )


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeReplica]:
    """The cluster, its kubectl in the path, and a kubectl configuration with a context for it."""
    node = tiny(write_tiny(tmp_path_factory.mktemp("fixtures")))
    node.start()
    try:
        node.wait_until_ready(READY_S)
        room = tmp_path_factory.mktemp("user")
        subprocess.run(["docker", "cp", "-L", f"{node.container_name}:/usr/local/bin/kubectl", room], check=True)
        address = node.control.run("ip -4 -o addr show eth0").out.split()[3].partition("/")[0]
        config = json.loads(node.control.run("kubectl config view --raw -o json").out)
        config["clusters"][0]["cluster"]["server"] = f"https://{address}:6443"
        user = config["users"][0]["name"]
        config["contexts"] = [
            {"name": CONTEXT, "context": {"cluster": config["clusters"][0]["name"], "user": user}},
            {"name": "far", "context": {"cluster": "far", "user": user}},
            {"name": "reader", "context": {"cluster": config["clusters"][0]["name"], "user": "reader"}},
        ]
        config["clusters"].append({"name": "far", "cluster": {"server": "https://127.0.0.1:9"}})
        token = node.control.run("kubectl -n shop create token reader").out.strip()
        config["users"].append({"name": "reader", "user": {"token": token}})
        (room / "config").write_text(json.dumps(config), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{room}:{os.environ['PATH']}")
            patch.setenv("KUBECONFIG", str(room / "config"))
            yield node
    finally:
        node.stop()


@pytest.fixture(scope="module")
def registry(theirs: KubeReplica) -> Iterator[str]:
    """A registry that this machine's engine pushes to and the cluster pulls from."""
    engine = connect_engine()
    image = engine.containers.get(theirs.container_name).image
    container = engine.containers.run(
        image,
        ["serve", "/etc/docker/registry/config.yml"],
        entrypoint="docker-registry",
        environment={"REGISTRY_HTTP_ADDR": "0.0.0.0:5000"},
        ports={"5000/tcp": ("127.0.0.1",)},
        labels={RUN_LABEL: "registry-of-a-test"},
        detach=True,
    )
    try:
        container.reload()
        settings = container.attrs["NetworkSettings"]
        name = f"127.0.0.1:{settings['Ports']['5000/tcp'][0]['HostPort']}"
        address = settings["Networks"]["bridge"]["IPAddress"]
        hosts = f'[host."http://{address}:5000"]\n  capabilities = ["pull", "resolve"]\n'
        folder = f"/etc/containerd/certs.d/{name}"
        theirs.control.run(f"mkdir -p '{folder}' && printf %s '{hosts}' >'{folder}/hosts.toml'")
        up = comes(lambda: _is_up(name))
        assert up, container.logs().decode()
        yield f"{name}/drills"
    finally:
        container.remove(force=True, v=True)
        engine.close()


def _is_up(name: str) -> bool:
    try:
        return httpx.get(f"http://{name}/v2/", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"), "lonely-shop")


@pytest.fixture
def cluster(theirs: KubeReplica) -> UserCluster:
    return UserCluster(CONTEXT)


@pytest.fixture
def made(folder: Path, registry: str, cluster: UserCluster) -> Iterator[KubeReplica]:
    replica = shop(folder)
    replica.move_to(CONTEXT, registry)
    try:
        yield replica
    finally:
        replica.stop()
    assert not left(cluster, "lonely-shop")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Iterator[KubeReplica]:
    replica = shop(write_shop(tmp_path_factory.mktemp("shop"), "open-shop"))
    replica.move_to(CONTEXT, registry)
    replica.start()
    try:
        replica.wait_until_ready(READY_S)
        yield replica
    finally:
        replica.stop()
    assert not left(UserCluster(CONTEXT), "open-shop")


def left(cluster: UserCluster, name: str) -> list[str]:
    """Return what is on the cluster of a system: its namespaces, and what lets its operator read the rest."""
    namespaces = [one["metadata"]["name"] for one in cluster.items("namespaces", "-l", RUN_LABEL)]
    bindings = cluster.items("clusterrolebindings", "-l", RUN_LABEL)
    roles = [one["metadata"]["name"] for one in bindings if one["subjects"][0]["namespace"] == f"drillbook-{name}"]
    return [*(one for one in namespaces if one.endswith(name)), *roles]


def namespace(name: str, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **meta}}


# ---------------------------------------------------------------- what it can do


def test_commands_land_in_its_namespace_and_reach_nothing_else(replica: KubeReplica) -> None:
    operator = replica.host("operator")
    assert operator.run("kubectl get deployments -o name").out == "deployment.apps/web\n"
    assert operator.run("pwd; git log --oneline").out.splitlines()[0] == "/srv/shop"
    assert operator.run("kubectl get nodes -o name").exit_status == 0
    for refused in ("get pods -n kube-system", "delete node tiny-kube", "create namespace more", "get secrets -A"):
        said = operator.run(f"kubectl {refused}")
        assert said.exit_status, refused
        assert "orbidden" in said.err, refused


def test_its_urls_answer_and_go_on_after_the_pod_behind_them_was_made_anew(replica: KubeReplica) -> None:
    address = replica.urls["web"]
    assert httpx.get(address, trust_env=False).text == "open\n"
    replica.cluster.kubectl("-n open-shop delete pods -l app=web --wait=true", within_s=60)
    replica.wait_until_ready(READY_S)
    assert replica.urls["web"] == address


def test_a_service_is_seen_from_inside_its_pod(replica: KubeReplica) -> None:
    web = replica.service("web")
    assert web.is_running()
    assert replica.host("web").run("cat /proc/1/comm").out == "perl\n"
    assert replica.snapshot()["open-shop/deployments/web/spec.replicas"] == "1"
    assert not [key for key in replica.snapshot() if key.startswith(("nodes", "namespaces"))]


def test_what_needs_the_node_is_not_supported(replica: KubeReplica) -> None:
    web = replica.service("web")
    for ask in (web.freeze, web.oom_kills, web.main_pid):
        with pytest.raises(NotSupported, match="without --cluster"):
            ask()
    with pytest.raises(NotSupported, match="outside of the replica's namespaces, in kube-system"):
        replica.service("dns")


def told(replica: KubeReplica) -> str:
    """Return what the cluster says of the pods; of one that ends, what a command in it says."""
    ask = "kubectl -n open-shop get pods -o yaml; kubectl -n open-shop exec deployment/web -- true 2>&1"
    return replica.control.run(ask, deadline_s=60).out


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Stop("web"), id="stop"),
        pytest.param(
            ObjectChanged(
                "open-shop/deployment/web",
                {"spec": {"template": {"spec": {"containers": [{"name": "web", "command": ["false"]}]}}}},
                PodStuck("open-shop", "web", ("CrashLoopBackOff",)),
                "a release that ends at once",
            ),
            id="crash loop",
        ),
        pytest.param(
            PodsEvicted("open-shop", "web", PodStuck("open-shop", "web", ("ContainersNotReady",))), id="evicted"
        ),
    ],
)
def test_faults_of_the_api_are_there_and_gone_again(replica: KubeReplica, fault: Any) -> None:
    assert not fault.is_present(replica)
    fault.inject(replica)
    try:
        assert comes(lambda: fault.is_present(replica), every_s=0.5), told(replica)
    finally:
        fault.revert(replica)
        replica.wait_until_ready(READY_S)


# ---------------------------------------------------------------- whose it is


def test_a_namespace_that_is_there_is_left_alone(made: KubeReplica, cluster: UserCluster) -> None:
    cluster.create(namespace("lonely-shop"))
    try:
        with pytest.raises(ReplicaError, match="drillbook did not make"):
            made.start()
        assert cluster.get("namespace", "lonely-shop")["status"]["phase"] == "Active"
        assert not left(cluster, "lonely-shop")
    finally:
        cluster.kubectl("delete", "namespace", "lonely-shop")


def test_a_second_run_waits_for_the_first(made: KubeReplica, folder: Path, registry: str, cluster: UserCluster) -> None:
    second = shop(folder)
    second.move_to(CONTEXT, registry)
    told: list[str] = []
    second.progress = told.append
    made.start()
    waiter = threading.Thread(target=second.start)
    waiter.start()
    try:
        assert comes(lambda: any("another run has it" in line for line in told))
        first = cluster.get("namespace", "lonely-shop")["metadata"]["labels"][RUN_LABEL]
        assert first == made.run
        made.stop()
        waiter.join(timeout=HOPELESS_S)
        assert not waiter.is_alive()
        assert cluster.get("namespace", "lonely-shop")["metadata"]["labels"][RUN_LABEL] == second.run
    finally:
        waiter.join(timeout=HOPELESS_S)
        second.stop()


def test_what_a_killed_run_left_is_reaped(folder: Path, registry: str, cluster: UserCluster) -> None:
    script = RUN_UNTIL_KILLED.format(
        tests=str(Path(__file__).parent), folder=str(folder), context=CONTEXT, registry=registry
    )
    with subprocess.Popen(
        [sys.executable, "-c", dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "started\n"
        children = _children(run.pid)
        assert any("port-forward" in command for command in children.values())
        run.kill()
    assert comes(lambda: not _alive(children)), "kubectl outlived its run"
    assert {"lonely-shop", "drillbook-lonely-shop"} <= set(left(cluster, "lonely-shop"))
    removed = {one.name for one in reap_cluster(cluster)}
    assert {"lonely-shop", "drillbook-lonely-shop"} <= removed
    assert not left(cluster, "lonely-shop")
    assert "lonely-shop" not in {one.name for one in reap_cluster(cluster)}


def _children(pid: int) -> dict[int, str]:
    """Return every descendant of a process with its command."""
    said = subprocess.run(["ps", "-ewwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(own), int(parent), args) for own, parent, args in (line.split(None, 2) for line in said.splitlines())]
    found: dict[int, str] = {}
    parents = {pid}
    while parents:
        new = {own: args for own, parent, args in rows if parent in parents and own not in found}
        found |= new
        parents = set(new)
    return found


def _alive(processes: dict[int, str]) -> list[str]:
    return [command for pid, command in processes.items() if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(("age_s", "is_removed"), [(LEASE_S - 30, False), (LEASE_S + 5, True)])
def test_a_run_of_another_machine_lives_as_long_as_its_lease(
    cluster: UserCluster, age_s: float, is_removed: bool
) -> None:
    run = new_run_id()
    labels, notes = {RUN_LABEL: run}, {OWNER_LABEL: "1 1 elsewhere", "drillbook.home": "drillbook-elsewhere"}
    cluster.create(namespace("drillbook-elsewhere", labels=labels, annotations=notes))
    said = (cluster.now() - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    try:
        cluster.create(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "drillbook", "namespace": "drillbook-elsewhere"},
                "spec": {"holderIdentity": run, "leaseDurationSeconds": LEASE_S, "renewTime": said},
            }
        )
        # Its namespace is as old as its lease says; the API does not let anybody choose that.
        later = cluster.now() + timedelta(seconds=LEASE_S + 1 if is_removed else 0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster, "now", lambda: later)
            assert ("drillbook-elsewhere" in {one.name for one in reap_cluster(cluster)}) == is_removed
    finally:
        cluster.kubectl("delete", "namespace", "drillbook-elsewhere", "--ignore-not-found")


def test_a_lease_is_renewed(made: KubeReplica, cluster: UserCluster) -> None:
    made.start()

    def renewed() -> str:
        return str(cluster.get("-n", "drillbook-lonely-shop", "lease", "drillbook")["spec"]["renewTime"])

    first = renewed()
    assert abs(datetime.fromisoformat(first) - datetime.now(UTC)) < timedelta(seconds=60)
    assert comes(lambda: renewed() > first, every_s=1)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("context", "says"),
    [
        pytest.param("nowhere", "context-arn|does not exist", id="no such context"),
        pytest.param("far", "refused", id="unreachable"),
        pytest.param("reader", "right to create namespaces", id="no rights"),
    ],
)
def test_a_cluster_that_cannot_be_used_gets_one_message_and_nothing_is_made(
    folder: Path, registry: str, cluster: UserCluster, context: str, says: str
) -> None:
    replica = shop(folder)
    replica.move_to(context, registry)
    with pytest.raises(ReplicaError, match=says):
        replica.start()
    assert not left(cluster, "lonely-shop")


@pytest.fixture
def keeper(theirs: KubeReplica, cluster: UserCluster) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """An account ``keeper`` that is no cluster-admin, in a context of that name; called with more rules."""
    may = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "delete", "get", "list"]},
        {"apiGroups": [""], "resources": ["nodes", "persistentvolumes"], "verbs": ["get", "list"]},
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles", "clusterrolebindings"],
            "verbs": ["create", "delete", "get", "list"],
        },
    ]

    def give(more: list[dict[str, Any]]) -> None:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "keeper"}}
        cluster.kubectl("apply", "-f", "-", given=json.dumps({**role, "rules": may + more}))

    cluster.kubectl("-n", "shop", "create", "serviceaccount", "keeper")
    for role in ("admin", "keeper"):
        name = f"keeper-is-{role}"
        cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={role}", "--serviceaccount=shop:keeper")
    token = cluster.kubectl("-n", "shop", "create", "token", "keeper").strip()
    cluster.kubectl("config", "set-credentials", "keeper", f"--token={token}")
    server = json.loads(cluster.kubectl("config", "view", "--minify", "-o", "json"))["clusters"][0]["name"]
    cluster.kubectl("config", "set-context", "keeper", f"--cluster={server}", "--user=keeper")
    try:
        yield give
    finally:
        cluster.kubectl("delete", "clusterrolebinding", "keeper-is-admin", "keeper-is-keeper")
        cluster.kubectl("delete", "clusterrole", "keeper", "--ignore-not-found")
        cluster.kubectl("-n", "shop", "delete", "serviceaccount", "keeper")


def test_who_is_no_cluster_admin_has_to_be_allowed_to_give_rights_away(
    folder: Path, registry: str, cluster: UserCluster, keeper: Callable[[list[dict[str, Any]]], None]
) -> None:
    keeper([])
    refused = shop(folder)
    refused.move_to("keeper", registry)
    with pytest.raises(ReplicaError, match=r"the right to escalate roles\."):
        refused.start()
    assert not left(cluster, "lonely-shop")

    roles = ["roles", "clusterroles"]
    keeper([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": roles, "verbs": ["escalate", "bind"]}])
    replica = shop(folder)
    replica.move_to("keeper", registry)
    replica.start()
    try:
        replica.wait_until_ready(READY_S)
        assert replica.host("web").run("true").exit_status == 0
    finally:
        replica.stop()
    assert not left(cluster, "lonely-shop")


def test_without_a_way_for_images_everything_is_removed_again(folder: Path, cluster: UserCluster) -> None:
    replica = shop(folder)
    replica.move_to(CONTEXT)
    with pytest.raises(ReplicaError, match="kind, k3d or minikube, or a registry") as caught:
        replica.start()
    assert "registry =" in caught.value.hint
    assert not left(cluster, "lonely-shop")


def test_a_cluster_that_is_too_old_is_left_as_it_was(
    made: KubeReplica, cluster: UserCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_host, "_OLDER_AT_MOST", -10)  # no older cluster is at hand
    with pytest.raises(ReplicaError, match="or newer, which kubectl"):
        made.start()
    assert not left(cluster, "lonely-shop")


def test_a_fixture_that_says_nothing_of_clusters_lives_on_a_node_of_its_own(folder: Path) -> None:
    replica = KubeReplica(
        slug="x", folder=folder, project="x", workloads={"a": "x/deployment/a"}, ports={}, start_command="true"
    )
    with pytest.raises(NotSupported, match="on a node of its own only"):
        replica.move_to(CONTEXT)


# ---------------------------------------------------------------- a whole runbook


DISK = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  hostPath: {{path: /var/lib/volumes/{name}, type: Directory}}
---
"""


@pytest.fixture
def storage(theirs: KubeReplica) -> Iterator[None]:
    """What a provisioner of a cluster gives: disks without a class, which anybody may write to."""
    names = ("first", "second")
    folders = " ".join(f"/var/lib/volumes/{name}" for name in names)
    disks = "".join(DISK.format(name=name) for name in names)
    said = theirs.control.run(
        f"mkdir -p {folders} && chmod 777 {folders} && printf %s '{disks}' | kubectl create -f -", deadline_s=HOPELESS_S
    )
    assert said.exit_status == 0, said.err
    try:
        yield
    finally:
        theirs.control.run(f"kubectl delete pv {' '.join(names)}; rm -rf {folders}", deadline_s=HOPELESS_S)


@pytest.mark.usefixtures("storage")
def test_a_runbook_is_drilled_there_by_the_command_of_the_readme(registry: str, tmp_path: Path) -> None:
    for name in ("chaos", "checks", "fixtures", "runbooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.drillbook]\nregistry = "{registry}"\n[tool.pytest]\n', encoding="utf-8"
    )
    drill = [sys.executable, "-m", "pytest", "-m", "chaos", "chaos/test_web3_marketplace.py"]
    ran = subprocess.run(
        [*drill, "-k", "backend-scaled", "--cluster", f"context:{CONTEXT}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "1 of 1 drill passed" in ran.stdout
    assert not left(UserCluster(CONTEXT), "web3-marketplace")
