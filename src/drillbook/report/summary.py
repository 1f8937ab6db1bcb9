"""A run in a few hundred bytes: what ``summary.json`` holds, and what a message about the run is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from drillbook.outcome import Outcome
from drillbook.report.record import DrillRecord, Event, Record, field_list, field_number, field_text, sort_out
from drillbook.report.text import one_line
from drillbook.verdict import Verdict, interrupted_at, outcome_of, verdict_of

__all__ = ["Blocker", "DrillSummary", "NotChecked", "Summary", "summarise"]

FORMAT = 1
_GRAVE = (Outcome.FAILED, Outcome.ERROR, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Blocker:
    """What stands between the run and PASSED.

    Attributes:
        item: The check, or the drill.
        outcome: FAILED, UNKNOWN or ERROR.
        claim: The sentence that did not hold.
        expected: What should have been seen.
        seen: What was seen.
        next: What to do next.
        step: Id of the runbook's step, or empty.
        line: Its line in the runbook, or None.
        drill: Id of the drill that it was seen in, or None.
    """

    item: str
    outcome: str
    claim: str = ""
    expected: str = ""
    seen: str = ""
    next: str = ""
    step: str = ""
    line: int | None = None
    drill: str | None = None


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A check that was not run, and why."""

    item: str
    claim: str
    why: str


@dataclass(frozen=True, slots=True)
class DrillSummary:
    """One drill in a line.

    Attributes:
        id: ``slug/case``.
        outcome: PASSED, FAILED, UNKNOWN or NOT COVERED.
        reasons: Why; empty where it passed.
        faults: Sentences.
        seed: For a repetition.
        expected: What the table declares: ``alert``, ``cause``, ``heals``, ``loses``, ``shows``.
        alerts: Alerts that fired.
        causes: Scenarios that diagnosis named; None where it did not come so far.
        route: Scenarios that were carried out, in order.
        detected_s: Drill seconds from the confirmed effect to the alert.
        named_s: The same, to the named cause.
        restored_s: The same, to the first green round that held.
        production_s: What ``restored_s`` means in production.
        took_s: Of the whole drill.
        engine_s: Of these, the engine's own.
        failed_requests: Of the client that kept calling.
        budget_ratio: Share of the error budget that the outage took, production seconds.
        accepted_work: Pieces of work that the system took over from that client; None where it keeps none.
        lost_work: Of these, those that are nowhere any more.
        undeclared: Keys of what was left behind and not declared.
        running: Phase in which the record stops, or None.
    """

    id: str
    outcome: str
    reasons: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    seed: int | None = None
    expected: Mapping[str, Any] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    causes: tuple[str, ...] | None = None
    route: tuple[str, ...] = ()
    detected_s: float | None = None
    named_s: float | None = None
    restored_s: float | None = None
    production_s: float | None = None
    took_s: float | None = None
    engine_s: float | None = None
    failed_requests: int | None = None
    budget_ratio: float | None = None
    accepted_work: int | None = None
    lost_work: int | None = None
    undeclared: tuple[str, ...] = ()
    running: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in short.

    Attributes:
        run: Name of its folder.
        job: ``verify``, ``diagnose`` or ``chaos``.
        target: The real system, or None.
        incident: Or None.
        verdict: PASSED, NOT COVERED, UNKNOWN or FAILED.
        words: The same as a sentence.
        reasons: Why it is not PASSED, the gravest first.
        began: First time in the record, ISO 8601, UTC.
        as_of: Last one; when the verdict was true.
        rounds: Green rounds in a row up to the last.
        held_s: Seconds that they span.
        checks: Counts: ``total``, ``ran``, ``green``, ``red``, ``unknown``, ``errors``, ``not_checked``.
        drill_counts: The same of drills, with ``not_covered``.
        blockers: What stands in the way, the gravest first.
        not_checked: What was not run, and why.
        drills: One each.
        blind: Checks that never went red under any fault.
        running: What was running where the record stops without an end, or None.
        exit_status: Pytest's own, or None.
        versions: Name -> version.
        format: Of this file.
    """

    run: str
    job: str
    target: str | None
    incident: str | None
    verdict: str
    words: str
    reasons: tuple[str, ...]
    began: str | None
    as_of: str | None
    rounds: int
    held_s: float | None
    checks: Mapping[str, int]
    drill_counts: Mapping[str, int]
    blockers: tuple[Blocker, ...]
    not_checked: tuple[NotChecked, ...]
    drills: tuple[DrillSummary, ...]
    blind: tuple[str, ...]
    running: str | None
    exit_status: int | None
    versions: Mapping[str, str]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds."""
        return asdict(self)


def summarise(events: Iterable[Event], utc: datetime | None = None) -> Summary:
    """Return a run in short.

    Args:
        events: JSON objects of its record, in the order of time; the record may be cut anywhere.
        utc: Now, for a run that is ending; see ``verdict_of``.
    """
    record = sort_out(events)
    verdict = verdict_of(record.events, utc)
    return Summary(
        run=field_text(record.begin, "run") or "?",
        job=field_text(record.begin, "job") or "?",
        target=field_text(record.begin, "target") or None,
        incident=field_text(record.begin, "incident") or None,
        verdict=str(verdict.outcome),
        words=verdict.words,
        reasons=verdict.reasons,
        began=next((stamp for event in record.events if (stamp := field_text(event, "utc"))), None),
        as_of=f"{verdict.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if verdict.as_of else None,
        rounds=verdict.rounds,
        held_s=verdict.held_s,
        checks=_counts(verdict, "checks"),
        drill_counts=_counts(verdict, "drills"),
        blockers=tuple(_blockers(record)),
        not_checked=tuple(_not_checked(record.checks)),
        drills=tuple(_drill(drill) for drill in record.drills),
        blind=tuple(str(item) for event in record.of("blind") for item in field_list(event, "items")),
        running=None if utc else interrupted_at(record.events),
        exit_status=_whole(record.end, "exit_status"),
        versions={str(name): str(each) for name, each in _mapping(record.begin, "versions").items()},
    )


def _counts(verdict: Verdict, what: str) -> dict[str, int]:
    counts = verdict.checks if what == "checks" else verdict.drills
    every = {"total": counts.total, "ran": counts.ran, **asdict(counts)}
    if what == "checks":
        del every["not_covered"]
    return every


def _whole(event: Event, name: str) -> int | None:
    number = field_number(event, name)
    return None if number is None else int(number)


def _mapping(event: Event, name: str) -> Mapping[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _blockers(record: Record) -> list[Blocker]:
    blockers = [_blocker(check) for check in record.checks if outcome_of(check.get("outcome")) in _GRAVE]
    for drill in record.drills:
        if drill.outcome not in _GRAVE:
            continue
        reasons = _reasons(drill)
        red = _still_red(drill)
        lead = Blocker(
            item=drill.id,
            outcome=str(drill.outcome),
            claim="; ".join(map(str, field_list(drill.begin, "faults"))) or "no fault",
            seen="\n".join(reasons),
            next=red[0].next if red else "",
            step=red[0].step if red else "",
            line=red[0].line if red else None,
            drill=drill.id,
        )
        blockers.append(lead)
    return sorted(blockers, key=lambda blocker: _GRAVE.index(outcome_of(blocker.outcome)))


def _still_red(drill: DrillRecord) -> list[Blocker]:
    """Return the verification checks that were red in the last round after the recovery."""
    last = {field_text(check, "item"): check for check in drill.checks("verify", "recovery")}
    return [_blocker(check) for check in last.values() if outcome_of(check.get("outcome")) in _GRAVE]


def _blocker(check: Event) -> Blocker:
    return Blocker(
        item=field_text(check, "item"),
        outcome=str(outcome_of(check.get("outcome"))),
        claim=field_text(check, "claim"),
        expected=field_text(check, "expected"),
        seen=field_text(check, "seen"),
        next=field_text(check, "next"),
        step=next((str(id_) for id_ in field_list(check, "covers")), ""),
        line=_whole(check, "line"),
        drill=field_text(check, "drill") or None,
    )


def _not_checked(checks: Sequence[Event]) -> list[NotChecked]:
    return [
        NotChecked(
            field_text(check, "item"), field_text(check, "claim"), field_text(check, "seen") or "no reason is recorded"
        )
        for check in checks
        if outcome_of(check.get("outcome")) is Outcome.NOT_CHECKED
    ]


def _reasons(drill: DrillRecord) -> tuple[str, ...]:
    if drill.end:
        return tuple(map(str, field_list(drill.end, "reasons")))
    phase = drill.open_phase()
    return (f"the record stops before the drill's end{f', in phase {one_line(phase)}' if phase else ''}",)


def _drill(drill: DrillRecord) -> DrillSummary:
    named, impact, work = (drill.first(kind) for kind in ("cause.named", "impact", "work"))
    passed_over = {field_text(event, "passed_over") for event in drill.of("note")}
    changes = [change for event in drill.of("residue") for change in field_list(event, "changes")]
    return DrillSummary(
        id=drill.id,
        outcome=str(drill.outcome),
        reasons=_reasons(drill),
        faults=tuple(map(str, field_list(drill.begin, "faults"))),
        seed=_whole(drill.begin, "seed"),
        expected=dict(drill.expected),
        alerts=tuple(field_text(event, "alert") for event in drill.of("alert.fired")),
        causes=tuple(map(str, field_list(named, "causes"))) if named else None,
        route=tuple(
            title for event in drill.of("route") if (title := field_text(event, "scenario")) not in passed_over
        ),
        detected_s=field_number(drill.first("alert.fired"), "since_t0_s"),
        named_s=field_number(named, "since_t0_s"),
        restored_s=field_number(drill.first("restored"), "since_t0_s"),
        production_s=field_number(drill.end, "production_s"),
        took_s=field_number(drill.end, "took_s"),
        engine_s=field_number(drill.end, "engine_s"),
        failed_requests=_whole(impact, "failed"),
        budget_ratio=field_number(impact, "budget_ratio"),
        accepted_work=_whole(work, "accepted"),
        lost_work=_whole(work, "lost"),
        undeclared=tuple(
            field_text(change, "key") for change in changes if isinstance(change, dict) and not change.get("declared")
        ),
        running=drill.open_phase(),
    )
