"""The service has no file descriptors left."""

import shlex
from dataclasses import dataclass, field

from drillbook.faults._common import (
    Keeper,
    end_groups,
    must_be_name,
    must_be_port,
    must_be_positive,
    must_hold,
    on_machine,
)
from drillbook.replica import Replica

__all__ = ["DescriptorsExhausted"]

_ROOM = 2
"""A service opens and closes files all the while; so many below its limit it is at its limit."""


@dataclass(frozen=True, slots=True)
class DescriptorsExhausted:
    """A client opens connections, says nothing and closes none, and comes back after every start of the service.

    Args:
        service: Name as the runbook has it.
        port: TCP port on the machine that it listens on.
        connections: How many; more than the service's limit of open files.
    """

    service: str
    port: int
    connections: int
    effect_within_s: float = 20.0
    _keepers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)
    _holders: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_port(self, self.port)
        must_be_positive(self, "connections", self.connections)

    def describe(self) -> str:
        return f"{self.service} has no file descriptors left: a client keeps {self.connections} idle connections open"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        connect = f"exec {{fd}}<>/dev/tcp/127.0.0.1/{self.port}"
        hold = f"ulimit -n $(ulimit -Hn); for n in $(seq {self.connections}); do {connect}; done; sleep infinity"

        def press() -> None:
            main = service.main_pid()
            if main is None or main in self._holders:
                return
            self._let_go(replica)
            # What is refused, because the service does not listen yet, is tried again with the next look.
            one = f"(exec 3<>/dev/tcp/127.0.0.1/{self.port}) 2>/dev/null"
            wait = f"until {one}; do kill -0 {main} || exit; sleep 0.05; done"
            text = shlex.quote(f"{wait}; {hold}")
            started = on_machine(replica, f"setsid bash -c {text} >/dev/null 2>&1 </dev/null & echo $!", strict=False)
            if holder := started.out.strip():
                self._holders[main] = holder

        keeper = Keeper(press, every_s=0.2)
        self._keepers.append(keeper)
        keeper.start()

    def is_present(self, replica: Replica) -> bool:
        """The kernel counts as many open files of the main process as its limit lets it have."""
        for keeper in self._keepers:
            keeper.raise_error()
        service = replica.service(self.service)
        pid = service.main_pid() if service.is_running() else None
        if pid is None:
            return False
        counts = f"ls /proc/{pid}/fd | wc -l; awk '/^Max open files/ {{print $4}}' /proc/{pid}/limits"
        counted = on_machine(replica, counts, strict=False).out.split()
        return len(counted) == 2 and counted[1].isdigit() and int(counted[0]) >= int(counted[1]) - _ROOM

    def revert(self, replica: Replica) -> None:
        for keeper in self._keepers:
            keeper.stop()
        self._keepers.clear()
        self._let_go(replica)
        must_hold(f"{self.service} has descriptors left", lambda: not self.is_present(replica))

    def _let_go(self, replica: Replica) -> None:
        end_groups(replica, set(self._holders.values()), f"the idle client of {self.service} has ended")
        self._holders.clear()
