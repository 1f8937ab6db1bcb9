"""A replica that is a Docker host with a compose project on it."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.clock import SystemClock, poll
from drillbook.errors import DockerMissing, NotSupported, ReplicaError, TargetUnreachable, UsageError
from drillbook.replica import Alert, HandStep, Holdings, Reply, Snapshot, Wait
from drillbook.replica.alertmanager import firing_alerts
from drillbook.replica.base_image import Progress
from drillbook.replica.compose_service import ComposeService
from drillbook.replica.content import Content
from drillbook.replica.host_sessions import HostSessions
from drillbook.replica.inner_engine import InnerEngine
from drillbook.replica.ownership import new_run_id
from drillbook.replica.readiness import not_answering, not_ready
from drillbook.replica.reaper import reap
from drillbook.replica.sink import read_posts
from drillbook.replica.snapshot import take_snapshot
from drillbook.site import DEFAULT_SLO, Slo
from drillbook.target import Target

if TYPE_CHECKING:
    from drillbook.replica.host_container import HostContainer

__all__ = ["ComposeReplica"]

OPERATOR = "operator"
MACHINE = "machine"
_HOST_WITHIN_S = 60.0


def _quiet(line: str) -> None:
    """Say nothing."""


class ComposeReplica:
    """A Docker host of its own with a compose project in a git repository; satisfies ``Replica``.

    Args:
        slug: Runbook that it belongs to; also the host's name.
        folder: The system's folder: ``images/``, ``project/``, ``prepare``. Replicas for several runbooks of one system
            share it, and with it the images and the prepared content, which are called after it.
        project: Name of the project's folder below /srv.
        services: Compose services that run when it is ready.
        ports: Name -> port on the replica's host that answers on this machine.
        ready: Name of a port -> path that answers 200 when it is ready.
        alertmanager: Name of the port of the Alertmanager; None for none.
        time_factor: How many times shorter intervals are than in production.
        waits: The compressed waits between a fault and its alert.
        hand_steps: What is done in place of a person.
        changes: Scenario title -> patterns of snapshot keys that its recovery may change.
        variables: Values for placeholders.
        aliases: The runbook's name -> compose service, where they differ.
        tracked: More files for the snapshot: shell patterns, absolute or relative to the project.
        start_command: Starts the services; runs in the project's folder.
        slo: What is promised to users.
        sink: Name of the port where posts end that would reach people; ``GET /posted`` lists them. None for none.
        compose: File below ``project/``, somebody's own: the images of its services are pulled or built, by the user's
            engine and with the user's logins. None where all images are below ``images/``.
        build_root: Folder that the build contexts in that file are relative to; None for ``project/``.
        customer: ``f(urls, key) -> Reply`` makes one request as a user would; an httpx error counts as not served. None
            asks whether all of ``ready`` answer.
        work: ``f(replica) -> Holdings`` says where the work is that customers handed in; None for a system that keeps
            none.

    Attributes:
        progress: Told what is going on; replace it to hear it.
        healthy_start_s: Seconds from the start of the services to ready; 0 before that is known.
    """

    def __init__(
        self,
        *,
        slug: str,
        folder: Path,
        project: str,
        services: Sequence[str],
        ports: Mapping[str, int],
        ready: Mapping[str, str] | None = None,
        alertmanager: str | None = None,
        time_factor: float = 1.0,
        waits: Sequence[Wait] = (),
        hand_steps: Sequence[HandStep] = (),
        changes: Mapping[str, Sequence[str]] | None = None,
        variables: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        tracked: Sequence[str] = (),
        start_command: str = "docker-compose up -d",
        slo: Slo = DEFAULT_SLO,
        customer: Callable[[Mapping[str, str], str], Reply] | None = None,
        work: Callable[["ComposeReplica"], Holdings] | None = None,
        sink: str | None = None,
        compose: str | None = None,
        build_root: Path | None = None,
    ) -> None:
        unknown = sorted({*(ready or {}), *filter(None, (alertmanager, sink))} - set(ports))
        if unknown:
            raise UsageError(
                str(folder / "replica.py"),
                f"`ready` and `alertmanager` name ports, got {', '.join(unknown)}",
                hint=f"ports: {', '.join(ports)}",
            )
        self.slug = slug
        self.time_factor = time_factor
        self.waits = tuple(waits)
        self.hand_steps = tuple(hand_steps)
        self.changes = dict(changes or {})
        self.variables = dict(variables or {})
        self.slo = slo
        self.healthy_start_s = 0.0
        self.run = ""
        self.progress: Progress = _quiet
        self.services = tuple(services)
        self._content = Content(folder.name, folder, project, compose, build_root)
        self._project_name = project
        self._project = f"/srv/{project}"
        self._ports = dict(ports)
        self._ready = dict(ready or {})
        self._alertmanager = alertmanager
        self._aliases = dict(aliases or {})
        self._tracked = tuple(tracked)
        self._start_command = start_command
        self._customer = customer
        self._work = work
        self._sink = sink
        self._clock = SystemClock()
        self._services_began_s = 0.0
        self._sessions: HostSessions | None = None
        self._container: HostContainer | None = None
        self._urls: dict[str, str] = {}

    @property
    def project(self) -> str:
        """The project's folder on the replica's host."""
        return self._project

    @property
    def container_name(self) -> str:
        """Name of the replica's host on the user's engine; empty before ``start``."""
        return self._container.container_name if self._container else ""

    @property
    def engine(self) -> InnerEngine:
        """The engine inside, asked through a session that no runbook command shares."""
        return InnerEngine(self._open_sessions().to_host("control"))

    @property
    def urls(self) -> Mapping[str, str]:
        """Where the replica's endpoints answer from this machine, by name of the port."""
        if not self._urls:
            self._urls = {name: f"http://{self._host().address(port)}" for name, port in self._ports.items()}
        return self._urls

    def prepare(self) -> None:
        """Build what a start needs (base image, images, cache), without starting anything that stays.

        Raises:
            ReplicaError: Something is missing or fails; one message says what.
        """
        self._content.ensure(self.progress)

    def start(self) -> None:
        """Create it and return when its host answers; whatever goes wrong, nothing stays behind.

        Raises:
            DockerMissing: No engine answers.
            ReplicaError: It cannot be built or started.
        """
        if self._container is not None:
            raise ReplicaError(self.container_name, "expected a replica that is not started, got one that is")
        if shutil.which("docker") is None:
            hint = "sudo apt-get install docker-cli (Debian, Ubuntu: docker.io or docker-ce-cli)"
            raise DockerMissing("PATH", "expected the program docker, which opens the shells; got none", hint=hint)
        try:
            reap()
            self._start_host()
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self, within_s: float) -> None:
        """Return when all services run, are healthy where they can tell, and all URLs answer.

        Args:
            within_s: Seconds that it may take.

        Raises:
            ReplicaError: Names what is not ready, with its last output.
        """
        try:
            self._wait_until_ready(within_s)
        except TargetUnreachable as error:
            words = self._host().last_words()
            raise ReplicaError(self.container_name, "its host is gone", evidence=words or error.evidence) from error

    def host(self, role: str) -> Target:
        """Return the open target of a role.

        ``operator`` is one terminal on the host, in the project's folder; ``machine`` is another session there; any
        other role is a service, in whose container its commands run.

        Raises:
            NotSupported: There is no such role.
        """
        if role == OPERATOR:
            return self._open_sessions().to_host(OPERATOR, stateful=True)
        if role == MACHINE:
            return self._open_sessions().to_host(MACHINE)
        return self._open_sessions().to_service(self._service_name(role))

    def service(self, name: str) -> ComposeService:
        """Return a service by the name that the runbook or the compose file uses.

        Raises:
            NotSupported: There is none.
        """
        return ComposeService(self._service_name(name), self.engine, self._project)

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that fire now; none ever does where there is no Alertmanager.

        Raises:
            ReplicaError: The Alertmanager does not answer.
        """
        return firing_alerts(self.urls[self._alertmanager]) if self._alertmanager else ()

    def posted(self) -> Sequence[Mapping[str, object]]:
        """Return what the sink got; nothing where there is none.

        Raises:
            ReplicaError: The sink does not answer.
        """
        return read_posts(self.urls[self._sink]) if self._sink else ()

    def ask_as_customer(self, key: str = "") -> Reply:
        """Make one request as a user would; it hands in the piece of work with this name, where there is one."""
        import httpx

        try:
            if self._customer is not None:
                return self._customer(self.urls, key)
            return Reply(served=not not_answering(self._ready_urls()))
        except (httpx.HTTPError, ReplicaError):
            return Reply(served=False)

    def work(self) -> Holdings | None:
        """Return where the accepted work is; None for a system that keeps none."""
        return self._work(self) if self._work else None

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""
        return take_snapshot(self.engine, self._project, self._tracked)

    def stop(self) -> None:
        """Remove it and everything that belongs to it; harmless when repeated.

        Raises:
            ReplicaError: The engine could not remove it.
        """
        try:
            if self._sessions is not None:
                self._sessions.close()
                self._sessions = None
        finally:
            if self._container is not None:
                self._container.stop()
                self._container = None
            self._urls = {}

    def _wait_until_ready(self, within_s: float) -> None:
        engine = self.engine

        def problems() -> dict[str, str]:
            return not_ready(engine, self.services, self._ready_urls())

        if poll(lambda: not problems(), within_s=within_s, clock=self._clock, every_s=0.15):
            if not self.healthy_start_s:
                self.healthy_start_s = self._clock.monotonic_s() - self._services_began_s
            return
        left = problems()
        if not left:
            return
        evidence = [engine.host.run("tail -n 5 /var/log/replica-start.log 2>/dev/null").out]
        dead = [name for name in left if name in self.services]
        evidence += [f"{name} printed last:\n{self.service(name).logs(6)}" for name in dead]
        raise ReplicaError(
            self.container_name,
            f"expected {self.slug} to be ready within {within_s:.0f} s; not ready: "
            + ", ".join(f"{name} ({why})" for name, why in left.items()),
            evidence="\n".join(evidence),
            hint="give it more time, or look at the compose file and its health checks",
        )

    def _start_host(self) -> None:
        from drillbook.replica.host_container import CacheIncomplete

        for last_try in (False, True):
            self._container = self._new_host()
            self.progress(f"{self.slug}: starting the replica")
            self._container.start()
            try:
                self._container.wait_for_engine(_HOST_WITHIN_S)
                self._services_began_s = self._clock.monotonic_s()
                return
            except CacheIncomplete as error:
                self._container.stop()
                if last_try:
                    raise ReplicaError(self.slug, "the replica's content was prepared and is not whole") from error
                self._content.drop(self.progress)

    def _new_host(self) -> "HostContainer":
        from drillbook.replica.host_container import HostContainer

        image, cache = self._content.ensure(self.progress)
        self.run = new_run_id()
        return HostContainer(
            image,
            run=self.run,
            slug=self.slug,
            cache=cache,
            project=self._project_name,
            start_command=self._start_command,
            ports=tuple(self._ports.values()),
        )

    def _ready_urls(self) -> dict[str, str]:
        return {self.urls[name] + path: name for name, path in self._ready.items()}

    def _service_name(self, name: str) -> str:
        service = self._aliases.get(name, name)
        if service in self.services:
            return service
        if self._container is not None and self.engine.container_of(service):
            return service
        raise NotSupported(self.slug, f"there is no service {name!r}", hint=f"services: {', '.join(self.services)}")

    def _host(self) -> "HostContainer":
        if self._container is None:
            raise ReplicaError(self.slug, "expected a replica that is started, got one that is not")
        return self._container

    def _open_sessions(self) -> HostSessions:
        container = self._host().container_name
        if self._sessions is None:
            self._sessions = HostSessions(container, self._project)
        return self._sessions
