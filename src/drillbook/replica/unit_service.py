"""One unit of a systemd host inside a replica."""

from collections.abc import Callable, Mapping, Sequence

from drillbook.clock import SystemClock, poll
from drillbook.errors import NotSupported, ReplicaError
from drillbook.replica import Attachment
from drillbook.replica.cgroup import memory_limit, oom_kills_in_files
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S
from drillbook.replica.process import Process, look_at
from drillbook.target import Target

__all__ = ["UnitService", "properties"]

_ASKED = (
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainExitTimestampMonotonic",
    "MemoryMax",
)
_KILLED, _DUMPED = "2", "3"
"""How a main process ended by a signal: the kernel's CLD_KILLED and CLD_DUMPED."""
_SIGNAL = 128
_GIVES_UP_WITHIN_S = 30.0
_CHANGE_WITHIN_S = 60.0


def properties(text: str) -> dict[str, str]:
    """Return what ``systemctl show`` printed of one unit."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class UnitService:
    """A unit of a systemd host; satisfies ``Service``.

    systemd is its supervisor. What is killed it starts again as the unit says, so ``kill`` goes on until it gives up. A
    unit shares the network of its host and cannot leave it.

    Args:
        name: As the runbook has it.
        unit: Full name of the unit that runs the processes (``postgresql@17-main.service``, not an alias of several).
        host: A shell on the systemd host, as root.
        kills: Returns how often the kernel killed in the control group of this unit, by the kernel's log.
    """

    def __init__(self, name: str, unit: str, host: Target, kills: Callable[[str], int]) -> None:
        self.name = name
        self.unit = unit
        self._host = host
        self._kills = kills

    def show(self) -> Mapping[str, str]:
        """Return what systemd says of it.

        Raises:
            ReplicaError: systemd does not answer.
        """
        said = self._host.run(f"systemctl show --property={','.join(_ASKED)} {self.unit}", deadline_s=ANSWERS_WITHIN_S)
        if said.exit_status:
            raise ReplicaError(self.unit, "systemd does not tell how it is", evidence=said.err)
        return properties(said.out)

    def is_running(self) -> bool:
        """True where systemd calls it active and its main process is alive and not stopped."""
        shown = self.show()
        process = self._main(shown)
        return shown["ActiveState"] == "active" and process is not None and process.is_alive

    def has_process(self) -> bool:
        """True where its main process exists, stopped or not."""
        return self.main_pid() is not None

    def main_pid(self) -> int | None:
        """Return the process id of its main process on the systemd host, or None."""
        return next((process.pid for process in self.main_processes()), None)

    def exit_status(self) -> int | None:
        """Return the exit status of its main process's last end (128 and the signal's number where one ended it)."""
        shown = self.show()
        if self._main(shown) or shown["ExecMainExitTimestampMonotonic"] == "0":
            return None
        status = int(shown["ExecMainStatus"])
        return _SIGNAL + status if shown["ExecMainCode"] in {_KILLED, _DUMPED} else status

    def identity(self) -> str:
        """Return the unit's name: a unit is restarted, and not made anew."""
        return self.unit

    def start(self) -> None:
        """Run it, also where systemd has given it up.

        Raises:
            ReplicaError: It cannot be started.
        """
        self.thaw()
        self._change(f"systemctl reset-failed {self.unit} 2>/dev/null; systemctl start {self.unit}", "started")

    def stop(self) -> None:
        """End it; systemd does not start again what it was told to stop.

        Raises:
            ReplicaError: It cannot be stopped.
        """
        self._change(f"systemctl stop {self.unit}", "stopped")

    def kill(self) -> None:
        """Kill it as often as systemd starts it again, until systemd has given it up.

        Raises:
            ReplicaError: systemd goes on starting it.
        """

        def is_given_up() -> bool:
            shown = self.show()
            if shown["ActiveState"] in {"failed", "inactive"}:
                return True
            if shown["MainPID"] != "0":
                self._host.run(f"systemctl kill --kill-whom=main --signal=KILL {self.unit}")
            return False

        if not poll(is_given_up, within_s=_GIVES_UP_WITHIN_S, clock=SystemClock()):
            raise ReplicaError(
                self.unit,
                f"expected systemd to give it up within {_GIVES_UP_WITHIN_S:.0f} s, it starts it again and again",
                hint="StartLimitBurst= of the unit must be reached within StartLimitIntervalSec=",
            )

    def freeze(self) -> None:
        """Stop all of its processes (SIGSTOP): the freezer is not systemd's to use on every machine."""
        self._change(f"systemctl kill --kill-whom=all --signal=STOP {self.unit}", "frozen")

    def thaw(self) -> None:
        """Let stopped processes go on; harmless where none is."""
        if self.is_frozen():
            self._change(f"systemctl kill --kill-whom=all --signal=CONT {self.unit}", "let go on")

    def is_frozen(self) -> bool:
        """True where its main process is off the processor."""
        process = self._main(self.show())
        return process is not None and process.is_off_processor

    def networks(self) -> Sequence[Attachment]:
        """Return nothing: the network is that of the host."""
        return ()

    def leave_networks(self) -> Sequence[Attachment]:
        """Raise NotSupported: the network is that of the host."""
        hint = "drillbook.faults.firewall cuts off a port"
        raise NotSupported(self.unit, "a unit has no network of its own", hint=hint)

    def join_networks(self, attachments: Sequence[Attachment]) -> None:
        """Do nothing: it never left."""

    def oom_kills(self) -> int:
        """Return how often the kernel killed in its control group.

        The group goes with every stop, and its counter with it, so the kernel's log is read as well.
        """
        process = self._main(self.show())
        return max(oom_kills_in_files(process.oom) if process else 0, self._kills(self.unit))

    def main_processes(self) -> Sequence[Process]:
        """Return its main process on the systemd host; empty where it does not run."""
        process = self._main(self.show())
        return (process,) if process else ()

    def logs(self, lines: int = 10) -> str:
        """Return its last lines in the journal."""
        asked = f"journalctl -u {self.unit} -n {lines} --no-pager -o cat"
        return self._host.run(asked, deadline_s=ANSWERS_WITHIN_S).out

    def state(self) -> Mapping[str, str]:
        """Return what belongs to its definition, and whether it runs, for a snapshot."""
        shown = self.show()
        limit = memory_limit(shown["MemoryMax"])
        return {
            "state": f"{shown['ActiveState']} {shown['SubState']}",
            "enabled": shown["UnitFileState"],
            "memory_bytes": str(limit or 0),
        }

    def _main(self, shown: Mapping[str, str]) -> Process | None:
        pid = int(shown["MainPID"])
        return look_at(self._host, pid) if pid else None

    def _change(self, command: str, wanted: str) -> None:
        said = self._host.run(command, deadline_s=_CHANGE_WITHIN_S)
        if said.exit_status:
            raise ReplicaError(
                self.name,
                f"it cannot be {wanted}: exit status {said.exit_status} of `{command}`",
                evidence=said.err + self.logs(),
            )
