"""What the page says of a drill, worked out before the template lays it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from drillbook.alerts import Alert, AlertSelector
from drillbook.errors import UsageError
from drillbook.model import is_titled
from drillbook.outcome import Outcome
from drillbook.report.picture import Picture, draw
from drillbook.report.record import DrillRecord, Event, field_list, field_number, field_text
from drillbook.report.summary import DrillSummary
from drillbook.report.text import Excerpt, duration, excerpt
from drillbook.verdict import combine, outcome_of

__all__ = ["CheckRow", "CommandView", "Compared", "DrillView", "view_drill"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What was declared beside what was seen; ``holds`` is None where it was not seen."""

    what: str
    expected: str
    got: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class CommandView:
    """One command of the document, with what is shown of its output."""

    event: Event
    text: str
    ran: str
    rules: tuple[str, ...]
    out: Excerpt
    err: Excerpt
    dropped_bytes: int
    shown: Event
    """What the table declares that it must print; empty where it declares nothing."""

    @property
    def is_rewritten(self) -> bool:
        """Tell whether something else was run than the document says."""
        return bool(self.ran) and self.ran != self.text

    @property
    def has_output(self) -> bool:
        """Tell whether it printed anything."""
        return bool(self.out.head or self.err.head)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One verification check in all parts of a drill."""

    event: Event
    steady: str
    fault: str
    recovery: str
    last: Event
    is_blind: bool


@dataclass(frozen=True, slots=True)
class Caused:
    """A cause that was named, with the line that says so."""

    title: str
    evidence: str


@dataclass(frozen=True, slots=True)
class LossView:
    """Accepted work that is nowhere any more, with the commands of the document that can have lost it."""

    count: int
    commands: tuple[Event, ...]
    is_declared: bool


@dataclass(frozen=True, slots=True)
class DrillView:
    """A drill as the page shows it."""

    record: DrillRecord
    short: DrillSummary
    pictures: tuple[Picture, ...]
    compared: tuple[Compared, ...]
    causes: tuple[Caused, ...] | None
    diagnosis: tuple[Event, ...]
    commands: tuple[tuple[str, tuple[CommandView, ...]], ...]
    checks: tuple[CheckRow, ...]
    recovery_rounds: int
    losses: tuple[LossView, ...]


def view_drill(record: DrillRecord, short: DrillSummary) -> DrillView:
    """Return what the page shows of a drill."""
    drawn = (draw(record), draw(record, narrow=True))
    return DrillView(
        record=record,
        short=short,
        pictures=tuple(picture for picture in drawn if picture),
        compared=_compared(record, short),
        causes=_causes(record),
        diagnosis=tuple(record.checks("diagnose", "fault")),
        commands=_commands(record),
        checks=tuple(_check_rows(record)),
        recovery_rounds=len(_rounds(record.checks("verify", "recovery"))),
        losses=tuple(_losses(record)),
    )


def _compared(record: DrillRecord, short: DrillSummary) -> tuple[Compared, ...]:
    if not record.expected:
        return ()
    return (_alert(record, short), _cause(record, short), _heals(record, short))


def _alert(record: DrillRecord, short: DrillSummary) -> Compared:
    expected = field_text(record.expected, "alert")
    watched = record.first("alert.none")
    if not short.alerts and not watched:
        return Compared("Alert", expected or "none fires", "not seen: the drill did not come so far", None)
    silence = f"none in {duration(watched.get('watched_s'))}"
    if not expected:
        return Compared("Alert", "none fires", ", ".join(dict.fromkeys(short.alerts)) or silence, not short.alerts)
    wanted, fired = _selector(expected), [_alert_of(event) for event in record.of("alert.fired")]
    return Compared("Alert", expected, ", ".join(wanted.tell(fired)) or silence, wanted.is_among(fired))


def _selector(text: str) -> AlertSelector:
    try:
        return AlertSelector.parse(text, "record")
    except UsageError:  # a record may hold any text; a table may not
        return AlertSelector(text)


def _alert_of(event: Event) -> Alert:
    labels = event.get("labels")
    return Alert(field_text(event, "alert"), labels if isinstance(labels, dict) else {})


def _cause(record: DrillRecord, short: DrillSummary) -> Compared:
    expected = field_text(record.expected, "cause")
    declared = expected or "unknown to the document"
    if short.causes is None:
        return Compared("Cause", declared, "not seen: the drill did not come so far", None)
    got = ", ".join(short.causes) or "none named"
    others = [title for title in short.causes if not (expected and is_titled(title, expected))]
    return Compared("Cause", declared, got, not others and bool(short.causes) == bool(expected))


def _heals(record: DrillRecord, short: DrillSummary) -> Compared:
    expected = field_text(record.expected, "heals")
    declared = expected or "nothing in the document"
    if not record.end:
        return Compared("Healed by", declared, "not seen: the drill did not come so far", None)
    if short.restored_s is None:
        tried = f"nothing (tried: {', '.join(short.route)})" if short.route else "nothing"
        return Compared("Healed by", declared, tried, not expected)
    healer = short.route[-1] if short.route else "the fault ended by itself"
    return Compared("Healed by", declared, healer, bool(expected) and is_titled(healer, expected))


def _causes(record: DrillRecord) -> tuple[Caused, ...] | None:
    named = record.first("cause.named")
    if not named:
        return None
    evidence = named.get("evidence")
    titles = [str(title) for title in field_list(named, "causes")]
    if isinstance(evidence, dict):
        return tuple(Caused(title, str(evidence.get(title) or "")) for title in titles)
    lines = [str(line) for line in field_list(named, "evidence")]
    lines += [""] * (len(titles) - len(lines))
    return tuple(Caused(title, line) for title, line in zip(titles, lines, strict=False))


def _commands(record: DrillRecord) -> tuple[tuple[str, tuple[CommandView, ...]], ...]:
    shown = {field_text(event, "id"): event for event in record.of("shown")}
    groups = groupby(record.of("command"), key=lambda event: field_text(event, "phase") or "other")
    return tuple(
        (phase, tuple(_command(event, shown.get(field_text(event, "id"), {})) for event in events))
        for phase, events in groups
    )


def _command(event: Event, shown: Event) -> CommandView:
    dropped = field_number(event, "dropped_bytes")
    return CommandView(
        event=event,
        text=field_text(event, "text"),
        ran=field_text(event, "ran"),
        rules=tuple(str(rule) for rule in field_list(event, "rules")),
        out=excerpt(field_text(event, "stdout")),
        err=excerpt(field_text(event, "stderr")),
        dropped_bytes=int(dropped or 0),
        shown=shown,
    )


def _losses(record: DrillRecord) -> Iterator[LossView]:
    run = {field_text(event, "id"): event for event in record.of("command")}
    declared = set(map(str, field_list(record.expected, "loses")))
    for loss in field_list(record.first("work"), "losses"):
        if isinstance(loss, dict):
            ids = [str(id_) for id_ in field_list(loss, "by")]
            commands = tuple(run.get(id_, {"id": id_}) for id_ in ids)
            yield LossView(int(field_number(loss, "count") or 0), commands, bool(declared & set(ids)))


def _rounds(checks: Sequence[Event]) -> list[object]:
    return list(dict.fromkeys(str(check.get("round")) for check in checks))


def _check_rows(record: DrillRecord) -> list[CheckRow]:
    items = dict.fromkeys(field_text(check, "item") for check in record.checks("verify", "steady", "fault", "recovery"))
    never_red = {str(item) for item in field_list(record.end, "never_red")}
    return [_check_row(record, item, is_blind=item in never_red) for item in items]


def _check_row(record: DrillRecord, item: str, *, is_blind: bool) -> CheckRow:
    def said(during: str) -> list[Event]:
        return [check for check in record.checks("verify", during) if field_text(check, "item") == item]

    after = said("recovery")
    every = [*said("steady"), *said("fault"), *after]
    reds = [check for check in every if outcome_of(check.get("outcome")) is not Outcome.PASSED]
    return CheckRow(
        event=every[-1],
        steady=_word(said("steady")[-1:]),
        fault=_word(said("fault")),
        recovery=_word(after[-1:]),
        last=reds[-1] if reds else every[-1],
        is_blind=is_blind,
    )


def _word(checks: Sequence[Event]) -> str:
    if not checks:
        return ""
    return str(combine(outcome_of(check.get("outcome")) for check in checks))
