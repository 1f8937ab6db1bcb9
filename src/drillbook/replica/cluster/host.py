"""Where a replica is at home on a user's cluster: a pod in which the runbook's commands run."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from drillbook.errors import ReplicaError
from drillbook.replica.archive import folder_as_tar
from drillbook.replica.base_image import Progress, ensure_base_image
from drillbook.replica.builder import build_image
from drillbook.replica.cluster.delivery import deliver
from drillbook.replica.cluster.forward import Forward
from drillbook.replica.cluster.tenancy import Tenancy, reap_cluster
from drillbook.replica.cluster.user import UserCluster
from drillbook.replica.ownership import RUN_LABEL
from drillbook.signals import uninterrupted
from drillbook.target.connect import Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

__all__ = ["ClusterHost", "Residence", "access", "build_pod_image", "with_images"]

_POD = "operator"
_READY_WITHIN_S = 120.0
_PREPARED_WITHIN_S = 300.0
_OLDER_AT_MOST = 2
"""Minors that a cluster may be behind the pod's kubectl; Kubernetes promises one, and what runbooks use has been there
for long."""
_MANIFESTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Residence:
    """What a system takes up on a cluster that is not its own.

    Attributes:
        namespaces: That its manifests fill; a command that names none lands in the first.
        routes: Port -> ``SERVICE.NAMESPACE:PORT`` that is reached through it.
    """

    namespaces: tuple[str, ...]
    routes: Mapping[int, str] = field(default_factory=dict)


def build_pod_image(client: "DockerClient", progress: Progress) -> str:
    """Return the tag of the image in which a runbook's commands run on a user's cluster.

    Raises:
        ReplicaError: It cannot be built.
    """
    base = ensure_base_image(client, progress)
    with as_file(files("drillbook.replica") / "pod") as folder:
        return build_image(client, "drillbook/operator", folder, {"BASE": base}, progress)


class ClusterHost:
    """The operator pod, and everything that comes and goes with it; satisfies ``Host``.

    Args:
        cluster: The user's.
        run: Id that everything carries.
        slug: Runbook that it belongs to.
        folder: The system's folder: ``project/`` and ``prepare``.
        project: Name of the project's folder below /srv.
        start_command: Applies the manifests; runs in the project's folder.
        residence: What the system takes up.
        pod_image: Tag of the pod's image on this machine's engine.
        images: Name in the manifests -> tag on this machine's engine.
        registry: See ``deliver``.
        progress: Told what is going on.
    """

    def __init__(
        self,
        cluster: UserCluster,
        *,
        run: str,
        slug: str,
        folder: Path,
        project: str,
        start_command: str,
        residence: Residence,
        pod_image: str,
        images: Mapping[str, str],
        registry: str | None,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._run = run
        self._slug = slug
        self._folder = folder
        self._project = project
        self._start_command = start_command
        self._residence = residence
        self._pod_image = pod_image
        self._images = dict(images)
        self._registry = registry
        self._progress = progress
        self._home = f"drillbook-{slug}"
        self._tenancy = Tenancy(cluster, self._home, residence.namespaces, run, progress)
        self._forward = Forward(cluster, self._home, _POD, list(residence.routes))
        self._addresses: Mapping[int, int] = {}
        self._in_cluster: Mapping[str, str] = {}

    @property
    def container_name(self) -> str:
        """Where the pod is."""
        return f"context:{self._cluster.context}/{self._home}/{_POD}"

    def start(self) -> None:
        """Take the namespaces, bring the images, and start the pod.

        Raises:
            ReplicaError: The context does not exist, the cluster does not answer or refuses, a namespace is there that
                is not drillbook's, or images cannot be brought; ``stop`` removes what was made.
        """
        self._cluster.must_answer()
        reap_cluster(self._cluster)
        self._tenancy.acquire()
        tags = [self._pod_image, *dict.fromkeys(self._images.values())]
        self._in_cluster = deliver(self._cluster, tags, self._registry, self._progress)
        self._cluster.create_all(access(self._home, self._residence.namespaces, self._run))
        self._cluster.create(self._pod())

    def wait_for_engine(self, within_s: float) -> None:
        """Return when the pod answers, holds the project, and has begun to apply the manifests.

        Raises:
            ReplicaError: The pod does not come up, the cluster is too old, or the preparation fails.
        """
        self._wait_for_pod(max(within_s, _READY_WITHIN_S))
        self._must_be_new_enough()
        with self._archive() as archive:
            self._inside("mkdir -p /fixture && tar -x -C /fixture", given=archive)
        self._inside(f"operator-pod prepare {self._project}", within_s=_PREPARED_WITHIN_S)
        self._inside(f"operator-pod start {self._project}", given=self._start_command)
        self._addresses = self._forward.open()

    def address(self, port: int) -> str:
        """Return ``host:port`` where a port of the pod answers from this machine."""
        if port not in self._addresses:
            hint = "list it in `routes` of its Residence in replica.py"
            raise ReplicaError(self.container_name, f"port {port} leads nowhere on a cluster of the user's", hint=hint)
        return f"127.0.0.1:{self._addresses[port]}"

    def way(self, name: str, shell: Sequence[str], place: str, folder: str) -> Way:
        """Return how a shell is opened in the pod; see ``Host``."""
        where = ("--namespace", self._home, "exec", "-i", _POD, "--")
        argv = self._cluster.argv(*where, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *shell)
        return Way(f"kubectl://{quote(self._cluster.context, safe='')}/{self._home}/pod/{_POD}/{name}", argv, place)

    def environment(self) -> dict[str, str]:
        """Return the environment that kubectl is called in."""
        return dict(os.environ)

    def last_words(self) -> str:
        """Return what the cluster said of the pod last."""
        try:
            columns = "custom-columns=REASON:.reason,MESSAGE:.message"
            return self._call("get", "events", "--sort-by=.lastTimestamp", "-o", columns)
        except ReplicaError as error:
            return str(error)

    def stop(self) -> None:
        """Remove the namespaces and everything else of this run; harmless when repeated.

        Raises:
            ReplicaError: The cluster did not.
        """
        with uninterrupted():
            self._forward.close()
            self._tenancy.release()

    def _call(self, *words: str, given: str | IO[bytes] = "", within_s: float = 30.0) -> str:
        return self._cluster.kubectl("--namespace", self._home, *words, given=given, within_s=within_s)

    def _inside(self, command: str, *, given: str | IO[bytes] = "", within_s: float = 60.0) -> str:
        return self._call("exec", "-i", _POD, "--", "bash", "-c", command, given=given, within_s=within_s)

    def _wait_for_pod(self, within_s: float) -> None:
        ready = ("wait", "--for=condition=Ready", f"pod/{_POD}", f"--timeout={within_s:.0f}s")
        try:
            self._call(*ready, within_s=within_s + 10)
        except ReplicaError as error:
            problem = f"expected its pod to be ready within {within_s:.0f} s, it is not"
            words = self.last_words()
            hint = f"its nodes must be able to pull {self._in_cluster[self._pod_image]}" if "pull" in words else ""
            raise ReplicaError(self.container_name, problem, evidence=words, hint=hint) from error

    def _must_be_new_enough(self) -> None:
        said = json.loads(self._inside("kubectl version -o json"))
        ours, theirs = (int(re.sub(r"\D", "", said[name]["minor"])) for name in ("clientVersion", "serverVersion"))
        if theirs < ours - _OLDER_AT_MOST:
            raise ReplicaError(
                f"context:{self._cluster.context}",
                f"expected Kubernetes 1.{ours - _OLDER_AT_MOST} or newer, which kubectl 1.{ours} can talk to; "
                f"got 1.{theirs}",
                hint="drill on a newer cluster, or without --cluster on a node of drillbook's own",
            )

    @contextmanager
    def _archive(self) -> "Iterator[IO[bytes]]":
        names = {name: self._in_cluster[tag] for name, tag in self._images.items()}
        with tempfile.TemporaryDirectory() as room:
            copy = Path(room) / "fixture"
            copy.mkdir()
            shutil.copytree(self._folder / "project", copy / "project")
            if (self._folder / "prepare").is_file():
                shutil.copy(self._folder / "prepare", copy / "prepare")
            for path in sorted(copy.rglob("*")):
                if path.suffix in _MANIFESTS and path.is_file():
                    path.write_text(with_images(path.read_text(encoding="utf-8"), names), encoding="utf-8")
            with folder_as_tar(copy) as archive:
                yield archive

    def _pod(self) -> dict[str, Any]:
        residence = self._residence
        environment = {
            "DRILLBOOK_HOST": "cluster",
            "DRILLBOOK_NAMESPACE": residence.namespaces[0],
            "DRILLBOOK_ROUTES": " ".join(f"{port}={to}" for port, to in residence.routes.items()),
        }
        container = {
            "name": _POD,
            "image": self._in_cluster[self._pod_image],
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "readinessProbe": {"exec": {"command": ["test", "-e", "/run/ready"]}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        }
        meta = {"name": _POD, "namespace": self._home, "labels": {RUN_LABEL: self._run}}
        spec = {
            "serviceAccountName": _POD,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 1,
            "hostname": self._slug[:63],
            "containers": [container],
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def access(home: str, namespaces: Sequence[str], run: str) -> list[dict[str, Any]]:
    """Return what lets the operator pod do everything in some namespaces, read nodes and volumes, and nothing else.

    Args:
        home: Namespace of the pod.
        namespaces: That it may change.
        run: Id that what lies outside of them carries.
    """
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": _POD, "namespace": home}
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    read = ["get", "list", "watch"]
    shared = [
        {"apiGroups": [""], "resources": ["nodes", "persistentvolumes"], "verbs": read},
        {"apiGroups": ["metrics.k8s.io"], "resources": ["nodes"], "verbs": read},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": read},
    ]

    def bound(kind: str, meta: dict[str, Any], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
        role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "rules": rules}
        reference = {"apiGroup": group, "kind": kind, "name": meta["name"]}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": meta,
            "subjects": [subject],
            "roleRef": reference,
        }
        return [role, binding]

    meta = {"name": _POD, "namespace": home}
    things: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}]
    for namespace in namespaces:
        things += bound("Role", {"name": "drillbook", "namespace": namespace}, everything)
    things += bound("ClusterRole", {"name": f"drillbook-{run}", "labels": {RUN_LABEL: run}}, shared)
    return things


def with_images(manifests: str, names: Mapping[str, str]) -> str:
    """Return manifests, YAML or JSON, whose images are called by other names.

    Args:
        manifests: Their text.
        names: Name in them -> name in its place.
    """

    def new(match: re.Match[str]) -> str:
        return match[1] + names.get(match[2], match[2])

    return re.sub(r"""(\bimage"?\s*:\s*["']?)([^\s"',}]+)""", new, manifests)
