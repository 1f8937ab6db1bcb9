"""A replica that is a system's manifests: on a Kubernetes node of its own, or on a cluster that the user has."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from drillbook.clock import poll
from drillbook.errors import CommandTimeout, NotSupported, ReplicaError, UsageError
from drillbook.replica import Snapshot
from drillbook.replica.cluster.host import ClusterHost, Residence, build_pod_image
from drillbook.replica.cluster.user import UserCluster
from drillbook.replica.content import Content
from drillbook.replica.engine import connect_engine
from drillbook.replica.flags import HostKind
from drillbook.replica.hosted import HostedReplica, System
from drillbook.replica.inner_cluster import InnerCluster
from drillbook.replica.kube_service import KubeService, Workload, ready_after_s, why_not_rolled_out
from drillbook.replica.kube_snapshot import take_cluster_snapshot
from drillbook.replica.place import Host
from drillbook.replica.snapshot import take_folder_snapshot, take_host_snapshot

__all__ = ["KubeReplica"]

_SYSTEM = ("kube-system/deployment/coredns", "kube-system/deployment/metrics-server")
_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
_CLUSTER_SAYS = (
    "for part in kube-controller-manager kube-proxy kubelet; do "
    'sed -n "/^[EW][0-9]\\|[Ee]rror/s/^/$part: /p" /var/log/kube/$part.log | tail -n 20; done'
)
"""Errors and warnings of the cluster's own parts, the last of each; some are told as information."""


@dataclass(frozen=True, slots=True)
class _Abroad:
    """Where a replica lives that is not at home on a node of its own."""

    cluster: UserCluster
    residence: Residence
    registry: str | None


class KubeReplica(HostedReplica):
    """A Kubernetes node of its own with manifests in a git repository; satisfies ``Replica``.

    ``move_to`` takes it to a cluster of the user's instead. What runs there runs in namespaces made for it, and what
    asks for the node itself is not supported.

    Args:
        slug: Runbook that it belongs to; also the node's name.
        folder: The system's folder: ``images/``, ``project/``, ``prepare``.
        project: Name of the project's folder below /srv.
        workloads: The runbook's name of a service -> ``NAMESPACE/deployment/NAME`` or ``NAMESPACE/statefulset/NAME``.
        ports: Name -> port on the node that answers on this machine.
        start_command: Applies the manifests; runs in the project's folder. ``DRILLBOOK_HOST`` is ``node`` or
            ``cluster`` there, and in ``prepare``. On a node ``DRILLBOOK_PACE`` is 1 to 5: how many times less
            often than on a fast machine this one tells the cluster of itself.
        images: Folder below ``images/`` -> what the manifests call the image.
        pulled: Images of a registry that the manifests name. A node has no way out, so your own engine pulls them,
            with your own login; ``imagePullPolicy`` must not be Always. Named by tags: a digest is lost on the way. A
            cluster that is not its own pulls by itself.
        residence: What it takes up on a cluster that is not its own; None where it cannot live on one.
        system: What else there is to say; see ``System``.

    Raises:
        UsageError: A workload is named in another way, or an image by its digest.
    """

    def __init__(
        self,
        *,
        slug: str,
        folder: Path,
        project: str,
        workloads: Mapping[str, str],
        ports: Mapping[str, int],
        start_command: str,
        images: Mapping[str, str] | None = None,
        pulled: Sequence[str] = (),
        residence: Residence | None = None,
        **system: Unpack[System],
    ) -> None:
        content = Content(
            folder.name,
            folder,
            project,
            kind=HostKind.KUBERNETES,
            names=dict(images or {}),
            pulled=tuple(_with_tag(name, folder) for name in pulled),
        )
        super().__init__(slug=slug, content=content, ports=ports, start_command=start_command, system=system)
        try:
            self._workloads = {name: Workload(text) for name, text in workloads.items()}
        except (ValueError, LookupError) as error:
            raise UsageError(
                str(folder / "replica.py"),
                "expected workloads as NAMESPACE/deployment/NAME or NAMESPACE/statefulset/NAME, got "
                + ", ".join(workloads.values()),
            ) from error
        self._elsewhere: Mapping[str, Workload] = {}
        self._system = tuple(map(Workload, _SYSTEM))
        self._residence = residence
        self._abroad: _Abroad | None = None

    def move_to(self, context: str, registry: str | None = None) -> None:
        """Let it live on a cluster of the user's; to be said before ``start``.

        Args:
            context: Of the user's kubectl configuration.
            registry: What brings images there; see ``deliver``.

        Raises:
            NotSupported: The fixture does not say what it takes up there.
        """
        if self._residence is None:
            raise NotSupported(
                self.slug,
                "its replica lives on a node of its own only",
                hint="give KubeReplica a `residence`, and manifests that leave the node alone",
            )
        self._abroad = _Abroad(UserCluster(context), self._residence, registry)
        # What is elsewhere belongs to somebody else.
        self._system = ()
        mine = self._residence.namespaces
        self._elsewhere = {name: one for name, one in self._workloads.items() if one.namespace not in mine}
        self._workloads = {name: one for name, one in self._workloads.items() if one.namespace in mine}

    @property
    def has_machine(self) -> bool:
        """True where the node is the replica's own."""
        return self._abroad is None

    @property
    def cluster(self) -> InnerCluster:
        """The cluster, asked through a session that no runbook command shares."""
        return InnerCluster(self.control, has_node=self.has_machine)

    def prepare(self) -> None:
        """Build what a start needs; see ``Replica``."""
        if self._abroad is None:
            super().prepare()
        else:
            self._build_for_cluster()

    def service(self, name: str) -> KubeService:
        """Return a workload by the name that the runbook uses.

        Raises:
            NotSupported: There is none.
        """
        name = self.service_name(name)
        return KubeService(name, self._workloads[name], self.cluster)

    def service_name(self, name: str) -> str:
        """Return the name itself.

        Raises:
            NotSupported: There is no such workload.
        """
        if name in self._workloads:
            return name
        if name in self._elsewhere:
            problem = (
                f"the service {name!r} is outside of the replica's namespaces, in {self._elsewhere[name].namespace}"
            )
            raise NotSupported(self.slug, problem, hint="drill it without --cluster, on a node of drillbook's own")
        raise NotSupported(self.slug, f"there is no service {name!r}", hint=f"services: {', '.join(self._workloads)}")

    def way_into(self, service: str) -> str:
        """Return shell text that becomes a shell in a pod of a workload."""
        workload = self._workloads[service]
        # Where no pod runs, kubectl would wait for one for a minute.
        exec_in = ["exec", "-i", "--pod-running-timeout=3s", str(workload), "--", "sh"]
        return f"exec {shlex.join(['kubectl', '-n', workload.namespace, *exec_in])}"

    def not_ready(self) -> Mapping[str, str]:
        """Return name -> reason for every workload whose pods are not all there and ready."""
        workloads = (*self._system, *self._workloads.values())
        try:
            lists = self.cluster.gather(sorted({workload.path.rpartition("/")[0] for workload in workloads}))
        except ReplicaError as error:
            return {"API server": error.problem}
        found = {
            (path, item["metadata"]["name"]): item
            for path, answer in lists.items()
            for item in (answer or {"items": ()})["items"]
        }
        told = {one: why_not_rolled_out(found.get((one.path.rpartition("/")[0], one.name))) for one in workloads}
        return {str(one): why for one, why in told.items() if why}

    def wait_until_ready(self, within_s: float) -> None:
        """Return when all workloads are rolled out, all URLs answer, and ``kubectl top`` has something to tell.

        The last takes longer than a healthy start: figures are a difference of two looks, 10 s apart.

        Args:
            within_s: Seconds that it may take.

        Raises:
            ReplicaError: Names what is not ready, with its last output.
        """
        super().wait_until_ready(within_s)
        self.healthy_start_s = self._slowest_pod_s()
        if self._abroad is not None:
            return  # whether it has metrics is the user's affair; `kubectl top` will say so
        if not poll(self._has_metrics, within_s=within_s, clock=self._clock, every_s=0.3):
            raise ReplicaError(self.container_name, f"expected metrics of the node within {within_s:.0f} s, got none")

    def _slowest_pod_s(self) -> float:
        """Return how long the system's slowest pod took from its creation to ready.

        A recovery makes pods, not a cluster: what the cluster itself runs waited for the node to be there.
        """
        namespaces = {workload.namespace for workload in self._workloads.values()}
        namespaces -= {workload.namespace for workload in map(Workload, _SYSTEM)}
        pods = [pod for name in namespaces for pod in self.cluster.items(f"/api/v1/namespaces/{name}/pods")]
        return max((ready_after_s(pod) for pod in pods), default=0.0)

    def _has_metrics(self) -> bool:
        try:
            return bool(self.cluster.items(_METRICS))
        except ReplicaError:
            return False  # 503 until metrics-server answers

    def last_words(self, left: Mapping[str, str]) -> Sequence[str]:
        """Return what these workloads printed last, as far as the cluster can be asked."""
        everywhere = "-A" if self._abroad is None else f"-n {self._abroad.residence.namespaces[0]}"
        asked = [f"kubectl get {kind} {everywhere} 2>&1" for kind in ("pods", "endpointslices")]
        asked += [_CLUSTER_SAYS] if self._abroad is None else []
        try:
            told = [self.control.run(command, deadline_s=20).out for command in asked]
        except CommandTimeout as error:
            return (error.problem,)
        told += [
            f"{name} printed last:\n{self.service(name).logs(6)}"
            for name, workload in self._workloads.items()
            if str(workload) in left
        ]
        return told

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""
        if self._abroad is None:
            found = {**take_cluster_snapshot(self.cluster)}
            found.update(take_host_snapshot(self.control, self.project, self._tracked))
        else:  # what is not in its namespaces changes without its doing
            namespaces = sorted({workload.namespace for workload in self._workloads.values()})
            found = {**take_cluster_snapshot(self.cluster, namespaces)}
            found.update(take_folder_snapshot(self.control, self.project, self._tracked))
        return dict(sorted(found.items()))

    def _new_host(self) -> Host:
        if self._abroad is None:
            return super()._new_host()
        pod_image, images = self._build_for_cluster()
        return ClusterHost(
            self._abroad.cluster,
            run=self.run,
            slug=self.slug,
            folder=self._content.folder,
            project=self._content.project,
            start_command=self._start_command,
            residence=self._abroad.residence,
            pod_image=pod_image,
            images=images,
            registry=self._abroad.registry,
            progress=self.progress,
        )

    def _build_for_cluster(self) -> tuple[str, dict[str, str]]:
        client = connect_engine()
        try:
            return build_pod_image(client, self.progress), self._content.images(client, self.progress)
        finally:
            client.close()


def _with_tag(image: str, folder: Path) -> str:
    """Return an image's name with its tag, ``latest`` where it has none.

    Raises:
        UsageError: It is named by its digest: an engine gives images away by their tags.
    """
    if "@" in image:
        raise UsageError(str(folder / "replica.py"), f"`pulled` wants images with tags, got {image}")
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"
