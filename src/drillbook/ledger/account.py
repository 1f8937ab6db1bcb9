"""The account: every row of a document with what is known of it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drillbook.ledger.proofs import Kind, Proof, newest
from drillbook.ledger.rows import Row
from drillbook.model import Phase
from drillbook.outcome import Outcome
from drillbook.redact import Redactor

__all__ = ["Account", "Entry", "State", "account"]


class State(StrEnum):
    """What is known of a row; the first that holds is told."""

    DRILLED = "drilled"
    REWRITTEN = "rewritten"
    CHECKED = "checked"
    BY_HAND = "done by hand"
    TOLD = "told"
    HUMAN_ONLY = "human-only"
    UNCOVERED = "uncovered"


_FOR_PEOPLE = {
    Phase.COMMUNICATE: "speaks to people",
    Phase.ESCALATE: "calls people",
    Phase.PREVENT: "work for the days after the incident",
}
"""Instructions of these phases act on people, not on the system: there is nothing that a drill could break."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row and what is known of it.

    Attributes:
        row: The command or instruction.
        state: How it is accounted for.
        proofs: Newest of each drill and check, the newest first; those about an older text are not among them.
        why: Why only a person can do it, what was done by hand, how it was rewritten, or what is wrong.
        outdated: Drills and checks that passed on another text: the edit has taken their proof away.
    """

    row: Row
    state: State
    proofs: tuple[Proof, ...] = ()
    why: str = ""
    outdated: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``FAILED`` where the newest word of any drill says so, ``PASSED`` where all hold, else empty."""
        if any(proof.verdict != Outcome.PASSED for proof in self.proofs):
            return Outcome.FAILED
        return Outcome.PASSED if self.proofs else ""

    def to_json(self) -> dict[str, Any]:
        """Return what ``ledger --json`` says of the row."""
        return {
            **{name: getattr(self.row, name) for name in ("id", "line", "phase", "text", "effect")},
            "state": self.state,
            "verdict": self.verdict or None,
            "why": self.why or None,
            "drills": _names(self.proofs, Kind.DRILLED, Kind.TOLD, Kind.BY_HAND),
            "checks": _names(self.proofs, Kind.CHECKED),
            "rules": sorted({rule for proof in self.proofs for rule in proof.rules}),
            "when": self.proofs[0].utc if self.proofs else None,
            "outdated": list(self.outdated),
        }


def _names(proofs: Iterable[Proof], *kinds: str) -> list[str]:
    return sorted({proof.by for proof in proofs if proof.kind in kinds})


@dataclass(frozen=True, slots=True)
class Account:
    """A document, accounted for.

    Attributes:
        slug: The document.
        entries: One a row, in the document's order.
        gone: Rows that were proved once and are no longer in the document, with what proved them.
        broken: Drills whose last run failed: what they had proved before does not count.
    """

    slug: str
    entries: tuple[Entry, ...]
    gone: tuple[tuple[str, tuple[str, ...]], ...] = ()
    broken: tuple[str, ...] = ()

    def of(self, *states: State) -> list[Entry]:
        """Return the entries in these states."""
        return [entry for entry in self.entries if entry.state in states]

    @property
    def covered(self) -> int:
        """How many rows are neither uncovered nor red."""
        return sum(entry.state is not State.UNCOVERED and entry.verdict != Outcome.FAILED for entry in self.entries)

    @property
    def covered_ratio(self) -> float:
        """Share of these rows; 1 where the document asks nothing."""
        return self.covered / len(self.entries) if self.entries else 1.0

    @property
    def outdated(self) -> dict[str, list[str]]:
        """Drills and checks whose proof an edit has taken away, with the rows concerned."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            for name in entry.outdated:
                found.setdefault(name, []).append(entry.row.id)
        for id_, names in self.gone:
            for name in names:
                found.setdefault(name, []).append(id_)
        return found

    @property
    def failed(self) -> list[Entry]:
        """Rows of which the newest word of some drill says that they do not work."""
        return [entry for entry in self.entries if entry.verdict == Outcome.FAILED]

    def to_json(self) -> dict[str, Any]:
        """Return what ``ledger --json`` writes."""
        return {
            "runbook": self.slug,
            "rows": len(self.entries),
            "commands": sum(bool(entry.row.effect) for entry in self.entries),
            "states": {state.value: len(self.of(state)) for state in State},
            "covered_ratio": round(self.covered_ratio, 4),
            "outdated": self.outdated,
            "broken": list(self.broken),
            "entries": [entry.to_json() for entry in self.entries],
        }


@dataclass(slots=True)
class _Known:
    proofs: list[Proof] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)


def account(slug: str, rows: Sequence[Row], proofs: Iterable[Proof]) -> Account:
    """Account for every row of a document.

    Args:
        slug: The document.
        rows: Of the document as it is now.
        proofs: What runs and the lock file say; a proof counts only while the row says what it said then.
    """
    by_row: dict[str, _Known] = {}
    redactor = Redactor()
    texts = {row.id: redactor.clean(row.said) for row in rows}  # records hold no secrets
    gone: dict[str, list[str]] = {}
    known = newest(proofs)
    broken = _broken(known.values())
    for proof in known.values():
        if not proof.id or (proof.by in broken and proof.kind is not Kind.CHECKED):
            continue
        if proof.id not in texts:
            gone.setdefault(proof.id, []).append(proof.by)
        elif texts[proof.id] == proof.text:
            by_row.setdefault(proof.id, _Known()).proofs.append(proof)
        else:
            by_row.setdefault(proof.id, _Known()).outdated.append(proof.by)
    entries = tuple(_entry(row, by_row.get(row.id, _Known())) for row in rows)
    missing = tuple((id_, tuple(sorted(names))) for id_, names in sorted(gone.items()))
    return Account(slug, entries, missing, tuple(sorted(broken)))


def _broken(proofs: Collection[Proof]) -> set[str]:
    """Return the drills that failed as a whole after the last time that they proved anything."""
    failed = {proof.by: proof.utc for proof in proofs if not proof.id}
    last: dict[str, str] = {}
    for proof in proofs:
        if proof.id and proof.kind is not Kind.CHECKED:
            last[proof.by] = max(last.get(proof.by, ""), proof.utc)
    return {by for by, utc in failed.items() if utc >= last.get(by, "")}


def _entry(row: Row, known: _Known) -> Entry:
    proofs = sorted(known.proofs, key=lambda proof: proof.utc, reverse=True)
    renewed = {proof.by for proof in proofs}
    outdated = tuple(sorted(set(known.outdated) - renewed))
    state, why = _state(row, proofs)
    return Entry(row, state, tuple(proofs), why, outdated)


def _state(row: Row, proofs: Sequence[Proof]) -> tuple[State, str]:
    of_kind = {kind: [proof for proof in proofs if proof.kind == kind] for kind in Kind}
    drilled = of_kind[Kind.DRILLED]
    if drilled:
        rules = sorted({rule for proof in drilled for rule in proof.rules})
        why = next((proof.why for proof in drilled if proof.why), "")
        return (State.REWRITTEN, why or ", ".join(rules)) if rules else (State.DRILLED, why)
    if of_kind[Kind.CHECKED]:
        return State.CHECKED, ""
    if of_kind[Kind.BY_HAND]:
        return State.BY_HAND, of_kind[Kind.BY_HAND][0].why
    if of_kind[Kind.TOLD]:
        return State.TOLD, of_kind[Kind.TOLD][0].why
    if row.human_only:
        return State.HUMAN_ONLY, row.human_only
    if not row.effect and row.phase in _FOR_PEOPLE:
        return State.HUMAN_ONLY, _FOR_PEOPLE[Phase(row.phase)]
    return State.UNCOVERED, ""
