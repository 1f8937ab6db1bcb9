"""A run's record, sorted by what belongs together; what a record lacks or has wrong is empty, never an exception."""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.errors import EvidenceError
from drillbook.outcome import Outcome
from drillbook.verdict import combine, deciding_checks, outcome_of

__all__ = ["DrillRecord", "Event", "Record", "field_list", "field_number", "field_text", "read_run", "sort_out"]

Event = Mapping[str, Any]


def read_run(folder: Path) -> list[dict[str, Any]]:
    """Return the events of a run's folder: ``run.jsonl`` and the workers' ``run-*.jsonl``, merged by time.

    A line that is no JSON object (a kill or a full disk cut it) becomes a note.

    Raises:
        EvidenceError: The folder has no record.
    """
    paths = sorted(folder.glob("run-*.jsonl"))
    main = folder / "run.jsonl"
    if main.is_file() or not paths:
        paths.insert(0, main)
    return list(heapq.merge(*map(_read, paths), key=lambda event: str(event.get("utc") or "")))


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        hint = "give the folder of a run: it holds run.jsonl"
        raise EvidenceError(str(path), f"no record can be read: {error.strerror}", hint=hint) from error
    events: list[dict[str, Any]] = []
    latest = ""
    # JSON escapes line feeds only; other characters that end lines for str.splitlines stand inside its strings.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        event = _parsed(line)
        if event is None:
            event = {"kind": "note", "text": f"line {number} of {path.name} is cut off and cannot be read"}
        # A clock that was set back must not turn the order of a file around.
        latest = max(latest, str(event.get("utc") or ""))
        events.append({**event, "utc": latest})
    return events


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def field_text(event: Event, name: str) -> str:
    """Return a field as text; empty where it is missing or null."""
    value = event.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def field_number(event: Event, name: str) -> float | None:
    """Return a field as a finite number, or None."""
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None


def field_list(event: Event, name: str) -> list[Any]:
    """Return a field as a list; a single value becomes a list of one."""
    value = event.get(name)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


@dataclass(slots=True)
class DrillRecord:
    """The events of one drill.

    Attributes:
        id: Of the drill, ``slug/case``.
        number: Ordinal in the run, from 1; anchors of the page are made of it.
        begin: ``drill.begin``; empty where it is missing.
        end: ``drill.end``; empty where the run was cut before it.
        events: All of them, in order.
    """

    id: str
    number: int
    begin: Event = field(default_factory=dict)
    end: Event = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """Return how it ended; UNKNOWN where it did not."""
        return outcome_of(self.end.get("outcome")) if self.end else Outcome.UNKNOWN

    @property
    def expected(self) -> Event:
        """Return what the table declares: ``alert``, ``cause``, ``heals``, ``loses``, ``shows``."""
        value = self.begin.get("expected")
        return value if isinstance(value, dict) else {}

    def of(self, *kinds: str) -> list[Event]:
        """Return the events of these kinds, in order."""
        return [event for event in self.events if event.get("kind") in kinds]

    def first(self, kind: str) -> Event:
        """Return the first event of a kind, or an empty one."""
        return next(iter(self.of(kind)), {})

    def checks(self, job: str, *during: str) -> list[Event]:
        """Return the check events of one job in one or more parts of the drill."""
        return [check for check in self.of("check") if check.get("job") == job and check.get("during") in during]

    def open_phase(self) -> str | None:
        """Return the phase that was running where the record of a drill without an end stops."""
        phase = None
        for event in self.of("phase.begin", "phase.end"):
            phase = field_text(event, "phase") if event.get("kind") == "phase.begin" else None
        return None if self.end else phase


@dataclass(slots=True)
class Record:
    """A whole run.

    Attributes:
        events: All of them, in order.
        begin: ``run.begin``; empty where it is missing.
        end: ``run.end``; empty where the run was killed.
        checks: ``check`` events of a real system, one each, from its deciding round.
        drills: In the order of their beginning.
    """

    events: Sequence[Event]
    begin: Event = field(default_factory=dict)
    end: Event = field(default_factory=dict)
    checks: list[Event] = field(default_factory=list)
    drills: list[DrillRecord] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Event]:
        """Yield the events of these kinds that belong to no drill."""
        return (event for event in self.events if event.get("kind") in kinds and not event.get("drill"))


def _is_no_better(end: Event, other: Event) -> bool:
    """True where the end of a drill that ran twice is as grave as the other: that it passed once takes nothing back."""
    outcome = combine([outcome_of(end.get("outcome"))])
    return not other or combine([outcome, outcome_of(other.get("outcome"))]) is outcome


def sort_out(events: Iterable[Event]) -> Record:
    """Return the record of a run, sorted by drills."""
    record = Record([event for event in events if isinstance(event, Mapping)])
    drills: dict[str, DrillRecord] = {}
    for event in record.events:
        kind = event.get("kind")
        if kind == "run.begin" and not record.begin:
            record.begin = event
        elif kind == "run.end":
            record.end = event
        if not event.get("drill"):
            continue
        id_ = field_text(event, "drill")
        drill = drills.setdefault(id_, DrillRecord(id_, len(drills) + 1))
        drill.events.append(event)
        if kind == "drill.begin":
            drill.begin = event
        elif kind == "drill.end" and _is_no_better(event, drill.end):
            drill.end = event
    record.drills = list(drills.values())
    record.checks = deciding_checks(record.events)
    return record
