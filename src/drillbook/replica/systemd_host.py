"""A replica whose services are units of a systemd host, which is a container of a compose project."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from drillbook.errors import NotSupported, ReplicaError
from drillbook.replica import Service, Snapshot
from drillbook.replica.cgroup import oom_kills_in_kernel_log
from drillbook.replica.docker_host import ComposeReplica
from drillbook.replica.hosted import MACHINE, OPERATOR, System
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S
from drillbook.replica.snapshot import take_host_snapshot, take_snapshot
from drillbook.replica.unit_service import UnitService
from drillbook.target import Target

__all__ = ["SystemdReplica"]

_RUNS = ("active", "reloading")


class SystemdReplica(ComposeReplica):
    """A Docker host with a compose project, one of whose services is a host with systemd; satisfies ``Replica``.

    ``operator`` and ``machine`` are shells on that host, as root. Its units are services; what stands beside it in the
    compose project (monitoring, what the host depends on) are services too.

    Args:
        slug: Runbook that it belongs to; also the replica's name.
        folder: The system's folder: ``images/``, ``project/``, ``prepare``.
        project: Name of the project's folder on the Docker host.
        host: Compose service that is the systemd host.
        home: Folder on that host where the operator stands; a git checkout, where the document speaks of one.
        units: The runbook's name -> full name of the unit, for those that run when it is ready.
        services: Compose services that run when it is ready.
        ports: Name -> port on the Docker host that answers on this machine.
        start_command: Starts the compose services.
        system: What else there is to say; see ``System``. ``tracked`` are files on the systemd host.
    """

    def __init__(
        self,
        *,
        slug: str,
        folder: Path,
        project: str,
        host: str,
        home: str,
        units: Mapping[str, str],
        services: Sequence[str],
        ports: Mapping[str, int],
        start_command: str = "docker-compose up -d",
        **system: Unpack[System],
    ) -> None:
        super().__init__(
            slug=slug,
            folder=folder,
            project=project,
            services=services,
            ports=ports,
            start_command=start_command,
            **system,
        )
        self._host_service = host
        self._home = home
        self.units = dict(units)

    def host(self, role: str) -> Target:
        """Return the open target of a role: a unit's is the systemd host, a compose service's its container.

        Raises:
            NotSupported: There is no such role.
        """
        if role not in {OPERATOR, MACHINE, *self.units}:
            return super().host(role)
        enter = self.way_into(self._host_service, "bash", self._home)
        is_operator = role == OPERATOR
        sessions = self._open_sessions()
        return sessions.to_service(
            self._host_service, enter, role=OPERATOR if is_operator else MACHINE, stateful=is_operator
        )

    def service(self, name: str) -> Service:
        """Return a unit, or a compose service, by the name that the runbook uses.

        Raises:
            NotSupported: There is none.
        """
        if name in self.units:
            return self.unit(name)
        return super().service(name)

    def unit(self, name: str) -> UnitService:
        """Return a unit by the name that the runbook uses.

        Raises:
            NotSupported: There is none.
        """
        if name not in self.units:
            raise NotSupported(self.slug, f"there is no unit {name!r}", hint=f"units: {', '.join(self.units)}")
        return UnitService(name, self.units[name], self.host(MACHINE), self._kills)

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it: of both hosts, and of the units."""
        found = dict(take_snapshot(self.engine, self.project))
        there = take_host_snapshot(self.host(MACHINE), self._home, self._tracked)
        found.update({f"host/{key}": value for key, value in there.items()})
        for name in self.units:
            found.update({f"unit/{name}/{key}": value for key, value in self.unit(name).state().items()})
        return dict(sorted(found.items()))

    def not_ready(self) -> Mapping[str, str]:
        """Return name -> reason for every container that is not ready; where all are, for every unit."""
        left = super().not_ready()
        if left:
            return left
        try:
            states = {name: self.unit(name).show()["ActiveState"] for name in self.units}
        except ReplicaError as error:
            return {self._host_service: error.problem}  # systemd has only begun
        return {name: state for name, state in states.items() if state not in _RUNS}

    def last_words(self, left: Mapping[str, str]) -> Sequence[str]:
        """Return what the containers and units among these printed last."""
        units = [f"{name} said last:\n{self.unit(name).logs(6)}" for name in left if name in self.units]
        return [*super().last_words(left), *units]

    def _kills(self, unit: str) -> int:
        """Return how often the kernel killed in a unit's control group; only lines count that name host and unit."""
        container = self.engine.container_of(self._host_service)
        if container is None:
            return 0
        asked = f"dmesg 2>/dev/null | grep -F oom-kill: | grep -F {container['Id']} | grep -F /{unit} || true"
        log = self.engine.host.run(asked, deadline_s=ANSWERS_WITHIN_S).out
        return oom_kills_in_kernel_log(log, str(container["Id"]))
