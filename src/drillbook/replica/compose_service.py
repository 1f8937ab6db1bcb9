"""One service of a compose project inside a replica."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.errors import ReplicaError
from drillbook.replica import Attachment
from drillbook.replica.cgroup import memory_limit, oom_kills_in_files, oom_kills_in_kernel_log
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S, InnerEngine
from drillbook.replica.process import Process, look_at
from drillbook.replica.snapshot import fixed_address, own_aliases
from drillbook.target import Output

__all__ = ["ComposeService"]

_INIT_SHIMS = frozenset({"docker-init", "tini", "dumb-init", "catatonit"})
_CHANGE_WITHIN_S = 60.0


class ComposeService:
    """A service of the replica's compose project; satisfies ``Service``.

    Args:
        name: In the compose file.
        engine: The replica's engine.
        project: The project's folder on the replica's host.
    """

    def __init__(self, name: str, engine: InnerEngine, project: str) -> None:
        self.name = name
        self._engine = engine
        self._project = project

    def inspect(self) -> Mapping[str, Any] | None:
        """Return what the replica's engine says about the service's container, or None where there is none."""
        return self._engine.container_of(self.name)

    def container_name(self) -> str:
        """Return the name of the service's container on the replica's host; empty where there is none."""
        container = self.inspect()
        return str(container["Name"]).lstrip("/") if container else ""

    def is_running(self) -> bool:
        """True where its main process is alive and not frozen (by the engine, its control group or SIGSTOP)."""
        container = self.inspect()
        if not container or not container["State"]["Running"] or container["State"]["Paused"]:
            return False
        process = self._main(container)
        return process is not None and process.is_alive

    def has_process(self) -> bool:
        """True where its program exists, frozen or not."""
        return self.main_pid() is not None

    def main_pid(self) -> int | None:
        """Return the process id of the program itself on the replica's host, or None."""
        return next((process.pid for process in self.main_processes()), None)

    def exit_status(self) -> int | None:
        """Return the exit status of its last end; None where it never ended or is running."""
        container = self.inspect()
        if not container:
            return None
        state = container["State"]
        if (state["Running"] and not state.get("Restarting")) or str(state["FinishedAt"]).startswith("0001"):
            return None
        return int(state["ExitCode"])

    def identity(self) -> str:
        """Return the container's id; empty where there is none."""
        container = self.inspect()
        return str(container["Id"]) if container else ""

    def start(self) -> None:
        """Run it as the compose file says, whatever state it is in.

        Raises:
            ReplicaError: It cannot be started.
        """
        self.thaw()
        self._change(f"docker-compose up -d --no-deps {shlex.quote(self.name)}", "started")

    def stop(self) -> None:
        """End it so that no restart policy brings it back.

        Raises:
            ReplicaError: It cannot be stopped.
        """
        self.thaw()
        if container := self.identity():
            self._change(f"docker stop {container}", "stopped")

    def kill(self) -> None:
        """End it with SIGKILL; the engine takes that for a person's act and does not start it again.

        Raises:
            ReplicaError: It cannot be killed.
        """
        if container := self.identity():
            self._change(f"docker kill {container}", "killed")

    def freeze(self) -> None:
        """Take all of its processes off the processor.

        Raises:
            ReplicaError: It cannot be paused.
        """
        if not self.is_frozen():
            self._change(f"docker pause {self.identity()}", "paused")

    def thaw(self) -> None:
        """Let frozen or stopped processes go on; harmless where none is.

        Raises:
            ReplicaError: It cannot be let go on.
        """
        container = self.inspect()
        if not container or not self._is_frozen(container):
            return
        if container["State"]["Paused"]:
            self._change(f"docker unpause {container['Id']}", "unpaused")
        else:
            process = self._main(container)
            self._change(f"kill -CONT {process.pid if process else 0}", "let go on")

    def is_frozen(self) -> bool:
        """True where its main process is off the processor: paused, in a frozen control group, or stopped."""
        container = self.inspect()
        return container is not None and self._is_frozen(container)

    def oom_kills(self) -> int:
        """Return how many processes of its container the kernel killed for memory since the container was made.

        The counter of the control group starts anew with every start, so the kernel's log is read as well; there only
        lines count that name this container's own group.
        """
        container = self.inspect()
        if not container:
            return 0
        process = self._first(container)
        log = self._asked(f"dmesg 2>/dev/null | grep -F oom-kill: | grep -F {container['Id']} || true")
        counted = oom_kills_in_files(process.oom) if process else 0
        return max(counted, oom_kills_in_kernel_log(log, str(container["Id"])))

    def memory_limit_bytes(self) -> int | None:
        """Return the limit that the kernel enforces now, or the configured one where it does not run; None for none."""
        container = self.inspect()
        if not container:
            return None
        process = self._first(container)
        if process and process.limit:
            return memory_limit(process.limit)
        return int(container["HostConfig"]["Memory"]) or None

    def main_processes(self) -> Sequence[Process]:
        """Return the program itself, on the replica's host; empty where it does not run."""
        container = self.inspect()
        process = self._main(container) if container else None
        return (process,) if process else ()

    def networks(self) -> Sequence[Attachment]:
        """Return how its container is attached now; an address only where it was asked for."""
        container = self.inspect()
        found = (container["NetworkSettings"]["Networks"] or {}) if container else {}
        return tuple(
            Attachment(name, own_aliases(network, container or {}), fixed_address(network))
            for name, network in sorted(found.items())
        )

    def leave_networks(self) -> Sequence[Attachment]:
        """Cut its container off from all networks and return how it was attached.

        Raises:
            ReplicaError: It cannot be cut off.
        """
        before = self.networks()
        for one in before:
            self._change(f"docker network disconnect {shlex.quote(one.network)} {self.identity()}", "cut off")
        return before

    def join_networks(self, attachments: Sequence[Attachment]) -> None:
        """Attach its container as it was; harmless where it is attached already.

        Raises:
            ReplicaError: It cannot be attached.
        """
        attached = {one.network for one in self.networks()}
        for one in attachments:
            if one.network not in attached:
                options = [
                    *(f"--alias={alias}" for alias in one.aliases),
                    *([f"--ip={one.address}"] if one.address else []),
                ]
                self._change(
                    shlex.join(["docker", "network", "connect", *options, one.network, self.identity()]), "attached"
                )

    def logs(self, lines: int = 10) -> str:
        """Return the last lines that its container printed."""
        container = self.container_name()
        return self._asked(f"docker logs --tail {lines} {shlex.quote(container)} 2>&1") if container else ""

    def _first(self, container: Mapping[str, Any]) -> Process | None:
        """Return the container's first process, which may be an init shim."""
        pid = int(container["State"]["Pid"])
        return look_at(self._engine.host, pid) if pid else None

    def _main(self, container: Mapping[str, Any]) -> Process | None:
        """Return the process of the program itself."""
        first = self._first(container)
        if first is None or first.name not in _INIT_SHIMS:
            return first
        return look_at(self._engine.host, first.children[0]) if first.children else None

    def _asked(self, command: str) -> str:
        return self._engine.host.run(command, deadline_s=ANSWERS_WITHIN_S).out

    def _is_frozen(self, container: Mapping[str, Any]) -> bool:
        process = self._main(container)
        return bool(container["State"]["Paused"]) or (process is not None and process.is_off_processor)

    def _change(self, command: str, wanted: str) -> Output:
        said = self._engine.host.run(f"cd {shlex.quote(self._project)} && {command}", deadline_s=_CHANGE_WITHIN_S)
        if said.exit_status:
            raise ReplicaError(
                self.name,
                f"it cannot be {wanted}: exit status {said.exit_status} of `{command}`",
                evidence=said.out + said.err,
            )
        return said
