"""How a container must be made so that containers run inside it: a Docker host, or a Kubernetes node."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from drillbook.replica.engine import has_cgroup_v2
from drillbook.replica.ownership import OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Owner

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["STATE", "HostKind", "host_flags", "owner_labels", "state_volume"]

STATE = "/var/lib/drillbook"

_CAPABILITIES = [
    "SYS_ADMIN",
    "NET_ADMIN",
    "SYS_PTRACE",
    "SYSLOG",
    "SYS_CHROOT",
    "MKNOD",
    "AUDIT_WRITE",
    "NET_RAW",
    "SETFCAP",
    "SYS_RAWIO",
    "IPC_LOCK",
    "SYS_NICE",
]

# Nothing outside can be asked in a replica: names that its engine does not know are refused by a port that is closed.
# The kernel tells of that once a second to each who asks, and lets the others wait for seconds, unless this is off.
_SYSCTLS = {"net.ipv4.icmp_ratelimit": "0"}


class HostKind(StrEnum):
    """What a replica's host is."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"


def owner_labels(run: str, role: str) -> dict[str, str]:
    """Return the labels by which a container or volume of this process is found again."""
    return {RUN_LABEL: run, OWNER_LABEL: Owner.me().label, ROLE_LABEL: role}


def host_flags(client: "DockerClient", kind: HostKind = HostKind.DOCKER) -> dict[str, Any]:
    """Return arguments of docker-py's ``containers.create`` for a container that holds an engine.

    With the unified cgroup tree it is the usual way: privileged, in a cgroup namespace of its own. The old tree (v1)
    has machines where a privileged container cannot start (CAP_SYS_RESOURCE is missing), so there the capabilities
    are listed, and the tree is the machine's own.
    """
    if has_cgroup_v2(client):
        return {"privileged": True, "cgroupns": "private", "sysctls": _SYSCTLS}
    return {
        "sysctls": _SYSCTLS,
        "cap_add": _CAPABILITIES,
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "volumes": {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}},
        # The kubelet takes OOM kills from the kernel's log, and does not start without it.
        **({"devices": ["/dev/kmsg"]} if kind is HostKind.KUBERNETES else {}),
    }


def state_volume(labels: Mapping[str, str]) -> Any:
    """Return the mount of an anonymous volume for a host's state: it goes with the container."""
    from docker.types import Mount

    return Mount(STATE, None, labels=dict(labels))
