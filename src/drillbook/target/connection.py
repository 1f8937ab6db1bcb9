"""One running shell behind three pipes. Nothing here waits longer than it is told to."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from drillbook.target.capture import Capture, Frame

__all__ = ["Connection", "ConnectionEnded"]

_READ_BYTES = 1 << 18
_END_WITHIN_S = 1.0
_DRAIN_POLL_S = 0.2


class ConnectionEnded(Exception):
    """The shell's pipes were closed from the other side, or it could not be started."""


class Connection:
    """A process whose standard input takes shell text.

    Args:
        argv: Program that gives a shell on its standard input and output.
        env: The program's environment; None for this process's own.

    Raises:
        ConnectionEnded: The program cannot be started.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.argv = tuple(argv)
        self.words = Capture(8192)
        """What the program said outside of any command: docker's or ssh's own words."""
        self.used_s = 0.0
        self._drain: threading.Thread | None = None
        self._closing = threading.Event()
        try:
            # A session of its own: Ctrl-C on the terminal must not end the program before its command is cleaned up,
            # and nothing in it can ask for a password on the terminal.
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise ConnectionEnded(f"{argv[0]} cannot be started: {error.strerror}") from error
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._stdin = self._process.stdin
        self._out = self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        self._open = {self._out, self._err}
        for pipe in (self._stdin.fileno(), self._out, self._err):
            os.set_blocking(pipe, False)

    def exchange(self, text: str, out: Frame, err: Frame | None, within_s: float) -> bool:
        """Send text and read until the frames have ended.

        Args:
            text: Shell text; empty to go on reading.
            out: Takes the program's stdout.
            err: Takes its stderr; None where the answer comes on stdout alone.
            within_s: Seconds to wait for the ends.

        Returns:
            False where the time was over first.

        Raises:
            ConnectionEnded: The shell is gone.
        """
        end_s = time.monotonic() + within_s
        unsent = memoryview(text.encode("utf-8", "surrogateescape"))
        frames = {self._out: out, self._err: err}
        with selectors.DefaultSelector() as selector:
            for pipe in self._open:
                selector.register(pipe, selectors.EVENT_READ)
            unsent = self._send(unsent)
            if unsent:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while out.ended is None or (err is not None and err.ended is None):
                ready = selector.select(max(0.0, end_s - time.monotonic()))
                if not ready and time.monotonic() >= end_s:
                    return False
                for key, _ in ready:
                    if key.fileobj is self._stdin:
                        unsent = self._send(unsent)
                        if not unsent:
                            selector.unregister(self._stdin)
                    elif not self._receive(key.fd, frames[key.fd]):
                        selector.unregister(key.fd)
                if not self._open or (self._out not in self._open and out.ended is None):
                    self._listen_to_the_end(frames[self._err])
                    raise ConnectionEnded(f"{self.argv[0]} ended")
        self.used_s = time.monotonic()
        return True

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            while unsent:
                unsent = unsent[os.write(self._stdin.fileno(), unsent) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # What it said before it went is still to be read; the end of its output tells that it is gone.
            return unsent[:0]
        return unsent

    def _receive(self, pipe: int, frame: Frame | None) -> bool:
        try:
            chunk = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return True
        if not chunk:
            self._open.discard(pipe)
            return False
        if frame:
            frame.feed(chunk)
        # docker says on stdout that a container has no such program.
        outside = pipe == self._err if frame is None else frame.began is None
        if outside:
            self.words.feed(chunk)
        return True

    def _listen_to_the_end(self, frame: Frame | None) -> None:
        end_s = time.monotonic() + _END_WITHIN_S
        with selectors.DefaultSelector() as selector:
            if self._err in self._open:
                selector.register(self._err, selectors.EVENT_READ)
            while self._err in self._open and selector.select(max(0.0, end_s - time.monotonic())):
                self._receive(self._err, frame)

    def is_dead(self) -> bool:
        """Look whether the shell is gone, as far as this side has heard."""
        while self._out in self._open:
            with selectors.DefaultSelector() as selector:
                selector.register(self._out, selectors.EVENT_READ)
                if not selector.select(0):
                    break
            self._receive(self._out, None)
        return self._out not in self._open or self._process.poll() is not None

    def retire(self) -> None:
        """Keep the pipes open and read them, so that what still runs behind them neither blocks nor dies."""
        self._drain = threading.Thread(target=self._read_on, name=f"drain {self.argv[0]}", daemon=True)
        self._drain.start()

    def _read_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            for pipe in self._open:
                selector.register(pipe, selectors.EVENT_READ)
            while self._open and not self._closing.is_set():
                for key, _ in selector.select(_DRAIN_POLL_S):
                    if not self._receive(key.fd, None):
                        selector.unregister(key.fd)

    def say(self, text: str) -> None:
        """Send text whose answer nobody waits for."""
        if self._process.poll() is None:
            self._send(memoryview(text.encode()))

    def close(self, *, kindly: bool = True) -> None:
        """End the program and close its pipes; harmless when repeated.

        Args:
            kindly: Give the shell a moment to end by itself. False where it is known to hang.
        """
        self._closing.set()
        if not self._stdin.closed:
            self._stdin.close()
        if not (kindly and self._has_ended_within(_END_WITHIN_S)) and self._process.poll() is None:
            # It leads its own group: ssh and docker may have helpers. What it ran elsewhere sees its input end.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._drain:
            self._drain.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe and not pipe.closed:
                pipe.close()
        self._open.clear()

    def _has_ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
