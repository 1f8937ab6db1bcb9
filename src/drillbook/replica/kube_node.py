"""A replica that is a Kubernetes node: a cluster of one, with a system's manifests applied to it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from drillbook.clock import poll
from drillbook.errors import NotSupported, ReplicaError, UsageError
from drillbook.replica import Snapshot
from drillbook.replica.content import Content
from drillbook.replica.flags import HostKind
from drillbook.replica.hosted import HostedReplica, System
from drillbook.replica.inner_cluster import InnerCluster
from drillbook.replica.kube_service import KubeService, Workload, ready_after_s, why_not_rolled_out
from drillbook.replica.kube_snapshot import take_cluster_snapshot
from drillbook.replica.snapshot import take_host_snapshot

__all__ = ["KubeReplica"]

_SYSTEM = ("kube-system/deployment/coredns",)
_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"


class KubeReplica(HostedReplica):
    """A Kubernetes node of its own with manifests in a git repository; satisfies ``Replica``.

    Args:
        slug: Runbook that it belongs to; also the node's name.
        folder: The system's folder: ``images/``, ``project/``, ``prepare``.
        project: Name of the project's folder below /srv.
        workloads: The runbook's name of a service -> ``NAMESPACE/deployment/NAME`` or ``NAMESPACE/statefulset/NAME``.
        ports: Name -> port on the node that answers on this machine.
        start_command: Applies the manifests; runs in the project's folder.
        system: What else there is to say; see ``System``.

    Raises:
        UsageError: A workload is named in another way.
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
        **system: Unpack[System],
    ) -> None:
        content = Content(folder.name, folder, project, kind=HostKind.KUBERNETES)
        super().__init__(slug=slug, content=content, ports=ports, start_command=start_command, system=system)
        try:
            self._workloads = {name: Workload(text) for name, text in workloads.items()}
        except (ValueError, LookupError) as error:
            raise UsageError(
                str(folder / "replica.py"),
                "expected workloads as NAMESPACE/deployment/NAME or NAMESPACE/statefulset/NAME, got "
                + ", ".join(workloads.values()),
            ) from error
        self._system = tuple(map(Workload, _SYSTEM))

    @property
    def cluster(self) -> InnerCluster:
        """The cluster inside, asked through a session that no runbook command shares."""
        return InnerCluster(self.control)

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
        if name not in self._workloads:
            raise NotSupported(
                self.slug, f"there is no service {name!r}", hint=f"services: {', '.join(self._workloads)}"
            )
        return name

    def way_into(self, service: str) -> str:
        """Return shell text that becomes a shell in a pod of a workload."""
        workload = self._workloads[service]
        words = shlex.join(["kubectl", "-n", workload.namespace, "exec", "-i", str(workload), "--", "sh"])
        return f"exec {words}"

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
        end_s = self._clock.monotonic_s() + within_s
        super().wait_until_ready(within_s)
        self.healthy_start_s = self._slowest_pod_s()
        left_s = end_s - self._clock.monotonic_s()
        if not poll(self._has_metrics, within_s=left_s, clock=self._clock, every_s=0.3):
            raise ReplicaError(self.container_name, f"expected metrics of the node within {within_s:.0f} s, got none")

    def _slowest_pod_s(self) -> float:
        """Return how long the slowest pod took from its creation to ready: a recovery makes pods, not a cluster."""
        namespaces = {workload.namespace for workload in self._workloads.values()}
        pods = [pod for name in namespaces for pod in self.cluster.items(f"/api/v1/namespaces/{name}/pods")]
        return max((ready_after_s(pod) for pod in pods), default=0.0)

    def _has_metrics(self) -> bool:
        try:
            return bool(self.cluster.items(_METRICS))
        except ReplicaError:
            return False  # 503 until metrics-server answers

    def last_words(self, left: Mapping[str, str]) -> Sequence[str]:
        """Return what these workloads printed last."""
        told = [self.control.run("kubectl get pods -A", deadline_s=20).out]
        told += [
            f"{name} printed last:\n{self.service(name).logs(6)}"
            for name, workload in self._workloads.items()
            if str(workload) in left
        ]
        return told

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""
        namespaces = sorted({workload.namespace for workload in self._workloads.values()})
        found = dict(take_cluster_snapshot(self.cluster, namespaces))
        found.update(take_host_snapshot(self.control, self.project, self._tracked))
        return dict(sorted(found.items()))
