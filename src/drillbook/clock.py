"""Time as the engine sees it: one monotonic clock for durations, aware UTC for people."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

__all__ = ["Clock", "SystemClock", "poll"]

T = TypeVar("T")


class Clock(Protocol):
    """What the engine needs of time; tests bring their own."""

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow; the origin means nothing."""
        ...

    def utc(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def pause(self, seconds: float) -> None:
        """Give way for so many seconds between two polls."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)


def poll(ask: Callable[[], T], *, within_s: float, clock: Clock, every_s: float = 0.1) -> T:
    """Ask until the answer is truthy, at most so long; return the last answer, truthy or not.

    Args:
        ask: Called at least once, and once more when the time is over.
        within_s: Seconds after which the last answer counts.
        clock: Where time comes from.
        every_s: Seconds between the end of one question and the next; as many as the question took, where that is
            more: what is slow to answer is not made slower by being asked all the time.
    """
    end = clock.monotonic_s() + within_s
    while True:
        begin = clock.monotonic_s()
        answer = ask()
        now = clock.monotonic_s()
        if answer or begin >= end:
            return answer
        clock.pause(max(0.0, min(max(every_s, now - begin), end - now)))
