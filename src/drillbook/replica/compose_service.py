"""One service of a compose project inside a replica."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.errors import ReplicaError
from drillbook.replica import Attachment
from drillbook.replica.cgroup import is_frozen, memory_limit, oom_kills_in_files, oom_kills_in_kernel_log
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S, InnerEngine
from drillbook.replica.snapshot import fixed_address, own_aliases
from drillbook.target import Output

__all__ = ["ComposeService"]

_INIT_SHIMS = frozenset({"docker-init", "tini", "dumb-init", "catatonit"})
_STOPPED = frozenset({"T", "t"})
_CHANGE_WITHIN_S = 60.0

# $1: process id on the host. Prints name, state and children of the process, then the files of its control group,
# each after a line with a name; v1 and v2 differ in where they are.
_LOOK = r"""
p=$1; [ -d /proc/$p ] || exit 0
echo "@comm"; cat /proc/$p/comm; echo "@state"; sed -n 's/^State:[[:space:]]*//p' /proc/$p/status
echo "@children"; cat /proc/$p/task/*/children; echo  # the kernel ends that file with no line end
group() { sed -n "s|^[0-9]*:\(.*,\)*$1\(,.*\)*:||p" /proc/$p/cgroup | head -1; }
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  g=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$p/cgroup)
  freezer=$g/cgroup.events limit=$g/memory.max oom=$g/memory.events
else
  freezer=/sys/fs/cgroup/freezer$(group freezer)/freezer.state
  m=/sys/fs/cgroup/memory$(group memory); limit=$m/memory.limit_in_bytes oom=$m/memory.oom_control
fi
echo "@group"; echo ${oom%/*}; echo "@freezer"; cat $freezer; echo "@limit"; cat $limit; echo "@oom"; cat $oom
"""


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
        pid = self._main_pid(container)
        if pid is None:
            return False
        seen = self._look(pid)
        return bool(seen) and seen["state"][:1] not in {"", "Z", "X", *_STOPPED} and not is_frozen(seen["freezer"])

    def main_pid(self) -> int | None:
        """Return the process id of the program itself on the replica's host, or None."""
        container = self.inspect()
        return self._main_pid(container) if container else None

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
            self._change(f"kill -CONT {self._main_pid(container)}", "let go on")

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
        pid = int(container["State"]["Pid"])
        seen = self._look(pid) if pid else {}
        log = self._asked(f"dmesg 2>/dev/null | grep -F oom-kill: | grep -F {container['Id']} || true")
        return max(oom_kills_in_files(seen.get("oom", "")), oom_kills_in_kernel_log(log, str(container["Id"])))

    def memory_limit_bytes(self) -> int | None:
        """Return the limit that the kernel enforces now, or the configured one where it does not run; None for none."""
        container = self.inspect()
        if not container:
            return None
        pid = int(container["State"]["Pid"])
        seen = self._look(pid) if pid else {}
        if seen.get("limit"):
            return memory_limit(seen["limit"])
        return int(container["HostConfig"]["Memory"]) or None

    def memory_cgroup(self) -> str | None:
        """Return the folder of its memory cgroup on the replica's host, or None where it does not run."""
        container = self.inspect()
        pid = int(container["State"]["Pid"]) if container else 0
        return self._look(pid).get("group", "").strip() or None if pid else None

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

    def _main_pid(self, container: Mapping[str, Any]) -> int | None:
        pid = int(container["State"]["Pid"])
        if not pid:
            return None
        seen = self._look(pid)
        children = seen.get("children", "").split()
        if seen.get("comm", "").strip() in _INIT_SHIMS:
            return int(children[0]) if children else None
        return pid if seen else None

    def _asked(self, command: str) -> str:
        return self._engine.host.run(command, deadline_s=ANSWERS_WITHIN_S).out

    def _look(self, pid: int) -> dict[str, str]:
        said = self._asked(f"sh -c {shlex.quote(_LOOK)} look {pid} 2>/dev/null")
        sections = (part.partition("\n") for part in ("\n" + said).split("\n@")[1:])
        return {name: text for name, _, text in sections}

    def _is_frozen(self, container: Mapping[str, Any]) -> bool:
        pid = self._main_pid(container)
        seen = self._look(pid) if pid else {}
        frozen = is_frozen(seen.get("freezer", "")) or seen.get("state", "")[:1] in _STOPPED
        return bool(container["State"]["Paused"]) or frozen

    def _change(self, command: str, wanted: str) -> Output:
        said = self._engine.host.run(f"cd {shlex.quote(self._project)} && {command}", deadline_s=_CHANGE_WITHIN_S)
        if said.exit_status:
            raise ReplicaError(
                self.name,
                f"it cannot be {wanted}: exit status {said.exit_status} of `{command}`",
                evidence=said.out + said.err,
            )
        return said
