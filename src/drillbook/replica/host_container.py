"""The container that a replica's host is."""

import socket
import threading
from collections.abc import Mapping, Sequence
from enum import Enum
from ipaddress import ip_network
from typing import Any

from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer

from drillbook.clock import SystemClock, poll
from drillbook.errors import ReplicaError
from drillbook.replica.engine import connect_engine, engine_environment, engine_error, is_remote
from drillbook.replica.flags import HostKind, host_flags, owner_labels, state_volume
from drillbook.replica.removal import remove_container
from drillbook.signals import uninterrupted
from drillbook.target.connect import Way

__all__ = ["CacheIncomplete", "HostContainer"]

_READY = b"drillbook: host ready"
_INCOMPLETE = 42
_TOO_SMALL = 45
_RYUK = threading.Lock()


class CacheIncomplete(Exception):
    """The volume that the host was to start from is not wholly prepared."""


class HostContainer(DockerContainer):
    """A replica's host: a Docker engine of its own, or a Kubernetes node, and a project below /srv.

    Removed by ``stop`` with its volumes and cgroup folders, also where ``start`` was interrupted halfway.

    Args:
        image: The host image.
        run: Id that containers, volumes and cgroup folders of this host carry.
        slug: Its host name.
        cache: Volume that it starts from.
        project: Name of the folder below /srv.
        start_command: Shell text that starts the services, in that folder; empty for none.
        ports: Ports of the host that answer on this machine.
        kind: What it is.
    """

    def __init__(
        self,
        image: str,
        *,
        run: str,
        slug: str,
        cache: str,
        project: str,
        start_command: str,
        ports: Sequence[int],
        kind: HostKind = HostKind.DOCKER,
    ) -> None:
        self.run = run
        self._engine = connect_engine()
        labels = owner_labels(run, "replica")
        flags = host_flags(self._engine, kind)
        volumes: Mapping[str, Mapping[str, str]] = flags.pop("volumes", {})
        super().__init__(
            image,
            docker_client_kw={"environment": engine_environment()},
            name=f"drillbook-{slug}-{run}",
            hostname=slug,
            labels={**labels, "drillbook.slug": slug},
            mounts=[state_volume(labels), _read_only(cache)],
            **flags,
        )
        self.image = image  # also where testcontainers is told to prefix the images that it pulls
        for source, mount in volumes.items():
            self.with_volume_mapping(source, mount["bind"], mount["mode"])
        self.with_env("DRILLBOOK_RUN", run).with_env("DRILLBOOK_PROJECT", project)
        self.with_env("DRILLBOOK_START", start_command)
        if is_remote():
            # Answers to another machine need the default route, which is otherwise taken away.
            self.with_env("DRILLBOOK_OUTWARD", "yes")
        self._way = self._find_way()
        self._bind(ports)

    @property
    def container_name(self) -> str:
        """Name on the user's engine."""
        return str(self._name)

    def start(self) -> "HostContainer":
        """Create and start it; no helper container of testcontainers is used (``reap`` does that one's work).

        Raises:
            ReplicaError: The engine could not.
        """
        import requests
        from docker.errors import DockerException

        try:
            with uninterrupted(), _RYUK:
                before = testcontainers_config.ryuk_disabled
                testcontainers_config.ryuk_disabled = True
                try:
                    super().start()
                finally:
                    testcontainers_config.ryuk_disabled = before
        except (DockerException, requests.RequestException) as error:
            raise engine_error(self.container_name, "starting the replica's host", error) from error
        return self

    def wait_for_engine(self, within_s: float) -> None:
        """Return when the engine, or the cluster, inside answers.

        Raises:
            CacheIncomplete: It has to be prepared again.
            ReplicaError: The host ended, or took too long; with its last lines.
        """
        container = self.get_wrapped_container()

        def settled() -> bool:
            container.reload()
            return container.status != "running" or _READY in container.logs(tail=50)

        poll(settled, within_s=within_s, clock=SystemClock(), every_s=0.05)
        said = container.logs(tail=20)
        if container.status == "running" and _READY in container.logs(tail=50):
            return
        status = container.attrs["State"]["ExitCode"]
        if container.status != "running" and status == _INCOMPLETE:
            raise CacheIncomplete(self.container_name)
        if container.status != "running" and status == _TOO_SMALL:
            why = said.decode("utf-8", "replace").strip().rpartition("\n")[2].removeprefix("drillbook: ")
            raise ReplicaError(self.container_name, why, hint="end what else takes memory, or use a larger machine")
        got = f"it ended with exit status {status}" if container.status != "running" else "it does not yet"
        raise engine_error(
            self.container_name,
            f"expected what it carries to answer within {within_s:.0f} s, {got}; starting it",
            said.decode(),
        )

    def address(self, port: int) -> str:
        """Return ``host:port`` where a port of the host answers from this machine."""
        container = self.get_wrapped_container()
        if self._way == _Way.CONTAINER:
            container.reload()
            return f"{self.get_docker_client().bridge_ip(str(container.id))}:{port}"
        bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not bindings:
            container.reload()
            bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not bindings:
            raise ReplicaError(
                self.container_name, f"port {port} is not published", hint="list it in `ports` of replica.py"
            )
        name = "127.0.0.1" if self._way == _Way.LOOPBACK else self.get_container_host_ip()
        return f"{name}:{bindings[0]['HostPort']}"

    def way(self, name: str, shell: Sequence[str], place: str, folder: str) -> Way:
        """Return how a shell is opened in it; see ``Host``."""
        argv = ("docker", "exec", "-i", "-w", folder, self.container_name, *shell)
        return Way(f"docker://{self.container_name}/{name}", argv, place)

    def environment(self) -> dict[str, str]:
        """Return the environment in which the docker command talks to the same engine."""
        return engine_environment()

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove it with volumes and cgroup folders; harmless when repeated, and where it was never created.

        Raises:
            ReplicaError: The engine could not.
        """
        import requests
        from docker.errors import DockerException, NotFound

        with uninterrupted():
            try:
                container = self._engine.containers.get(self.container_name)
                remove_container(self._engine, container, self.run, self.image)
            except NotFound:
                pass  # removed already, or never created
            except (DockerException, requests.RequestException) as error:
                raise engine_error(self.container_name, "removing the replica's host", error) from error
            finally:
                self._engine.close()
                self.get_docker_client().client.close()
            self._container = None

    def last_words(self) -> str:
        """Return what its first process printed last; empty where the engine does not say."""
        import requests
        from docker.errors import DockerException

        try:
            return bytes(self._engine.containers.get(self.container_name).logs(tail=15)).decode("utf-8", "replace")
        except (DockerException, requests.RequestException) as error:
            return str(error)

    def _bind(self, ports: Sequence[int]) -> None:
        # docker-py takes (address,) for a free port of that address; testcontainers' own type does not know it.
        binding: Any = ("127.0.0.1",) if self._way == _Way.LOOPBACK else None
        for port in ports:
            self.ports[f"{port}/tcp"] = binding

    def _find_way(self) -> "_Way":
        mode = self.get_docker_client().get_connection_mode()
        if mode == ConnectionMode.bridge_ip:
            return _Way.CONTAINER
        if is_remote() or (mode == ConnectionMode.gateway_ip and not _is_own(self._bridge_gateway())):
            return _Way.PUBLISHED
        return _Way.LOOPBACK

    def _bridge_gateway(self) -> str:
        config = (self._engine.networks.get("bridge").attrs["IPAM"]["Config"] or [{}])[0]
        # Old engines name the subnet only; the gateway is its first address.
        return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts(), "") if config else "")


class _Way(Enum):
    """How ports of the host are reached from here."""

    LOOPBACK = "the engine runs on this machine: published on its loopback only"
    PUBLISHED = "the engine runs elsewhere, or this process runs in a container: published on all its addresses"
    CONTAINER = "this process runs in a container of the same network: at the host's own address"


def _is_own(address: str) -> bool:
    """True where an address is one of this machine's (or container's)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return bool(address)


def _read_only(volume: str) -> Any:
    from docker.types import Mount

    return Mount("/cache", volume, read_only=True)
