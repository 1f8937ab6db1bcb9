"""Redis is full and refuses writes; it answers reads as before."""

import re
from dataclasses import dataclass, field

from drillbook.clock import SystemClock
from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import in_service, must_be_name, must_hold
from drillbook.replica import Replica

__all__ = ["RedisFull"]

_PIECE_BYTES = 1_000_000
_EDGE_BYTES = 150_000
"""What is left free for the last value. It is taken all the same: Redis asks for room beforehand, not how much."""
_MARGIN_BYTES = 300_000
"""How far beyond its limit it has to end up, so that clients that come and go do not bring it below."""
_FULL_LOOKS = 3
_LOOK_EVERY_S = 0.2
"""In how many looks it has to be there: while it is filled it also holds what it will give back at once."""
_FILL_RATIO = 0.75
"""Of the room that is left, in one round: in its allocator's classes a value takes up to 25 % more."""
_ROUNDS = 40


def _in_pieces(room: float) -> tuple[int, int]:
    """Return how many values of which size take so many bytes."""
    return max(int(room // _PIECE_BYTES), 1), int(min(room, _PIECE_BYTES))


@dataclass(frozen=True, slots=True)
class RedisFull:
    """Keys that never expire fill the memory up to ``maxmemory``; they outlive a restart where Redis keeps its data.

    Redis must have ``maxmemory``, and the policy ``noeviction``, which is its default.

    Args:
        service: Name as the runbook has it.
        database: Number of the logical database that is filled.
        prefix: What the keys begin with.
        cli: How ``redis-cli`` is called in the service's container, with its password where it has one.
    """

    service: str
    database: int = 0
    prefix: str = "page:"
    cli: str = "redis-cli"
    effect_within_s: float = 30.0
    _filled: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_name(self, "prefix", self.prefix.replace(":", ""))
        if not 0 <= self.database <= 15:
            raise UsageError("RedisFull", f"database must lie between 0 and 15, got {self.database!r}")

    def describe(self) -> str:
        return f"{self.service} is full (keys {self.prefix}… in database {self.database}) and refuses writes"

    @property
    def _cli(self) -> str:
        return f"{self.cli} -n {self.database}"

    def inject(self, replica: Replica) -> None:
        limit = self._memory(replica)[1]
        if not limit:
            raise InjectFailed(self.service, "expected it to have maxmemory, it has no limit that could be reached")
        self._filled[:] = [self.database]
        full = 0
        for round_ in range(_ROUNDS):
            beyond = self._memory(replica)[0] - limit
            full = full + 1 if beyond > _MARGIN_BYTES else 0
            if full == _FULL_LOOKS:
                return
            if full:
                SystemClock().pause(_LOOK_EVERY_S)
            elif -beyond > _EDGE_BYTES:
                self._write(replica, f"{round_}-$i", *_in_pieces(-beyond * _FILL_RATIO))
            else:
                self._write(replica, f"{round_}-last", 1, _PIECE_BYTES)
        counted = self._memory(replica)[0]
        raise InjectFailed(self.service, f"expected more than {limit} bytes in use once it is filled, got {counted}")

    def _write(self, replica: Replica, name: str, count: int, size: int) -> None:
        write = f"{self._cli} -e eval \"redis.call('set', KEYS[1], string.rep('x', ARGV[1]))\" 1"
        in_service(
            replica,
            self.service,
            f"for i in $(seq {count}); do {write} {self.prefix}{name} {size}; done",
        )

    def _memory(self, replica: Replica) -> tuple[int, int]:
        """Return the bytes that count against the limit, and the limit; 0 for none."""
        said = in_service(replica, self.service, f"{self._cli} info memory").out
        figures = {name: int(bytes_) for name, bytes_ in re.findall(r"^(\w+):(\d+)\s*$", said, re.MULTILINE)}
        # What waits to be written to the append-only file is in use, and does not count.
        counted = figures.get("used_memory", 0) - figures.get("mem_not_counted_for_evict", 0)
        return counted, figures.get("maxmemory", 0)

    def is_present(self, replica: Replica) -> bool:
        """It answers, and refuses a write for want of memory."""
        if not replica.service(self.service).is_running():
            return False
        said = in_service(replica, self.service, f"{self._cli} set drillbook:probe 1 px 1")
        return "OOM command not allowed" in said.out + said.err

    def revert(self, replica: Replica) -> None:
        if self._filled and replica.service(self.service).is_running():
            keys = f"{self._cli} --scan --pattern '{self.prefix}*'"
            in_service(
                replica,
                self.service,
                f"for key in $({keys}); do {self._cli} unlink $key; done >/dev/null",
            )
        self._filled.clear()
        must_hold(f"{self.service} takes writes", lambda: not self.is_present(replica))
