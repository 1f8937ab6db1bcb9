"""The certificate that customers are shown has expired."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_commands, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["CertificateExpired"]


@dataclass(frozen=True, slots=True)
class CertificateExpired:
    """The system's own command puts a certificate in place whose time is over.

    Args:
        url: Asked from the machine, which trusts the authority and knows the name.
        expire: Command on the machine that puts the expired certificate in place.
        renew: Command that puts the valid one back.
    """

    url: str
    expire: str
    renew: str
    effect_within_s: float = 30.0
    _expired: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise UsageError("CertificateExpired", f"url must begin with https://, got {self.url!r}")
        must_be_commands(self, "expire", "renew")

    def describe(self) -> str:
        return f"the certificate of {self.url} has expired"

    def inject(self, replica: Replica) -> None:
        self._expired[:] = [True]
        on_machine(replica, self.expire)

    def is_present(self, replica: Replica) -> bool:
        """A client refuses the connection, and says that it is for the certificate's age."""
        said = on_machine(replica, f"curl -sS -o /dev/null -m 3 {shlex.quote(self.url)}", strict=False)
        return bool(said.exit_status) and "certificate has expired" in said.err

    def revert(self, replica: Replica) -> None:
        if self._expired:
            on_machine(replica, self.renew)
        self._expired.clear()
        must_hold(f"{self.url} shows a valid certificate", lambda: not self.is_present(replica), within_s=30.0)
