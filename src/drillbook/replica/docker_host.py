"""A replica that is a Docker host with a compose project on it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from drillbook.errors import NotSupported
from drillbook.replica import Service, Snapshot
from drillbook.replica.compose_service import ComposeService
from drillbook.replica.content import Content
from drillbook.replica.hosted import HostedReplica, System
from drillbook.replica.inner_engine import SERVICE_LABEL, InnerEngine
from drillbook.replica.readiness import not_ready
from drillbook.replica.snapshot import take_snapshot

__all__ = ["ComposeReplica"]


class ComposeReplica(HostedReplica):
    """A Docker host of its own with a compose project in a git repository; satisfies ``Replica``.

    Args:
        slug: Runbook that it belongs to; also the host's name.
        folder: The system's folder: ``images/``, ``project/``, ``prepare``. Replicas for several runbooks of one system
            share it, and with it the images and the prepared content, which are called after it.
        project: Name of the project's folder below /srv.
        services: Compose services that run when it is ready.
        ports: Name -> port on the replica's host that answers on this machine.
        aliases: The runbook's name -> compose service, where they differ.
        start_command: Starts the services; runs in the project's folder.
        compose: File below ``project/``, somebody's own: the images of its services are pulled or built, by the user's
            engine and with the user's logins. None where all images are below ``images/``.
        build_root: Folder that the build contexts in that file are relative to; None for ``project/``.
        system: What else there is to say; see ``System``.
    """

    def __init__(
        self,
        *,
        slug: str,
        folder: Path,
        project: str,
        services: Sequence[str],
        ports: Mapping[str, int],
        aliases: Mapping[str, str] | None = None,
        start_command: str = "docker-compose up -d",
        compose: str | None = None,
        build_root: Path | None = None,
        **system: Unpack[System],
    ) -> None:
        content = Content(folder.name, folder, project, compose, build_root)
        super().__init__(slug=slug, content=content, ports=ports, start_command=start_command, system=system)
        self.services = tuple(services)
        self._aliases = dict(aliases or {})

    @property
    def engine(self) -> InnerEngine:
        """The engine inside, asked through a session that no runbook command shares."""
        return InnerEngine(self.control)

    def service(self, name: str) -> Service:
        """Return a service by the name that the runbook or the compose file uses.

        Raises:
            NotSupported: There is none.
        """
        return self.compose_service(name)

    def compose_service(self, name: str) -> ComposeService:
        """Return a service of the compose project with all that a container can tell.

        Raises:
            NotSupported: There is none.
        """
        return ComposeService(self.service_name(name), self.engine, self.project)

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""
        return take_snapshot(self.engine, self.project, self._tracked)

    def way_into(self, service: str, shell: str = "sh", folder: str = "") -> str:
        """Return shell text that becomes a shell in a service's container.

        The container is looked up anew with every connection, because a recreated one has another id.

        Args:
            service: Its name.
            shell: Which one.
            folder: Where it begins; empty for the image's own.
        """
        filters = shlex.join(
            [f"--filter=label={SERVICE_LABEL}={service}", "--filter=label=com.docker.compose.oneoff=False"]
        )
        at = f"-w {shlex.quote(folder)} " if folder else ""
        container = f'"${{c:-{shlex.quote(service)}}}"'
        return f"c=$(docker ps -aq {filters} | head -n 1); exec docker exec -i {at}{container} {shell}"

    def not_ready(self) -> Mapping[str, str]:
        """Return name -> reason for every service that is not ready."""
        return not_ready(self.engine, self.services)

    def last_words(self, left: Mapping[str, str]) -> Sequence[str]:
        """Return what the services among these printed last."""
        dead = [name for name in left if name in self.services]
        return [f"{name} printed last:\n{self.compose_service(name).logs(6)}" for name in dead]

    def service_name(self, name: str) -> str:
        """Return the compose service that a runbook's name means.

        Raises:
            NotSupported: There is none.
        """
        service = self._aliases.get(name, name)
        if service in self.services:
            return service
        if self._container is not None and self.engine.container_of(service):
            return service
        raise NotSupported(self.slug, f"there is no service {name!r}", hint=f"services: {', '.join(self.services)}")
