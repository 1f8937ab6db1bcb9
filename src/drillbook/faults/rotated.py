"""The password of the database was rotated, and the service was not told."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import in_service, must_be_name, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["RotatedPassword"]

# By the processes' titles ("postgres: ROLE DATABASE …", after a name of the server where it has one), and not with
# pg_terminate_backend: who is logging in just then is no session yet, and would get in with the old password.
_END_SESSIONS = (
    "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline) in "
    "'postgres: {role} '* | 'postgres: '*': {role} '*) kill ${{p#/proc/}};; esac; done 2>/dev/null"
)


@dataclass(frozen=True, slots=True)
class RotatedPassword:
    """A role of PostgreSQL gets a new password, its sessions end, and the service goes on with the old one.

    Args:
        service: The database's service, as the runbook has it.
        role: Whose password it is.
        new: The new password; letters and digits.
        current: Command on the machine that prints the password that the service uses.
        vault: File on the machine that holds the password that is valid, for people.
        client: Service that logs in.
        login: Command in the client's container that logs in; exits 0 where that works.
        admin: Role that may change it, over the database's own socket.
    """

    service: str
    role: str
    new: str
    current: str
    vault: str
    client: str
    login: str
    admin: str = "postgres"
    effect_within_s: float = 20.0
    _was: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("service", "role", "client", "admin"):
            must_be_name(self, name, getattr(self, name))
        must_be_name(self, "new", self.new)
        if not self.login.strip() or not self.current.strip():
            raise UsageError("RotatedPassword", "login and current must be commands, got nothing")

    def describe(self) -> str:
        return f"the password of {self.role} in {self.service} was rotated, and {self.client} still uses the old one"

    def _set(self, replica: Replica, password: str) -> None:
        change = shlex.quote(f"ALTER ROLE {self.role} PASSWORD '{password}'")
        end = _END_SESSIONS.format(role=self.role)
        said = in_service(replica, self.service, f"psql -X -q -U {self.admin} -c {change} && {{ {end}; :; }}")
        if said.exit_status:
            raise InjectFailed(self.service, "expected the password to be changed, it was not", evidence=said.err)
        on_machine(replica, f"printf '%s\\n' {shlex.quote(password)} >{shlex.quote(self.vault)}")

    def inject(self, replica: Replica) -> None:
        self._was[:] = [on_machine(replica, self.current).out.strip()]
        self._set(replica, self.new)

    def is_present(self, replica: Replica) -> bool:
        """Both services run, and the login is refused for its password."""
        if not all(replica.service(name).is_running() for name in (self.service, self.client)):
            return False
        said = in_service(replica, self.client, self.login)
        return bool(said.exit_status) and "password authentication failed" in said.out + said.err

    def revert(self, replica: Replica) -> None:
        # Told by what the service uses: a login can fail for other reasons too, and then nothing would be taken back.
        if self._was and on_machine(replica, self.current).out.strip() == self._was[0]:
            self._set(replica, self._was[0])
        self._was.clear()
        must_hold(f"{self.client} logs in", lambda: not self.is_present(replica), within_s=60.0)
