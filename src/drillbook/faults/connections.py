"""A client leaks sessions of the database until there is none left for the service."""

import re
import shlex
from dataclasses import dataclass, field

from drillbook.errors import DrillbookError
from drillbook.faults._common import Keeper, in_service, must_be_name, must_be_positive, must_hold
from drillbook.replica import Replica

__all__ = ["ConnectionsExhausted"]

_REFUSED = re.compile(r"too many clients|connection slots|too many connections")
_MARK = "leaking-client"


@dataclass(frozen=True, slots=True)
class ConnectionsExhausted:
    """Sessions of PostgreSQL are held by a client that takes back those that are ended, until the limit leaves room.

    Args:
        service: The database's service, as the runbook has it.
        role: Whose sessions are held: that of the service that needs the database.
        database: Its name.
        sessions: How many are held; at least ``max_connections`` less what is reserved, and fewer than the limit that
            the runbook prescribes.
        admin: Role for which PostgreSQL keeps sessions back.
        ends_others: End sessions that others hold as that role, while it is short of its own and no more are given. A
            service that is busy never gives up the few that it has, and goes on with them; a leak that began before
            them leaves it none.
    """

    service: str
    role: str
    database: str
    sessions: int
    admin: str = "postgres"
    ends_others: bool = False
    effect_within_s: float = 20.0
    _keepers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_name(self, "role", self.role)
        must_be_name(self, "database", self.database)
        must_be_name(self, "admin", self.admin)
        must_be_positive(self, "sessions", self.sessions)

    def describe(self) -> str:
        return f"a client holds {self.sessions} sessions of {self.service} as {self.role}, and takes back what is ended"

    def _psql(self, statement: str, role: str) -> str:
        return f"psql -X -q -A -t -U {role} -d {self.database} -c {shlex.quote(statement)}"

    @property
    def _holder(self) -> str:
        """Shell text of a program that holds the sessions.

        It stays the parent of its clients and ends with status 0: an orphan that fails would be taken for a server
        process of its own by a PostgreSQL that is the first process of its container, and make it start anew.
        """
        more = f"{self._psql('SELECT pg_sleep(3600)', self.role)} & n=$((n + 1))"
        count = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{_MARK}'"  # noqa: S608 (a constant)
        end = (
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.role}' "  # noqa: S608 (a name)
            f"AND application_name <> '{_MARK}' AND ({count}) < {self.sessions}"
        )
        # Those that are refused end by themselves and are tried again.
        fill = f"n=$(pgrep -c -x psql); while [ $n -lt {self.sessions} ]; do {more}; done"
        # At once: whoever lost a session asks for another one with the next request.
        takes = f"{self._psql(end, self.admin)} >/dev/null 2>&1; {fill}"
        refused = f"{self._psql('SELECT 1', self.role)} >/dev/null 2>&1"
        ends = f"{refused} || {{ {takes}; }}; " if self.ends_others else ""
        return (
            f"trap 'kill $(jobs -p); wait; exit 0' TERM; export PGAPPNAME={_MARK}; "
            f"while :; do {fill}; {ends}sleep 0.5; done"
        )

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        hold = f"setsid bash -c {shlex.quote(self._holder)} >/dev/null 2>&1 </dev/null"
        # Only the holder goes to the background: a look that did would keep the session's pipes, which costs a session.
        start = f"pgrep -f {_MARK} >/dev/null || {{ {hold} & }}"

        def press() -> None:
            if not service.is_running():
                return
            try:
                in_service(replica, self.service, start)
            except DrillbookError:
                return  # the database ended while it was looked at

        keeper = Keeper(press, every_s=0.5)
        self._keepers.append(keeper)
        keeper.start()

    def is_present(self, replica: Replica) -> bool:
        """The database runs, and a further session of the role is refused for want of room."""
        for keeper in self._keepers:
            keeper.raise_error()
        if not replica.service(self.service).is_running():
            return False
        asked = in_service(replica, self.service, self._psql("SELECT 1", self.role))
        return bool(asked.exit_status and _REFUSED.search(asked.err))

    def revert(self, replica: Replica) -> None:
        for keeper in self._keepers:
            keeper.stop()
        if self._keepers and replica.service(self.service).is_running():
            # A session whose client is gone goes on until it has something to say.
            end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{_MARK}'"  # noqa: S608
            in_service(
                replica,
                self.service,
                f"pkill -TERM -f {_MARK}; {self._psql(end, self.admin)}; while pgrep -f {_MARK}; do sleep 0.1; done",
            )
        self._keepers.clear()
        must_hold(f"{self.service} has sessions left", lambda: not self.is_present(replica))
