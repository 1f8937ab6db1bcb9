"""Ports of a pod on this machine's loopback, for as long as they are wanted."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from drillbook.errors import ReplicaError
from drillbook.replica.cluster.user import UserCluster

__all__ = ["Forward"]

_LINE = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)")
_OPEN_WITHIN_S = 30.0
_AGAIN_AFTER_S = 0.2

# kubectl lives as long as the pipe that it is started with: it ends with this process, however that ends.
_TIED = (
    'exec 3<&0; "$@" 3<&- & child=$!; { read -r _ <&3; kill $child; } 2>/dev/null & wait $child; kill $! 2>/dev/null'
)


class Forward:
    """One ``kubectl port-forward``, started again on the same ports where it ends: it does so with a lost connection.

    Args:
        cluster: Where the pod is.
        namespace: Of the pod.
        pod: Its name.
        ports: Of the pod.
    """

    def __init__(self, cluster: UserCluster, namespace: str, pod: str, ports: Sequence[int]) -> None:
        self._cluster = cluster
        self._where = ("--namespace", namespace, "port-forward", f"pod/{pod}")
        self._ports: dict[int, int] = dict.fromkeys(ports, 0)
        self._said: list[str] = []
        self._is_open = threading.Event()
        self._over = threading.Event()
        self._program: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"forward to {pod}", daemon=True)

    def open(self) -> Mapping[int, int]:
        """Return port of the pod -> port on this machine's loopback, once all of them are open.

        Raises:
            ReplicaError: They do not open; with kubectl's own words.
        """
        if not self._ports:
            return {}
        self._thread.start()
        if not self._is_open.wait(_OPEN_WITHIN_S):
            self.close()
            problem = f"expected its ports on this machine within {_OPEN_WITHIN_S:.0f} s, got none"
            raise ReplicaError(f"context:{self._cluster.context}", problem, evidence="\n".join(self._said[-10:]))
        return dict(self._ports)

    def close(self) -> None:
        """End it; harmless when repeated."""
        self._over.set()
        program = self._program
        if program is not None and program.poll() is None:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.killpg(program.pid, signal.SIGTERM)
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._over.is_set():
            self._run_once()
            self._over.wait(_AGAIN_AFTER_S)

    def _run_once(self) -> None:
        pairs = (f"{here or ''}:{there}" for there, here in self._ports.items())
        argv = ("sh", "-c", _TIED, "sh", *self._cluster.argv(*self._where, *pairs))
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as self._program:
            if self._over.is_set():  # it was told to end while the program was being started
                os.killpg(self._program.pid, signal.SIGTERM)
            assert self._program.stdout is not None
            for line in self._program.stdout:
                self._said = [*self._said[-20:], line.rstrip()]
                if match := _LINE.match(line):
                    self._ports[int(match[2])] = int(match[1])
                if all(self._ports.values()):
                    self._is_open.set()
