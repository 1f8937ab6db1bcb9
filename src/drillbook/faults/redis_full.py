"""Redis is full and refuses writes; it answers reads as before."""

from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_name, must_hold
from drillbook.replica import Replica

__all__ = ["RedisFull"]

_PIECES = (1_000_000, 100_000, 10_000, 1_000, 100)
"""Bytes of the values that fill it, large ones first; the last ones leave no room for anything."""
_MOST = 1000
"""Values of one size; a Redis that takes more has no limit that could be reached."""


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
        self._filled[:] = [self.database]
        for size in _PIECES:
            # A script is refused at its beginning only, so each call writes one value.
            write = f"\"redis.call('set', KEYS[1], string.rep('x', {size}))\" 1 {self.prefix}{size}:$i"
            fill = (
                f"i=0; while [ $i -lt {_MOST} ] && {self._cli} -e eval {write} >/dev/null 2>&1; do i=$((i + 1)); done"
            )
            replica.host(self.service).run(fill, deadline_s=60.0)
        if not self.is_present(replica):
            raise InjectFailed(self.service, "expected it to refuse writes once it is filled, it takes them")

    def is_present(self, replica: Replica) -> bool:
        """It answers, and refuses a write for want of memory."""
        if not replica.service(self.service).is_running():
            return False
        said = replica.host(self.service).run(f"{self._cli} set drillbook:probe 1 px 1")
        return "OOM command not allowed" in said.out + said.err

    def revert(self, replica: Replica) -> None:
        if self._filled and replica.service(self.service).is_running():
            keys = f"{self._cli} --scan --pattern '{self.prefix}*'"
            replica.host(self.service).run(
                f"for key in $({keys}); do {self._cli} unlink $key; done >/dev/null", deadline_s=60.0
            )
        self._filled.clear()
        must_hold(f"{self.service} takes writes", lambda: not self.is_present(replica))
