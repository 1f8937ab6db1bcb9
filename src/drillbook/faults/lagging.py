"""A standby of the database follows no longer: it receives, and applies nothing."""

import shlex
from dataclasses import dataclass

from drillbook.faults._common import in_service, must_be_name, must_hold
from drillbook.replica import Replica

__all__ = ["ReplicaLags"]


@dataclass(frozen=True, slots=True)
class ReplicaLags:
    """Replay of PostgreSQL's log is paused on a standby.

    Args:
        service: The standby, as the runbook has it.
        primary: The database's service.
        behind_bytes: What the standby must be behind to count; more than it ever is in health.
        admin: Role that may pause it, over the standby's own socket.
    """

    service: str
    primary: str
    behind_bytes: int = 65536
    admin: str = "postgres"
    effect_within_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("service", "primary", "admin"):
            must_be_name(self, name, getattr(self, name))

    def describe(self) -> str:
        return f"{self.service} receives from {self.primary} and applies nothing"

    def _ask(self, replica: Replica, service: str, statement: str) -> str:
        said = in_service(replica, service, f"psql -X -A -t -U {self.admin} -c {shlex.quote(statement)}")
        return said.out.strip()

    def inject(self, replica: Replica) -> None:
        self._ask(replica, self.service, "SELECT pg_wal_replay_pause()")

    def is_present(self, replica: Replica) -> bool:
        """The primary counts what was sent and not applied."""
        behind = "SELECT coalesce(max(pg_wal_lsn_diff(sent_lsn, replay_lsn)), 0) FROM pg_stat_replication"
        said = self._ask(replica, self.primary, behind)
        return said.isdigit() and int(said) >= self.behind_bytes

    def revert(self, replica: Replica) -> None:
        paused = "SELECT pg_is_in_recovery() AND pg_is_wal_replay_paused()"
        if self._ask(replica, self.service, paused) == "t":
            self._ask(replica, self.service, "SELECT pg_wal_replay_resume()")
        must_hold(f"{self.service} follows", lambda: not self.is_present(replica), within_s=30.0)
