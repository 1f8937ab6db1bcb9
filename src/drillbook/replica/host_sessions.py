"""The open shells on a replica's host and in its services."""

import threading
from collections.abc import Sequence

from drillbook.replica.place import Host
from drillbook.target.session import ShellSession

__all__ = ["HostSessions"]


class HostSessions:
    """One open shell for each role; made when it is first asked for.

    Args:
        host: Where they are.
        folder: Where shells on the host begin.
        answer_within_s: Seconds that a shell may take to open, and an idle one to answer.
    """

    def __init__(self, host: Host, folder: str, *, answer_within_s: float) -> None:
        self._host = host
        self._folder = folder
        self._answer_within_s = answer_within_s
        self._open: dict[str, ShellSession] = {}
        self._lock = threading.Lock()

    def to_host(self, role: str, *, stateful: bool = False) -> ShellSession:
        """Return the shell on the host that belongs to a role.

        Args:
            role: Names it.
            stateful: Carry directory and variables from one command to the next, as one terminal does.
        """
        return self._session(role, ["bash"], self._host.container_name, stateful=stateful)

    def to_service(self, service: str, enter: str, *, role: str | None = None, stateful: bool = False) -> ShellSession:
        """Return the shell in a service.

        Args:
            service: Its name.
            enter: Shell text that becomes a shell in it, on the host; run anew with every connection.
            role: Whose shell it is, where it is not the service's own; each role has one.
            stateful: Carry directory and variables from one command to the next; the shell must be bash.
        """
        return self._session(role or service, ["sh", "-c", enter], service, stateful=stateful)

    def close(self) -> None:
        """End all of them; harmless when repeated."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _session(self, name: str, shell: Sequence[str], place: str, *, stateful: bool = False) -> ShellSession:
        with self._lock:
            if name not in self._open:
                way = self._host.way(name, shell, place, self._folder)
                # Named by role: what is behind it is the replica's own affair.
                self._open[name] = ShellSession(
                    name,
                    way.argv,
                    env=self._host.environment(),
                    stateful=stateful,
                    open_within_s=self._answer_within_s,
                    answer_within_s=self._answer_within_s,
                    hint=way.hint,
                )
            return self._open[name]
