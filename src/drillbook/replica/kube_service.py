"""One workload of a replica's cluster: a Deployment or a StatefulSet, and the pods that it has now."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drillbook.errors import NotSupported, ReplicaError
from drillbook.replica import Attachment
from drillbook.replica.cgroup import oom_kills_in_files, oom_kills_in_kernel_log
from drillbook.replica.inner_cluster import InnerCluster
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S
from drillbook.replica.process import Process, look_at

__all__ = ["KubeService", "Workload", "container_id", "ready_after_s", "why_not_rolled_out"]

_NETWORK = "pods"
_NOT_RUNNING = frozenset("TtZX")
"""States of a process: stopped, traced, dead (proc_pid_stat(5))."""
_KINDS = {"deployment": "deployments", "statefulset": "statefulsets"}


class Workload:
    """Where a workload is, from ``NAMESPACE/KIND/NAME``; the kind is ``deployment`` or ``statefulset``.

    Raises:
        ValueError: It is no such text.
    """

    def __init__(self, text: str) -> None:
        self.namespace, self.kind, self.name = text.split("/")
        self.path = f"/apis/apps/v1/namespaces/{self.namespace}/{_KINDS[self.kind]}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def why_not_rolled_out(workload: Mapping[str, Any] | None) -> str:
    """Return why a workload, as the API shows it, is not as its definition says; empty where it is."""
    if workload is None:
        return "it is not there"
    status, wanted = workload.get("status") or {}, int(workload["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(workload["metadata"]["generation"]):
        return "its newest definition was not looked at yet"
    counts = {name: int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    left = [f"{name} {count} of {wanted}" for name, count in counts.items() if count != wanted]
    return ", ".join(left)


def ready_after_s(pod: Mapping[str, Any]) -> float:
    """Return the (whole) seconds from a pod's creation until it was ready last; 0 where it is not ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = next(
        (one["lastTransitionTime"] for one in conditions if one["type"] == "Ready" and one["status"] == "True"), None
    )
    if ready is None:
        return 0.0
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return (datetime.fromisoformat(ready) - created).total_seconds()


class KubeService:
    """A workload of the replica's cluster; satisfies ``Service``.

    Kubernetes itself is its supervisor: what is killed comes back, so ``kill`` is not supported, and what stays down is
    scaled to zero.

    Args:
        name: As the runbook has it.
        workload: Where it is.
        cluster: The replica's cluster.
    """

    def __init__(self, name: str, workload: Workload, cluster: InnerCluster) -> None:
        self.name = name
        self.workload = workload
        self._cluster = cluster

    def definition(self) -> Mapping[str, Any] | None:
        """Return the workload as the API shows it, or None where there is none."""
        found: Mapping[str, Any] | None = self._cluster.get(self.workload.path)
        return found

    def pods(self) -> Sequence[Mapping[str, Any]]:
        """Return its pods that are not about to end, the oldest first."""
        definition = self.definition()
        if definition is None:
            return ()
        labels = ",".join(f"{key}={value}" for key, value in definition["spec"]["selector"]["matchLabels"].items())
        found = self._cluster.items(f"/api/v1/namespaces/{self.workload.namespace}/pods", labelSelector=labels)
        alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def is_running(self) -> bool:
        """True where the main process of a pod of it is alive and not off the processor."""
        if not self._cluster.has_node:
            return any(map(self._answers, self.pods()))
        return any(process is not None and process.is_alive for process in map(self.main_process, self.pods()))

    def has_process(self) -> bool:
        """True where the program of one of its pods exists, frozen or not."""
        if not self._cluster.has_node:  # the kubelet knows of ends, though not of what is frozen
            return any("running" in (_first_container(pod).get("state") or {}) for pod in self.pods())
        return self.main_pid() is not None

    def main_pid(self) -> int | None:
        """Return the process id of its oldest pod's program on the node, or None."""
        return next((process.pid for process in map(self.main_process, self.pods()) if process), None)

    def main_processes(self) -> Sequence[Process]:
        """Return the first process of each of its pods' first containers, on the node; the oldest pod's first."""
        return tuple(process for process in map(self.main_process, self.pods()) if process)

    def main_process(self, pod: Mapping[str, Any]) -> Process | None:
        """Return the first process of a pod's first container; None where it does not run.

        Raises:
            NotSupported: The node of the pods is not the replica's own.
        """
        if not self._cluster.has_node:
            raise NotSupported(
                self.name,
                "processes are seen from the node that they run on, and that is the user's",
                hint="drill this without --cluster",
            )
        status = _first_container(pod)
        if "running" not in (status.get("state") or {}):
            return None
        id_ = container_id(status)
        # The runtime writes the number down next to the container.
        said = self._cluster.host.run(
            f"cat /run/containerd/io.containerd.runtime.v2.task/k8s.io/{id_}/init.pid", deadline_s=ANSWERS_WITHIN_S
        )
        return look_at(self._cluster.host, int(said.out)) if said.exit_status == 0 else None

    def exit_status(self) -> int | None:
        """Return the exit status of the last end in its oldest pod; None where it never ended or is running."""
        for pod in self.pods():
            status = _first_container(pod)
            if "running" in (status.get("state") or {}):
                return None
            for state in (status.get("state") or {}, status.get("lastState") or {}):
                if "terminated" in state:
                    return int(state["terminated"]["exitCode"])
        return None

    def identity(self) -> str:
        """Return the ids of its pods; empty where there is none."""
        return " ".join(sorted(str(pod["metadata"]["uid"]) for pod in self.pods()))

    def start(self) -> None:
        """Let it have the pods that it had before it was scaled to zero, none of them stopped.

        Raises:
            ReplicaError: The cluster refuses.
        """
        self._let_go_on()
        definition = self.definition()
        if definition is None:
            raise ReplicaError(str(self.workload), "it cannot be started: it is not there")
        if not definition["spec"].get("replicas"):
            wanted = (definition["metadata"].get("annotations") or {}).get("drillbook/replicas", "1")
            self._kubectl(f"scale {self.workload} --replicas={wanted}")

    def stop(self) -> None:
        """Scale it to zero.

        Raises:
            ReplicaError: The cluster refuses.
        """
        self._let_go_on()
        definition = self.definition()
        if definition and definition["spec"].get("replicas"):
            self._kubectl(f"annotate --overwrite {self.workload} drillbook/replicas={definition['spec']['replicas']}")
            self._kubectl(f"scale {self.workload} --replicas=0")

    def kill(self) -> None:
        """Raise NotSupported: the kubelet would start it again."""
        raise NotSupported(
            self.name,
            "a pod that is killed is started again by its kubelet",
            hint="stop() scales to zero; drillbook.faults.killed_again kills it as often as it comes back",
        )

    def freeze(self) -> None:
        """Stop all processes of its pods (SIGSTOP)."""
        self._signal("STOP")

    def thaw(self) -> None:
        """Let stopped processes go on; harmless where none is."""
        self._signal("CONT")

    def _let_go_on(self) -> None:
        if self._cluster.has_node:  # else nothing could have stopped them
            self.thaw()

    def is_frozen(self) -> bool:
        """True where the main process of each of its pods is off the processor."""
        found = self.main_processes()
        return bool(found) and all(process.is_off_processor for process in found)

    def networks(self) -> Sequence[Attachment]:
        """Return the network of the pods, where one of its pods has its interface up."""
        up = "ip -o link show eth0 up | grep -q ."
        return (Attachment(_NETWORK),) if any(self._in_network(pod, up) == 0 for pod in self.pods()) else ()

    def leave_networks(self) -> Sequence[Attachment]:
        """Take down the interface of each of its pods."""
        before = self.networks()
        for pod in self.pods():
            self._in_network(pod, "ip link set eth0 down")
        return before

    def join_networks(self, attachments: Sequence[Attachment]) -> None:
        """Take up the interface of each of its pods, and its route out."""
        if not attachments:
            return
        for pod in self.pods():
            self._in_network(
                pod,
                "ip link set eth0 up && ip route replace default via $(ip -4 -o addr show eth0 | sed 's/.* inet "
                "\\([0-9.]*\\)\\.[0-9]*\\/.*/\\1.1/') dev eth0",
            )

    def oom_kills(self) -> int:
        """Return how many processes of its pods the kernel killed for memory, in all of their containers' lives.

        A container that is started again has a control group of its own, so the kernel's log is read as well; there
        only lines count that name the pod.
        """
        total = 0
        for pod in self.pods():
            uid = str(pod["metadata"]["uid"])
            process = self.main_process(pod)
            log = self._cluster.host.run(
                f"dmesg 2>/dev/null | grep -F oom-kill: | grep -F {uid} || true", deadline_s=ANSWERS_WITHIN_S
            ).out
            counted = oom_kills_in_files(process.oom) if process else 0
            total += max(counted, oom_kills_in_kernel_log(log, uid))
        return total

    def logs(self, lines: int = 10) -> str:
        """Return the last lines that it printed, and what the cluster says of its pods."""
        kubectl, name = f"kubectl -n {self.workload.namespace}", self.workload.name
        asked = (
            f"{kubectl} logs {self.workload} --tail={lines} 2>&1; "
            f"{kubectl} get events --sort-by=.lastTimestamp 2>&1 | grep {name} | tail -n {lines}"
        )
        return self._cluster.host.run(asked, deadline_s=ANSWERS_WITHIN_S).out

    def _answers(self, pod: Mapping[str, Any]) -> bool:
        """True where a pod's first container runs and its first process is not off the processor."""
        first = pod["spec"]["containers"][0]["name"]
        look = shlex.join(["-n", self.workload.namespace, "exec", pod["metadata"]["name"], "-c", first])
        said = self._cluster.host.run(f"kubectl {look} -- cat /proc/1/stat", deadline_s=ANSWERS_WITHIN_S)
        return said.exit_status == 0 and said.out.rpartition(")")[2].split()[0] not in _NOT_RUNNING

    def _signal(self, signal: str) -> None:
        for pod in self.pods():
            process = self.main_process(pod)
            if process and process.is_off_processor == (signal == "CONT"):
                self._cluster.host.run(f"xargs -r kill -{signal} <{shlex.quote(process.group)}/cgroup.procs")

    def _in_network(self, pod: Mapping[str, Any], command: str) -> int:
        process = self.main_process(pod)
        if process is None:
            return 1
        return self._cluster.host.run(f"nsenter -t {process.pid} -n sh -c {shlex.quote(command)}").exit_status

    def _kubectl(self, words: str) -> None:
        self._cluster.kubectl(f"-n {self.workload.namespace} {words}")


def container_id(status: Mapping[str, Any]) -> str:
    """Return the runtime's id of a container from its status (``containerd://…``)."""
    return str(status.get("containerID") or "").partition("://")[2]


def _first_container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    first = pod["spec"]["containers"][0]["name"]
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((one for one in statuses if one["name"] == first), {})
