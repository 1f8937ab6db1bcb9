"""Being asked to end: Ctrl-C waits for what is half done, and SIGTERM and SIGHUP end a run as Ctrl-C does."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["end_as_by_ctrl_c", "uninterrupted", "was_asked_to_end"]

_asked = threading.Event()


def was_asked_to_end() -> bool:
    """True once SIGTERM or SIGHUP came: the interpreter loses an exception that is raised inside of a finalizer."""
    return _asked.is_set()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back while something is half done; it comes when the block ends.

    Only the main thread gets Ctrl-C, so elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


def end_as_by_ctrl_c() -> Callable[[], None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, so that nothing stays behind; return what takes it back.

    A signal that this process was told to ignore (``nohup``) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def interrupt(number: int, frame: object) -> None:
        _asked.set()
        if signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, signal.SIG_DFL}:
            raise KeyboardInterrupt  # a shell's background job ignores Ctrl-C; this one was meant
        signal.raise_signal(signal.SIGINT)

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    }

    def take_back() -> None:
        _asked.clear()  # what was asked of that run is not asked of the next one in this process
        for number, handler in before.items():
            signal.signal(number, handler)

    return take_back
