"""The user's own Docker engine: reaching it, and saying in one message why it could not do something."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.errors import DockerMissing, ReplicaError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = [
    "connect_engine",
    "engine_environment",
    "engine_error",
    "has_cgroup_v2",
    "is_remote",
    "missing_engine",
]

_DISK_FULL = ("no space left on device", "disk quota exceeded")
_NO_NETWORK = (
    "temporary failure resolving",
    "temporary failure in name resolution",
    "could not resolve",
    "network is unreachable",
    "no route to host",
    "connection timed out",
    "failed to fetch",
    "unable to locate package",
    "certificate verify failed",
)


def connect_engine(timeout_s: float = 60.0) -> "DockerClient":
    """Return a client of the engine that DOCKER_HOST (or the usual socket) names.

    Args:
        timeout_s: Seconds that one answer of the engine may take.

    Raises:
        DockerMissing: No engine answers, or this user may not talk to it.
    """
    import docker
    import requests
    from docker.errors import DockerException

    environment = engine_environment()
    where = environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        client = docker.from_env(timeout=int(timeout_s), environment=environment)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise missing_engine(where, str(error)) from error
    return client


def engine_environment() -> dict[str, str]:
    """Return the environment that names the engine: DOCKER_HOST, else the docker command's current context."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    environment = dict(os.environ)
    if environment.get("DOCKER_HOST"):
        return environment
    try:
        context = ContextAPI.get_current_context()
    except DockerException:
        return environment
    if context and context.name != "default" and context.Host:
        environment["DOCKER_HOST"] = str(context.Host)
    return environment


def missing_engine(where: str, said: str) -> DockerMissing:
    """Return the error that says why no engine can be used, from what the client library said."""
    if "permission denied" in said.lower():
        return DockerMissing(
            where,
            "expected an engine that this user may talk to, got: permission denied",
            hint="sudo usermod -aG docker $USER, then log in again (or run this with sudo)",
        )
    hint = "install and start Docker Engine: ./run doctor says how; by hand: sudo apt-get install docker.io"
    if where.startswith("unix://") and Path(where.removeprefix("unix://")).exists():
        hint = "the socket is there but no engine behind it answers: sudo systemctl start docker (or: sudo dockerd &)"
    return DockerMissing(where, "expected a Docker engine, got no answer", evidence=said[-300:], hint=hint)


def engine_error(where: str, doing: str, said: object) -> ReplicaError:
    """Return the one error that says why the engine could not do something; its end, disk, network are told apart."""
    import requests

    text = str(said)
    low = text.lower()
    if isinstance(said, requests.ConnectionError):
        problem = f"{doing}: the Docker engine does not answer any more"
        hint = "start it again (sudo systemctl start docker), then: drillbook reap"
    elif any(sign in low for sign in _DISK_FULL):
        problem, hint = f"{doing}: the disk is full", "df -h /var/lib/docker; docker system df; docker system prune"
    elif any(sign in low for sign in _NO_NETWORK):
        problem = f"{doing}: packages cannot be fetched (no network, a proxy, or a certificate that is not known)"
        hint = "behind a proxy set HTTP_PROXY and HTTPS_PROXY; behind a company's certificate set SSL_CERT_FILE"
    else:
        problem, hint = f"{doing} failed", ""
    return ReplicaError(where, problem, evidence=text, hint=hint)


def has_cgroup_v2(client: "DockerClient") -> bool:
    """True where the engine's machine has the unified cgroup tree."""
    return str(client.info().get("CgroupVersion", "1")) == "2"


def is_remote() -> bool:
    """True where the engine may run on another machine, so that ports on its loopback do not answer here."""
    return engine_environment().get("DOCKER_HOST", "").startswith(("tcp://", "ssh://"))
