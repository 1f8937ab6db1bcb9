"""The report as HTML: no script, no outside resource, nothing in it but what was seen."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from drillbook.ledger import account_of_record
from drillbook.outcome import Outcome
from drillbook.report.record import Event, Record, field_number, sort_out
from drillbook.report.summary import Summary, summarise
from drillbook.report.text import duration, excerpt, instant, one_line, percent, readable
from drillbook.report.views import DrillView, view_drill
from drillbook.verdict import outcome_of

__all__ = ["page_html", "stylesheet", "summary_html"]

_TONES = {
    Outcome.PASSED: "good",
    Outcome.FAILED: "bad",
    Outcome.UNKNOWN: "unsure",
    Outcome.ERROR: "unsure",
    Outcome.NOT_COVERED: "gap",
    Outcome.NOT_CHECKED: "none",
}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One check of a real system over all its rounds."""

    event: Event
    rounds: int
    green: int


def summary_html(events: Iterable[Event], utc: datetime | None = None) -> str:
    """Return the report as a fragment that can stand in another page; it brings its style along.

    Args:
        events: JSON objects of the record, in the order of time; the record may be cut anywhere.
        utc: Now, for a run that is ending; see ``verdict_of``.
    """
    record = sort_out(events)
    return _environment().get_template("fragment.html.j2").render(_context(record, utc))


def page_html(events: Iterable[Event], utc: datetime | None = None) -> str:
    """Return the report as a whole page that needs nothing else and lets nothing run.

    Args:
        events: JSON objects of the record, in the order of time; the record may be cut anywhere.
        utc: Now, for a run that is ending; see ``verdict_of``.
    """
    record = sort_out(events)
    digest = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _environment().get_template("page.html.j2").render(_context(record, utc), policy=policy)


def stylesheet() -> str:
    """Return the style of the report, as it stands in the page."""
    source, _, _ = _loader().get_source(_environment(), "style.css")
    return source


def _context(record: Record, utc: datetime | None) -> dict[str, object]:
    summary = summarise(record.events, utc)
    return {
        "summary": summary,
        "style": Markup(stylesheet()),  # noqa: S704  a file of this package, not text from a run
        "took_s": _took_s(record),
        "drills": _drills(record, summary),
        "items": _items(record),
        "notes": list(record.of("note")),
        "accounts": account_of_record(record.events),
    }


def _took_s(record: Record) -> float | None:
    times = [at_s for event in record.events if (at_s := field_number(event, "at_s")) is not None]
    return max(times) - min(times) if times else None


def _drills(record: Record, summary: Summary) -> list[DrillView]:
    return [view_drill(drill, short) for drill, short in zip(record.drills, summary.drills, strict=True)]


def _items(record: Record) -> list[ItemRow]:
    said: dict[tuple[str, str], list[Outcome]] = {}
    for check in record.of("check"):
        said.setdefault(_key(check), []).append(outcome_of(check.get("outcome")))
    return [ItemRow(check, len(said[_key(check)]), said[_key(check)].count(Outcome.PASSED)) for check in record.checks]


def _key(check: Event) -> tuple[str, str]:
    return str(check.get("job")), str(check.get("item"))


def _tone(outcome: object) -> str:
    return _TONES[outcome_of(outcome)]


def _finalize(value: object) -> object:
    """Make whatever a template prints readable, so that no field of a record can be forgotten."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) else readable(str(value))


@cache
def _loader() -> PackageLoader:
    return PackageLoader("drillbook.report", "templates")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_loader(), autoescape=True, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        duration=duration, percent=percent, instant=instant, one_line=one_line, excerpt=excerpt, tone=_tone
    )
    return environment
