"""Limits that a document states for itself, quoted so that an edit of the document is noticed."""

import re
from dataclasses import dataclass
from enum import StrEnum

from drillbook.errors import RunbookError, UsageError
from drillbook.model import Runbook
from drillbook.units import parse_duration

__all__ = ["Budget", "Milestone"]

_UNITS = {"second": "s", "minute": "m", "hour": "h"}


class Milestone(StrEnum):
    """What a limit is about, in production seconds since the fault's confirmed effect."""

    DETECTED = "detected"
    NAMED = "cause named"
    RESTORED = "restored"
    PERSON = "a person's act"


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit.

    Attributes:
        milestone: What must have happened.
        quote: The document's own words; they hold one duration, such as ``within 15 minutes``.
        is_goal: True where missing it is reported and does not fail the drill.
    """

    milestone: Milestone
    quote: str
    is_goal: bool = False

    def limit_s(self) -> float:
        """Return the duration that the quote holds.

        Raises:
            UsageError: It holds none.
        """
        match = re.search(r"(\d+)\s*(second|minute|hour)s?", self.quote)
        if not match:
            raise UsageError("budget", f"expected a duration in {self.quote!r}, found none", hint='"within 15 minutes"')
        return parse_duration(match[1] + _UNITS[match[2]])

    def line(self, runbook: Runbook) -> int:
        """Return the line of the document that says so.

        Raises:
            RunbookError: The document does not say so (any more).
        """
        for number, text in enumerate(runbook.text.splitlines(), 1):
            if self.quote.casefold() in text.replace("*", "").casefold():
                return number
        raise RunbookError(f"{runbook.path}:1", f"a budget quotes {self.quote!r}, which the document does not say")
