"""One shell kept open in a target. A command has a deadline, and an answer that did not come is never a result."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from drillbook.errors import CommandRefused, CommandTimeout, ProgramMissing, TargetUnreachable, UsageError
from drillbook.target import DEFAULT_DEADLINE_S, Output, script
from drillbook.target.capture import Frame
from drillbook.target.connection import Connection, ConnectionEnded
from drillbook.units import format_duration

__all__ = ["Guard", "ShellSession"]

Guard = Callable[[str], str | None]
"""Returns why a command must not run, or None."""

# A shell that has just answered is alive; one that was left alone is asked before it gets a command, so that a target
# which died or was paused meanwhile never holds a command that nobody waits for.
_FRESH_S = 0.02
_NOTES_BYTES = 1 << 16


class ShellSession:
    """A target whose commands run through one open shell.

    Args:
        name: What errors and reports call the target.
        argv: Program that gives a shell on its standard input and output (``docker exec -i NAME sh``); run
            a second time to kill what hangs.
        env: Environment of the program; None for this process's own.
        guard: Returns why a command is refused, or None; asked before anything is sent.
        keep_bytes: How much of each stream of a command is kept, half from its beginning and half from its end.
        stateful: Carry directory, variables, functions, options and ``$?`` from one command to the next, as in one
            terminal. Needs bash in the target. A command that is killed leaves the state as it was before it.
        open_within_s: Seconds that a connection may take to open.
        answer_within_s: Seconds that an idle shell may take to answer, and a killed command to be gone.
        hint: What to do when the target cannot be reached; a function of the connection's last words.

    A process that a command left in the background keeps running. It gets SIGHUP when the session is closed, as from a
    closed terminal.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        keep_bytes: int = 8 * 1024 * 1024,
        stateful: bool = False,
        open_within_s: float = 20.0,
        answer_within_s: float = 5.0,
        hint: Callable[[str], str] = lambda words: "",
    ) -> None:
        self._name = name
        self._argv = tuple(argv)
        self._env = dict(env) if env is not None else None
        self._guard = guard
        self._keep_bytes = keep_bytes
        self._stateful = stateful
        self._open_within_s = open_within_s
        self._answer_within_s = answer_within_s
        self._hint = hint
        self._lock = threading.Lock()
        self._shell: _Shell | None = None
        self._left_behind: list[Connection] = []
        self._state = ""
        self._status = 0
        self._closed = False

    @property
    def name(self) -> str:
        """What errors and reports call the target."""
        return self._name

    def open(self) -> Self:
        """Connect now instead of with the first command.

        Raises:
            TargetUnreachable: The host did not answer; the evidence has its own words.
            ProgramMissing: The session is to keep state and the target has no bash.
        """
        with self._lock:
            self._ready()
        return self

    def run(
        self, command: str, *, deadline_s: float = DEFAULT_DEADLINE_S, variables: Mapping[str, str] | None = None
    ) -> Output:
        """Run a command to its end; see ``Target.run``."""
        if "\0" in command:
            raise UsageError(self._name, "expected shell text, got a NUL byte in the command")
        reason = self._guard(command) if self._guard else None
        if reason is not None:
            raise CommandRefused(
                self._name,
                f"expected a command that only reads, got one that is not known to: {reason}",
                evidence=command,
                hint="where it only reads, list its id under `reads` in the target file",
            )
        with self._lock:
            return self._run(self._ready(), command, deadline_s, variables or {})

    def close(self) -> None:
        """End the session; harmless when repeated."""
        with self._lock:
            self._closed = True
            for connection in self._left_behind:
                connection.say(script.HANG_UP)
                connection.close()
            self._left_behind.clear()
            if self._shell:
                self._shell.connection.close()
                self._shell = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, shell: "_Shell", command: str, deadline_s: float, variables: Mapping[str, str]) -> Output:
        nonce = secrets.token_hex(16)
        note = f"{script.STATE_NOTE}{nonce}".encode() if self._stateful else b""
        out = Frame(f"B{nonce}".encode(), f"E{nonce}".encode(), self._keep_bytes, note)
        err = Frame(f"B{nonce}".encode(), f"E{nonce}".encode(), self._keep_bytes)
        text = shell.wrap(nonce, command, variables, self._state if self._stateful else None, self._status)
        begin_s = time.monotonic()
        try:
            in_time = shell.connection.exchange(text, out, err, deadline_s)
        except ConnectionEnded as error:
            self._give_up(shell)
            raise self._unreachable(
                f"the session ended while `{_short(command)}` was running", shell.connection, out, err
            ) from error
        except BaseException:
            self._kill(shell, out, err)
            self._give_up(shell)
            raise
        took_s = time.monotonic() - begin_s
        if not in_time:
            self._stop(shell, command, deadline_s, out, err)
        status, tainted = (int(word) for word in (out.ended or b"").split())
        if tainted:
            self._leave_behind(shell)
        if self._stateful:
            self._state = out.notes.decode("ascii") or self._state
            self._status = status
        stdout, stderr = out.capture.value(), err.capture.value()
        dropped_bytes = out.capture.dropped_bytes + err.capture.dropped_bytes
        return Output(command, status, stdout, stderr, took_s, dropped_bytes)

    def _ready(self) -> "_Shell":
        if self._closed:
            raise TargetUnreachable(self._name, "expected an open session, got one that was closed")
        shell = self._shell
        if shell and (shell.connection.is_dead() or not self._answers(shell)):
            self._give_up(shell)
        if not self._shell:
            self._shell = self._connect()
        return self._shell

    def _answers(self, shell: "_Shell") -> bool:
        if time.monotonic() - shell.connection.used_s < _FRESH_S:
            return True
        nonce = secrets.token_hex(16)
        out, err = (Frame(f"B{nonce}".encode(), f"E{nonce}".encode(), _NOTES_BYTES) for _ in range(2))
        try:
            if shell.connection.exchange(script.ping(nonce, bash=shell.bash), out, err, self._answer_within_s):
                return True
        except ConnectionEnded:
            return False
        self._give_up(shell)
        waited = format_duration(self._answer_within_s)
        raise self._unreachable(f"expected an answer within {waited}, got none", self._ask_why() or shell.connection)

    def _connect(self) -> "_Shell":
        try:
            connection = Connection(self._argv, self._env)
        except ConnectionEnded as error:
            raise TargetUnreachable(self._name, str(error), hint=f"install {self._argv[0]}") from error
        try:
            shell = _Shell.greet(connection, self._open_within_s, stateful=self._stateful)
        except ConnectionEnded as error:
            connection.close()
            raise self._unreachable("expected a shell, got none", connection) from error
        except BaseException:
            connection.close(kindly=False)
            raise
        if shell is None:
            connection.close(kindly=False)
            waited = format_duration(self._open_within_s)
            raise self._unreachable(f"expected a shell within {waited}, got none", connection)
        if self._stateful and not shell.bash:
            connection.close()
            raise ProgramMissing(
                self._name, "expected bash for a session that keeps its state, got none", hint="install bash there"
            )
        return shell

    def _stop(self, shell: "_Shell", command: str, deadline_s: float, out: Frame, err: Frame) -> None:
        rescue = self._kill(shell, out, err)
        came_back = False
        if rescue is None or rescue.killed:
            try:
                came_back = shell.connection.exchange("", out, err, self._answer_within_s)
            except ConnectionEnded:
                came_back = False
        waited = format_duration(deadline_s)
        if not came_back:
            self._give_up(shell)
            problem = f"no answer within {waited} to `{_short(command)}`, and it could not be stopped"
            raise self._unreachable(problem, rescue.connection if rescue else shell.connection, out, err)
        if (out.ended or b"").split()[-1:] == [b"1"]:
            self._leave_behind(shell)
        raise CommandTimeout(
            self._name,
            f"expected an end within {waited}, got none: killed `{_short(command)}` with its process group",
            evidence=_text(out, err),
            hint="give it more time, or find out what it waits for",
        )

    def _kill(self, shell: "_Shell", out: Frame, err: Frame) -> "_Rescue | None":
        """Kill a command from a second connection; None where the command was never seen to begin."""
        if out.began is None:
            return _Rescue(self._ask_why() or shell.connection, killed=False)
        leader = int(out.began)
        try:
            connection = Connection(self._argv, self._env)
        except ConnectionEnded:
            return _Rescue(shell.connection, killed=False)
        try:
            frame = Frame(b"KILLING", b"KILLED", _NOTES_BYTES)
            text = "echo KILLING\n" + script.kill_group(leader, shell.pid, shell.started, bash=shell.bash)
            killed = connection.exchange(text, frame, None, self._answer_within_s) and frame.ended != b"elsewhere"
        except ConnectionEnded:
            killed = False
        finally:
            connection.close(kindly=False)
        return _Rescue(connection, killed)

    def _ask_why(self) -> Connection | None:
        """Connect anew only to hear what the way to the target has to say; None where it says nothing."""
        try:
            connection = Connection(self._argv, self._env)
        except ConnectionEnded:
            return None
        try:
            connection.exchange("echo HERE\n", Frame(b"HE", b"RE", 1), None, self._answer_within_s)
        except ConnectionEnded:
            return connection
        finally:
            connection.close(kindly=False)
        return None

    def _leave_behind(self, shell: "_Shell") -> None:
        """Go on in a new connection, because something of the command still holds the pipes of this one."""
        shell.connection.retire()
        self._left_behind.append(shell.connection)
        self._shell = None

    def _give_up(self, shell: "_Shell") -> None:
        shell.connection.close(kindly=False)
        self._shell = None

    def _unreachable(self, problem: str, connection: Connection, *frames: Frame) -> TargetUnreachable:
        words = connection.words.value().decode("utf-8", "replace")
        evidence = _text(*frames) + "\n" + words
        return TargetUnreachable(self._name, problem, evidence=evidence, hint=self._hint(words))


class _Rescue:
    """What a second connection achieved."""

    def __init__(self, connection: Connection, killed: bool) -> None:
        self.connection = connection
        self.killed = killed


class _Shell:
    """An open connection and what is known of the shell behind it."""

    def __init__(self, connection: Connection, pid: int, started: str, *, bash: bool) -> None:
        self.connection = connection
        self.pid = pid
        self.started = started
        self.bash = bash

    @classmethod
    def greet(cls, connection: Connection, within_s: float, *, stateful: bool) -> "_Shell | None":
        """Turn a fresh connection into a shell for commands; None where it does not answer in time."""
        end_s = time.monotonic() + within_s
        nonce = secrets.token_hex(16)
        hello = Frame(nonce[:16].encode(), nonce[16:].encode(), 1)
        if not connection.exchange(script.find_shell(f"{nonce[:16]}\n{nonce[16:]}"), hello, None, within_s):
            return None
        hello = Frame(f"B{nonce}".encode(), f"E{nonce}".encode(), 1)
        text = script.open_shell(nonce, stateful=stateful)
        if not connection.exchange(text, hello, None, max(0.0, end_s - time.monotonic())):
            return None
        pid, kind, *started = (hello.ended or b"").decode().split()
        return cls(connection, int(pid), "".join(started), bash=kind == "bash")

    def wrap(self, nonce: str, command: str, variables: Mapping[str, str], state: str | None, status: int) -> str:
        """Return the text that runs a command here."""
        if self.bash:
            return script.for_bash(nonce, command, variables, state, status)
        return script.for_sh(nonce, command, variables)


def _short(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 120 else line[:117] + "..."


def _text(*frames: Frame) -> str:
    return "\n".join(frame.so_far().decode("utf-8", "replace")[-4000:] for frame in frames)
