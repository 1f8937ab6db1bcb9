"""What a replica does whatever its host is: a Docker host with a Compose project, or a Kubernetes node."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from drillbook.alerts import Alert
from drillbook.clock import SystemClock, poll
from drillbook.errors import DockerMissing, DrillbookError, ReplicaError, TargetUnreachable, UsageError
from drillbook.replica import HandStep, Holdings, Replica, Reply, Service, Snapshot, Wait
from drillbook.replica.alertmanager import firing_alerts
from drillbook.replica.base_image import Progress
from drillbook.replica.content import Content
from drillbook.replica.host_sessions import HostSessions
from drillbook.replica.ownership import new_run_id
from drillbook.replica.place import Host
from drillbook.replica.readiness import not_answering
from drillbook.replica.reaper import reap
from drillbook.replica.sink import read_posts
from drillbook.site import DEFAULT_SLO, Slo
from drillbook.target import Target

__all__ = ["MACHINE", "OPERATOR", "HostedReplica", "System"]

OPERATOR = "operator"
MACHINE = "machine"
_HOST_WITHIN_S = 300.0
"""For what hangs, and for slow machines; a host that fails ends by itself."""
_ANSWER_WITHIN_S = 20.0
"""An idle shell in a replica that is busy killing and starting services on a slow machine is slow, not gone."""

_HOST_STARTS = 20
"""A healthy start of services takes about five times as long as that of their host, on any machine."""


class System(TypedDict, total=False):
    """What a replica's author says of the system, whatever it runs on; all of it may be left out.

    Attributes:
        ready: Name of a port -> path that answers 200 when it is ready.
        alertmanager: Name of the port of the Alertmanager; None for none.
        time_factor: How many times shorter intervals are than in production.
        waits: The compressed waits between a fault and its alert; ``f(replica)`` returns them where only the replica,
            once it is ready, can tell how long they are.
        hand_steps: What is done in place of a person.
        changes: Scenario title -> patterns of snapshot keys that its recovery may change.
        variables: Values for placeholders.
        sample_labels: What an alert could say; with them commands are tried that name what an alert is about, while
            the system is well and none fires.
        tracked: More files for the snapshot: shell patterns, absolute or relative to the project.
        slo: What is promised to users.
        sink: Name of the port where posts end that would reach people; ``GET /posted`` lists them. None for none.
        customer: ``f(urls, key) -> Reply`` makes one request as a user would; an httpx error counts as not served. None
            asks whether all of ``ready`` answer.
        work: ``f(replica) -> Holdings`` says where the work is that customers handed in; None for a system that keeps
            none.
    """

    ready: Mapping[str, str]
    alertmanager: str | None
    time_factor: float
    waits: Sequence[Wait] | Callable[[Replica], Sequence[Wait]]
    hand_steps: Sequence[HandStep]
    changes: Mapping[str, Sequence[str]]
    variables: Mapping[str, str]
    sample_labels: Mapping[str, str]
    tracked: Sequence[str]
    slo: Slo
    sink: str | None
    customer: Callable[[Mapping[str, str], str], Reply] | None
    work: Callable[[Replica], Holdings | None] | None


def _quiet(line: str) -> None:
    """Say nothing."""


class HostedReplica(ABC):
    """A system inside of one container, its host; a subclass says what that host runs.

    Args:
        slug: Runbook that it belongs to; also the host's name.
        content: What the host starts from.
        ports: Name -> port on the replica's host that answers on this machine.
        start_command: Starts the services; runs in the project's folder.
        system: What else there is to say; see ``System``.

    Attributes:
        progress: Told what is going on; replace it to hear it.
        healthy_start_s: Seconds from the start of the services to ready; 0 before that is known.
    """

    def __init__(
        self, *, slug: str, content: Content, ports: Mapping[str, int], start_command: str, system: System
    ) -> None:
        self._content = content
        self._ports = dict(ports)
        self._ready = dict(system.get("ready") or {})
        self._alertmanager = system.get("alertmanager")
        self._sink = system.get("sink")
        unknown = sorted({*self._ready, *filter(None, (self._alertmanager, self._sink))} - set(ports))
        if unknown:
            raise UsageError(
                str(content.folder / "replica.py"),
                f"`ready`, `alertmanager` and `sink` name ports, got {', '.join(unknown)}",
                hint=f"ports: {', '.join(ports)}",
            )
        self.slug = slug
        self.time_factor = system.get("time_factor", 1.0)
        waits = system.get("waits", ())
        self.waits: Sequence[Wait] = () if callable(waits) else tuple(waits)
        self._find_waits = waits if callable(waits) else None
        self.hand_steps: Sequence[HandStep] = tuple(system.get("hand_steps", ()))
        self.changes: Mapping[str, Sequence[str]] = dict(system.get("changes") or {})
        self.variables: Mapping[str, str] = dict(system.get("variables") or {})
        self.sample_labels: Mapping[str, str] = dict(system.get("sample_labels") or {})
        self.slo = system.get("slo", DEFAULT_SLO)
        self.healthy_start_s = 0.0
        self.run = ""
        self.progress: Progress = _quiet
        self._tracked = tuple(system.get("tracked", ()))
        self._customer = system.get("customer")
        self._work = system.get("work")
        self._start_command = start_command
        self._clock = SystemClock()
        self._services_began_s = 0.0
        self._host_start_s = 0.0
        self._sessions: HostSessions | None = None
        self._container: Host | None = None
        self._urls: dict[str, str] = {}

    @abstractmethod
    def service(self, name: str) -> Service:
        """Return a service by the name that the runbook uses. Raises NotSupported where there is none."""

    @abstractmethod
    def service_name(self, name: str) -> str:
        """Return a service's own name for the one that a runbook uses. Raises NotSupported where there is none."""

    @abstractmethod
    def way_into(self, service: str) -> str:
        """Return shell text that becomes a shell in a service, on the host; run anew with every connection."""

    @abstractmethod
    def not_ready(self) -> Mapping[str, str]:
        """Return name -> reason for what does not run yet; URLs are asked when it is empty."""

    @abstractmethod
    def last_words(self, left: Mapping[str, str]) -> Sequence[str]:
        """Return what explains why these are not ready."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""

    @property
    def project(self) -> str:
        """The project's folder on the replica's host."""
        return f"/srv/{self._content.project}"

    @property
    def container_name(self) -> str:
        """Name of the replica's host on the user's engine; empty before ``start``."""
        return self._container.container_name if self._container else ""

    @property
    def control(self) -> Target:
        """A session on the host that no runbook command shares."""
        return self._open_sessions().to_host("control")

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
            within_s: Seconds that it may take; where the host took long to start, it may take more.

        Raises:
            ReplicaError: Names what is not ready, with its last output.
        """
        try:
            self._wait_until_ready(within_s)
        except TargetUnreachable as error:
            words = self._host().last_words()
            raise ReplicaError(self.container_name, "its host is gone", evidence=words or error.evidence) from error

    @property
    def has_machine(self) -> bool:
        """True: the host, its disks and its packet filter are the replica's own."""
        return True

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
        service = self.service_name(role)
        return self._open_sessions().to_service(service, self.way_into(service))

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that fire now; none ever does where there is no Alertmanager.

        Raises:
            ReplicaError: The Alertmanager does not answer.
        """
        return firing_alerts(self.urls[self._alertmanager]) if self._alertmanager else ()

    def evidence(self) -> Sequence[str]:
        """Return what is not ready and what its parts said last, as far as they can be asked."""
        try:
            left = self._problems()
            return [f"not ready: {name} ({why})" for name, why in left.items()] + [*self.last_words(left)]
        except DrillbookError as error:
            return [str(error)]

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
        within_s = max(within_s, _HOST_STARTS * self._host_start_s)
        if poll(lambda: not self._problems(), within_s=within_s, clock=self._clock, every_s=0.15):
            if not self.healthy_start_s:
                self.healthy_start_s = self._clock.monotonic_s() - self._services_began_s
                self._ask_for_waits()
            return
        left = self._problems()
        if not left:
            return
        start = self.control.run("tail -n 5 /var/log/replica-start.log 2>/dev/null").out
        raise ReplicaError(
            self.container_name,
            f"expected {self.slug} to be ready within {within_s:.0f} s; not ready: "
            + ", ".join(f"{name} ({why})" for name, why in left.items()),
            evidence="\n".join([start, *self.last_words(left)]),
            hint="give it more time, or look at the definition of its services and their health checks",
        )

    def _ask_for_waits(self) -> None:
        import httpx

        if self._find_waits is None:
            return
        try:
            self.waits = tuple(self._find_waits(self))
        except (httpx.HTTPError, LookupError, ValueError) as error:
            problem = f"expected what its alerts wait for, got {type(error).__name__}: {error}"
            raise ReplicaError(str(self._content.folder / "replica.py"), problem) from error

    def _problems(self) -> Mapping[str, str]:
        """Return name -> reason for what does not run, or else for the URLs that do not answer."""
        return self.not_ready() or not_answering(self._ready_urls())

    def _start_host(self) -> None:
        from drillbook.replica.host_container import CacheIncomplete

        for last_try in (False, True):
            self.run = new_run_id()
            self._container = self._new_host()
            self.progress(f"{self.slug}: starting the replica")
            began_s = self._clock.monotonic_s()
            self._container.start()
            try:
                self._container.wait_for_engine(_HOST_WITHIN_S)
                self._services_began_s = self._clock.monotonic_s()
                self._host_start_s = self._services_began_s - began_s
                return
            except CacheIncomplete as error:
                self._container.stop()
                if last_try:
                    raise ReplicaError(self.slug, "the replica's content was prepared and is not whole") from error
                self._content.drop(self.progress)

    def _new_host(self) -> Host:
        from drillbook.replica.host_container import HostContainer

        image, cache = self._content.ensure(self.progress)
        return HostContainer(
            image,
            run=self.run,
            slug=self.slug,
            cache=cache,
            project=self._content.project,
            start_command=self._start_command,
            ports=tuple(self._ports.values()),
            kind=self._content.kind,
        )

    def _ready_urls(self) -> dict[str, str]:
        return {self.urls[name] + path: name for name, path in self._ready.items()}

    def _host(self) -> Host:
        if self._container is None:
            raise ReplicaError(self.slug, "expected a replica that is started, got one that is not")
        return self._container

    def _open_sessions(self) -> HostSessions:
        host = self._host()
        if self._sessions is None:
            answer_within_s = max(_ANSWER_WITHIN_S, 2 * self._host_start_s)
            self._sessions = HostSessions(host, self.project, answer_within_s=answer_within_s)
        return self._sessions
