"""What the records of runs prove of a runbook's commands and instructions; pure functions over events."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drillbook.ledger.judgement import judge_output
from drillbook.ledger.rows import Row, row_of_event
from drillbook.outcome import Outcome

__all__ = ["Kind", "Proof", "documents_of", "newest", "proofs_of"]

Event = Mapping[str, Any]
_Judge = Callable[[Row, Event, int], tuple[str, str]]
_NOBODY = Row("", 0, "", "")

_COUNTS = frozenset({Outcome.PASSED, Outcome.NOT_COVERED})
"""A drill that ended otherwise proves nothing of the commands that it ran."""
_HEALTHY = frozenset({"verify", "communicate", "escalate"})
"""Phases whose commands a drill runs after the recovery, on a system that is well again."""


class Kind(StrEnum):
    """How a row was accounted for."""

    DRILLED = "drilled"
    CHECKED = "checked"
    TOLD = "told"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that a run says of one row.

    Attributes:
        id: Of the row; empty where a drill failed as a whole, which takes back what it had proved before.
        kind: ``drilled``, ``checked``, ``told`` or ``by hand``.
        by: The drill (``slug/case``) or the check.
        utc: When.
        verdict: PASSED, or FAILED with what is wrong in ``why``.
        text: What the row said then (``Row.said``).
        rules: Names of the rules that rewrote the command.
        why: What is wrong, or what was done by hand.
    """

    id: str
    kind: str
    by: str
    utc: str
    verdict: str
    text: str
    rules: tuple[str, ...] = ()
    why: str = ""


def documents_of(events: Iterable[Event]) -> dict[str, list[Row]]:
    """Return the rows of the documents that a record is about, by slug."""
    found: dict[str, list[Row]] = {}
    for event in events:
        rows = event.get("rows")
        if event.get("kind") == "document" and isinstance(rows, list):
            found[str(event.get("runbook"))] = [row_of_event(row) for row in rows if isinstance(row, Mapping)]
    return found


def proofs_of(events: Iterable[Event], slug: str) -> list[Proof]:
    """Return what a record proves of one document.

    Args:
        events: Of one run.
        slug: The document.

    A record without the rows of the document (``document`` events) proves nothing of it.
    """
    events = list(events)
    rows = {row.id: row for row in documents_of(events).get(slug, [])}
    if not rows:
        return []
    found: list[Proof] = []
    by_drill: dict[str, list[Event]] = {}
    for event in events:
        drill = event.get("drill")
        if drill:
            by_drill.setdefault(str(drill), []).append(event)
        elif event.get("kind") == "check":
            found += _of_check(event, rows, str(event.get("item")))
    for drill, own in by_drill.items():
        if drill.partition("/")[0] == slug:
            found += _of_drill(drill, own, rows)
    return found


def _of_drill(drill: str, events: list[Event], rows: Mapping[str, Row]) -> Iterator[Proof]:
    end = next((event for event in events if event.get("kind") == "drill.end"), {})
    if str(end.get("outcome")) == Outcome.FAILED:
        yield Proof("", Kind.DRILLED, drill, str(end.get("utc")), Outcome.FAILED, "")
    if str(end.get("outcome")) not in _COUNTS:
        return
    healed = {
        str(event.get("scenario")) for event in events if event.get("kind") == "route.end" and not event.get("red")
    }
    arrived = [_fields(event.get("body")) for event in events if event.get("kind") == "posted"]
    is_recovering = is_well = False
    for event in events:
        match event.get("kind"):
            case "route":
                is_recovering = True
            case "restored":
                is_well = True
            case "rehearsal":
                yield from _of_command(event, rows, drill, _on_a_healthy_system)
            case "command" if is_well and str(event.get("phase")) in _HEALTHY:
                if not rows.get(str(event.get("id")), _NOBODY).is_told:
                    yield from _of_command(event, rows, drill, _on_a_healthy_system)
                elif any(fields and _says(event, fields) for fields in arrived):
                    yield from _of_command(event, rows, drill, _told)
            case "command" if is_recovering and not is_well and str(event.get("scenario")) in healed:
                yield from _of_command(event, rows, drill, _in_a_recovery_that_healed)
            case "hand" if event.get("did"):
                yield from _by_hand(event, rows, drill)
            case "check":
                yield from _of_check(event, rows, str(event.get("item")))


def _by_hand(event: Event, rows: Mapping[str, Row], drill: str) -> Iterator[Proof]:
    row = rows.get(str(event.get("step")))
    if row:
        yield Proof(
            row.id, Kind.BY_HAND, drill, str(event.get("utc")), Outcome.PASSED, row.said, (), str(event.get("did"))
        )


def _says(event: Event, fields: Iterable[str]) -> bool:
    """True where a command holds every field of what arrived; quoting and layout differ between the two."""
    ran = _plain(event.get("ran"))
    return all(field and field in ran for field in fields)


def _fields(body: object, name: str = "") -> list[str]:
    """Return a message's fields, each as its name and its value in letters and digits; a plain text is one field.

    One without a value is empty: a form that was cut at a character which it should have encoded has such fields.
    """
    match body:
        case Mapping():
            return [field for key, value in body.items() for field in _fields(value, str(key))]
        case list() | tuple():
            return [field for value in body for field in _fields(value)]
        case str():
            return [_plain(name + body) if _plain(body) else ""]
        case _:
            return [_plain(name + json.dumps(body))]


def _plain(value: object) -> str:
    return re.sub(r"\W|_", "", str(value))


def _of_command(event: Event, rows: Mapping[str, Row], drill: str, judge: _Judge) -> Iterator[Proof]:
    row = rows.get(str(event.get("id")))
    status = event.get("exit_status")
    if row is None or row.text != event.get("text") or event.get("skipped") or not isinstance(status, int):
        return
    kind, why = judge(row, event, status)
    rules = tuple(_strings(event.get("rules")))
    verdict = Outcome.FAILED if why else Outcome.PASSED
    yield Proof(row.id, kind, drill, str(event.get("utc")), verdict, row.said, rules, why)


def _on_a_healthy_system(row: Row, event: Event, status: int) -> tuple[str, str]:
    expects = row.expects if row.phase == "verify" else ""
    out, err = str(event.get("stdout") or ""), str(event.get("stderr") or "")
    return Kind.DRILLED, judge_output(str(event.get("ran") or row.text), status, out, err, expects)


def _told(row: Row, event: Event, status: int) -> tuple[str, str]:
    return Kind.TOLD, f"exit status {status}" if status else ""


def _in_a_recovery_that_healed(row: Row, event: Event, status: int) -> tuple[str, str]:
    out, err = str(event.get("stdout") or ""), str(event.get("stderr") or "")
    return Kind.DRILLED, judge_output(str(event.get("ran") or row.text), status, out, err)


def _of_check(event: Event, rows: Mapping[str, Row], item: str) -> Iterator[Proof]:
    if event.get("outcome") != Outcome.PASSED or event.get("during") == "fault":
        return
    # What a diagnosis check covers is the cause that it names; the commands of that scenario did not run yet.
    named = _strings(event.get("covers")) if event.get("job") != "diagnose" else []
    reads = set(_strings(event.get("reads")))
    for row in rows.values():
        if row.id in reads or any(_names(id_, row) for id_ in named):
            yield Proof(row.id, Kind.CHECKED, item, str(event.get("utc")), Outcome.PASSED, row.said)


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _names(id_: str, row: Row) -> bool:
    """True where an id in ``covers`` is the row's own or its step's; a whole section is a cause, not a proof."""
    return id_ in (row.id, row.step) and re.search(r"#\d+", id_) is not None


def newest(proofs: Iterable[Proof]) -> dict[tuple[str, str], Proof]:
    """Return, for every row and every drill or check, its newest proof; later wins."""
    found: dict[tuple[str, str], Proof] = {}
    for proof in proofs:
        key = (proof.id, f"{proof.kind} {proof.by}")
        if key not in found or found[key].utc <= proof.utc:
            found[key] = proof
    return found
