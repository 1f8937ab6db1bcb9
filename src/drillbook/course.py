"""The course of one drill: when what happened, and whose seconds they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from drillbook.judge import Facts
from drillbook.timeline import Timeline

__all__ = ["Course"]


@dataclass(slots=True)
class Course:
    """State of a running drill; seconds are the timeline's.

    Attributes:
        timeline: The record.
        facts: What the verdict will rest on.
        t0_s: When the fault's effect was confirmed.
        detected_s: When the declared alert had fired, or None.
        named_s: When diagnosis was done, or None.
        restored_s: When the first of the rounds that hold began, or None.
        held_s: When that round had ended green: from here on nobody should feel anything, or None.
        waits: When a compressed wait was over, and the seconds that it would have taken longer in production.
        outside_s: Spent by the system, its commands and waiting for it, not by the engine.
        all_checks: Verification checks that there are.
        ever_red: Those that were red in some round since the fault.
    """

    timeline: Timeline
    facts: Facts = field(default_factory=Facts)
    began_s: float = 0.0
    t0_s: float = 0.0
    detected_s: float | None = None
    named_s: float | None = None
    restored_s: float | None = None
    held_s: float | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)
    outside_s: float = 0.0
    all_checks: set[str] = field(default_factory=set)
    ever_red: set[str] = field(default_factory=set)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Record a phase around a block."""
        with self.timeline.span("phase", phase=name):
            yield

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Count a block's seconds as the system's."""
        begin_s = self.timeline.now_s()
        try:
            yield
        finally:
            self.outside_s += self.timeline.now_s() - begin_s

    def compress(self, more_s: float) -> None:
        """Note that production would have waited so many seconds longer, just now."""
        self.waits.append((self.timeline.now_s(), more_s))

    def compressed_s(self, until_s: float | None = None) -> float:
        """Return what production would have waited on top, by a moment of the timeline or by now."""
        return sum(more_s for at_s, more_s in self.waits if until_s is None or at_s <= until_s)

    def since_t0_s(self, at_s: float | None = None) -> float:
        """Return drill seconds since the fault's confirmed effect."""
        return round((self.timeline.now_s() if at_s is None else at_s) - self.t0_s, 3)
