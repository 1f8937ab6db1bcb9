"""Verification in a drill: one round, rounds until the system is steady, rounds until a recovery holds."""

import math

from drillbook.case import Checks, Pace
from drillbook.clock import Clock, poll
from drillbook.course import Course
from drillbook.errors import TargetError, UsageError
from drillbook.evidence import Checked
from drillbook.site import Site

__all__ = ["Verification"]


class Verification:
    """Runs rounds of verification checks on a replica and records what they say.

    Args:
        checks: Runs the runbook's checks.
        site: The replica.
        course: Of the drill; learns which checks there are and which were red.
        pace: How long to wait for what.
        clock: Where time comes from.
    """

    def __init__(self, checks: Checks, site: Site, course: Course, pace: Pace, clock: Clock) -> None:
        self._checks = checks
        self._site = site
        self._course = course
        self._timeline = course.timeline
        self._pace = pace
        self._clock = clock

    def until_steady(self) -> list[Checked]:
        """Run rounds until one is green (monitoring needs a moment to see a fresh system); return what stays red."""
        rounds: list[list[Checked]] = []

        def red() -> list[Checked]:
            rounds.append(self.checked(self._checks.verify(self._site), "steady", len(rounds) + 1))
            return [check for check in rounds[-1] if not check.is_green]

        poll(lambda: not red(), within_s=self._pace.settle_within_s, clock=self._clock, every_s=0.5)
        self._course.all_checks.update(check.item for check in rounds[-1])
        if not rounds[-1]:
            raise UsageError(self._site.runbook.slug, "there is no verification check, so nothing could be verified")
        return [check for check in rounds[-1] if not check.is_green]

    def red_until_verified(self, during: str, changed_s: float, rounds: int | None = None) -> list[str]:
        """Run rounds until enough in a row are green; return what is red once the last change had time to settle.

        A system of which less is red with every round is still settling, and gets up to twice that time again: how long
        services take to come up depends on what else the machine has to do just then.

        Args:
            during: Part of the drill.
            changed_s: When the last change was made.
            rounds: How many are enough; None for the pace's, which make "verified".
        """
        enough = self._pace.hold_rounds if rounds is None else rounds
        settled_s = changed_s + self._pace.settle_within_s
        first_green_s = first_ended_s = 0.0
        round_ = green = 0
        before = math.inf
        while True:
            round_ += 1
            round_began_s = self._timeline.now_s()
            red = self.red(during, round_)
            if red:
                green = 0
                late_s = self._timeline.now_s() - settled_s
                if late_s >= 0 and (len(red) >= before or late_s > 2 * self._pace.settle_within_s):
                    return red
                before = len(red)
            else:
                first_green_s = first_green_s if green else round_began_s
                first_ended_s = first_ended_s if green else self._timeline.now_s()
                green += 1
                if green == enough:
                    break
            with self._course.outside():
                self._clock.pause(max(0.0, round_began_s + self._pace.hold_gap_s - self._timeline.now_s()))
        if during == "recovery":
            self._course.restored_s, self._course.held_s = first_green_s, first_ended_s
        return []

    def red(self, during: str, round_: int) -> list[str]:
        """Run one round of verification and return what is red in it."""
        checked = self.checked(self._checks.verify(self._site), during, round_)
        red = [check.item for check in checked if not check.is_green]
        self._course.ever_red.update(red)
        if missing := self._course.all_checks - {check.item for check in checked}:
            raise TargetError("verification", f"a check of the steady state was not run: {', '.join(sorted(missing))}")
        return red

    def record(self, checked: list[Checked], during: str, round_: int = 1) -> None:
        """Record what checks said."""
        self._course.outside_s += sum(check.took_s for check in checked)
        for check in checked:
            self._timeline.add("check", **check.to_event(self._site.runbook), during=during, round=round_)

    def checked(self, checked: list[Checked], during: str, round_: int = 1) -> list[Checked]:
        """Record what checks said, all of which have to be judged.

        Raises:
            TargetError: One of them could not be, so the drill proves nothing. On a replica nothing may be left out:
                everything there can be reached, and may be written to.
        """
        self.record(checked, during, round_)
        for check in checked:
            if not check.is_judged:
                raise TargetError(check.item, f"a check could not be judged: {check.seen}")
        return checked
