"""What a run's events amount to, in one word and in one sentence; pure functions over the record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drillbook.outcome import Outcome

__all__ = [
    "GIVEN_UP",
    "Counts",
    "Outcome",
    "Verdict",
    "combine",
    "deciding_checks",
    "interrupted_at",
    "never_red",
    "outcome_of",
    "verdict_of",
]

Events = Sequence[Mapping[str, Any]]

_RANK = {
    Outcome.NOT_CHECKED: 0,
    Outcome.PASSED: 1,
    Outcome.NOT_COVERED: 2,
    Outcome.UNKNOWN: 3,
    Outcome.ERROR: 3,
    Outcome.FAILED: 4,
}
GIVEN_UP = {2: "was interrupted", 3: "ended with an internal error", 4: "could not be started"}
"""pytest's exit statuses of a run that did not come to its end."""
_DRILL_KINDS = frozenset({"drill.begin", "drill.end"})
_ROUNDS = 2
_NAMES = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """How many checks (or drills) ended in which way."""

    green: int = 0
    red: int = 0
    unknown: int = 0
    errors: int = 0
    not_checked: int = 0
    not_covered: int = 0

    @property
    def ran(self) -> int:
        """Return how many said something, even if it was that they cannot tell."""
        return self.green + self.red + self.unknown + self.errors + self.not_covered

    @property
    def total(self) -> int:
        """Return how many there are."""
        return self.ran + self.not_checked


@dataclass(frozen=True, slots=True)
class Verdict:
    """A run's end.

    Attributes:
        outcome: PASSED, NOT COVERED, UNKNOWN or FAILED.
        words: The same as one sentence with its time in UTC.
        as_of: When it was true, aware, UTC; None where the record has no time.
        checks: Ends of the checks of a real system, each from its deciding round.
        drills: Ends of the drills.
        rounds: Rounds of verification in a row, up to the last one, in which nothing was red.
        held_s: Seconds that these rounds span, or None without two of them.
        reasons: Why it is not PASSED, the gravest first.
    """

    outcome: Outcome
    words: str
    as_of: datetime | None
    checks: Counts = Counts()
    drills: Counts = Counts()
    rounds: int = 0
    held_s: float | None = None
    reasons: tuple[str, ...] = ()


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the gravest outcome: FAILED beats UNKNOWN beats NOT COVERED beats PASSED.

    ERROR proves as little as UNKNOWN and becomes it. NOT CHECKED says nothing and gives way to everything; it is also
    what nothing at all combines to.
    """
    gravest = max(outcomes, key=_RANK.__getitem__, default=Outcome.NOT_CHECKED)
    return Outcome.UNKNOWN if gravest is Outcome.ERROR else gravest


def outcome_of(value: object) -> Outcome:
    """Return the outcome that a record names; what it does not know is UNKNOWN, never green."""
    try:
        return Outcome(str(value))
    except ValueError:
        return Outcome.UNKNOWN


def deciding_checks(events: Events) -> list[Mapping[str, Any]]:
    """Return, for each check of a real system, the event of the last round that it was in."""
    last: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in events:
        if event.get("kind") == "check" and not event.get("drill"):
            last[str(event.get("job")), str(event.get("item"))] = event
    return list(last.values())


def never_red(events: Events) -> list[str]:
    """Return the verification checks that were green under every fault of their runbook's drills that came so far."""
    green: dict[str, list[set[str]]] = {}
    for name, end in _drills(events).items():
        if outcome_of(end.get("outcome")) is not Outcome.UNKNOWN:
            green.setdefault(name.partition("/")[0], []).append(set(_strings(end.get("never_red"))))
    return sorted(item for sets in green.values() for item in set.intersection(*sets))


def interrupted_at(events: Events) -> str | None:
    """Return what was running where a record stops without the run's end, or None where it has one."""
    if any(event.get("kind") == "run.end" for event in events):
        return None
    running: dict[str, str] = {}
    for event in events:
        drill, phase = str(event.get("drill") or ""), _one_line(event.get("phase"))
        match event.get("kind"):
            case "drill.begin" | "phase.end":
                running[drill] = ""
            case "phase.begin":
                running[drill] = f", phase {phase}"
            case "drill.end":
                running.pop(drill, None)
    if drills := [f"drill {_one_line(drill)}{phase}" for drill, phase in running.items() if drill]:
        return _list(drills)
    checks = [event for event in events if event.get("kind") == "check" and not event.get("drill")]
    return f"checks, after {_one_line(checks[-1].get('item'))}" if checks else "nothing yet"


def verdict_of(events: Events, utc: datetime | None = None, *, exit_status: int | None = None) -> Verdict:
    """Judge a run by its events.

    Args:
        events: JSON objects of the record, in the order of time.
        utc: Now, for a run that is ending and whose record therefore lacks ``run.end``; None reads the time from the
            record, and takes a record without ``run.end`` for one of a run that was killed.
        exit_status: pytest's, for a run that is ending; None reads it from the record.
    """
    as_of = utc.astimezone(UTC) if utc else _last_time(events)
    at = f" at {as_of:%H:%M:%S} UTC" if as_of else ""
    deciding = deciding_checks(events)
    left_out = sum(int(_number(event.get("items"))) for event in events if event.get("kind") == "left_out")
    verify = [check for check in deciding if check.get("job") != "diagnose"]
    rounds, held_s = _window(events)
    parts = [
        _ended(events, at, exit_status, is_ending=utc is not None),
        _verified(verify, rounds, at),
        _diagnosed([check for check in deciding if check.get("job") == "diagnose"], at),
        _drilled(events, at),
    ]
    said = [part for part in parts if part]
    if not deciding and not _drills(events):
        said.append((Outcome.UNKNOWN, f"UNKNOWN{at}: no check and no drill came to an end", ()))
    outcome = combine(part[0] for part in said)
    said.sort(key=lambda part: -_RANK[part[0]])
    return Verdict(
        outcome=Outcome.UNKNOWN if outcome is Outcome.NOT_CHECKED else outcome,
        words=_sentence([part[1] for part in said], at, left_out),
        as_of=as_of,
        checks=_count(deciding),
        drills=_count(_drills(events).values()),
        rounds=rounds,
        held_s=held_s,
        reasons=tuple(reason for part in said for reason in part[2]),
    )


def _sentence(words: Sequence[str], at: str, left_out: int) -> str:
    """Join what the parts say; time and UNKNOWN are said once."""
    rest = [each.removeprefix(f"UNKNOWN{at}: ").replace(at, "", 1) for each in words[1:]]
    less = f", {left_out} left out by options" if left_out else ""
    return "; ".join([words[0], *rest]) + less + "."


Part = tuple[Outcome, str, tuple[str, ...]]


def _verified(checks: Events, rounds: int, at: str) -> Part | None:
    if not checks:
        return None
    count = _count(checks)
    outcome = combine(outcome_of(check.get("outcome")) for check in checks)
    skipped = f", {count.not_checked} not checked" if count.not_checked else ""
    unsure = count.unknown + count.errors
    if outcome is Outcome.FAILED:
        rest = f", {unsure} unknown" if unsure else ""
        words = (
            f"NOT verified{at}: {count.red} of {count.ran} checks red: {_names(checks, Outcome.FAILED)}{rest}{skipped}"
        )
        return outcome, words, _reasons(checks)
    if outcome is Outcome.UNKNOWN:
        names = _names(checks, Outcome.UNKNOWN, Outcome.ERROR)
        words = (
            f"UNKNOWN{at}: {unsure} of {count.ran} checks could not be judged: {names}; {count.green} green{skipped}"
        )
        return outcome, words, _reasons(checks)
    if outcome is Outcome.NOT_CHECKED:
        return Outcome.UNKNOWN, f"UNKNOWN{at}: none of {count.total} checks was run", ("nothing was checked",)
    if rounds < _ROUNDS:
        words = f"UNKNOWN{at}: {count.green} of {count.ran} checks green, but in one round only{skipped}"
        return Outcome.UNKNOWN, words, ("green once is not verified: a window has two rounds or more",)
    words = f"Verified{at}: {count.green} of {count.ran} checks green in {rounds} rounds{skipped}"
    return Outcome.PASSED, words, ()


def _diagnosed(checks: Events, at: str) -> Part | None:
    if not checks:
        return None
    count = _count(checks)
    outcome = combine(outcome_of(check.get("outcome")) for check in checks)
    if outcome is Outcome.FAILED:
        names = _names(checks, Outcome.FAILED)
        words = f"Diagnosis{at}: {count.red} of {count.ran} checks implicate a cause: {names}"
        return outcome, words, _reasons(checks)
    if outcome is Outcome.UNKNOWN:
        names = _names(checks, Outcome.UNKNOWN, Outcome.ERROR)
        words = (
            f"Diagnosis UNKNOWN{at}: {count.unknown + count.errors} of {count.ran} checks could not be judged: {names}"
        )
        return outcome, words, _reasons(checks)
    skipped = f", {count.not_checked} not checked" if count.not_checked else ""
    if outcome is Outcome.NOT_CHECKED:
        reason = f"none of {count.total} diagnosis checks was run"
        return Outcome.UNKNOWN, f"UNKNOWN{at}: {reason}", (reason,)
    return outcome, f"Diagnosis{at}: no cause is implicated, {count.green} of {count.ran} checks green{skipped}", ()


def _drilled(events: Events, at: str) -> Part | None:
    drills = _drills(events)
    if not drills:
        return None
    count = _count(drills.values())
    outcome = combine(outcome_of(end.get("outcome")) for end in drills.values())
    total = count.total
    drills_word = "drill" if total == 1 else "drills"
    passed = f"; {count.green} passed" if count.green else ""
    named = {name: outcome_of(end.get("outcome")) for name, end in drills.items()}
    names = _list([name for name, each in named.items() if combine([each]) is outcome])
    reasons = tuple(
        f"{_one_line(name)}: {_one_line(reason)}"
        for name, end in sorted(drills.items(), key=lambda drill: -_RANK[named[drill[0]]])
        for reason in _strings(end.get("reasons"))
    )
    if outcome is Outcome.PASSED:
        return outcome, f"PASSED{at}: {count.green} of {total} {drills_word} passed", reasons
    if outcome is Outcome.NOT_COVERED:
        healed = f"{count.not_covered} of {total} {drills_word} healed by no recovery of the document, as declared"
        return outcome, f"NOT COVERED{at}: {healed}: {names}{passed}", reasons
    if outcome is Outcome.FAILED:
        return outcome, f"FAILED{at}: {count.red} of {total} {drills_word} failed: {names}{passed}", reasons
    proved = f"{count.unknown + count.errors} of {total} {drills_word} proved nothing"
    return outcome, f"UNKNOWN{at}: {proved}: {names}{passed}", reasons


def _ended(events: Events, at: str, status: int | None, *, is_ending: bool) -> Part | None:
    """Return what the manner of the run's end adds to what its checks and drills say."""
    if not is_ending and (running := interrupted_at(events)):
        reason = f"the record stops{at} without the run's end; running was: {running}"
        return Outcome.UNKNOWN, f"UNKNOWN{at}: the run did not come to its end (running was: {running})", (reason,)
    if status is None:
        status = next((event.get("exit_status") for event in reversed(events) if event.get("kind") == "run.end"), None)
    for given_up, how in GIVEN_UP.items():
        if status == given_up:
            return Outcome.UNKNOWN, f"UNKNOWN{at}: the run {how}", (f"the run {how} (pytest's exit status {status})",)
    if status == 1 and not _has_red(events):
        reason = "pytest counts a failure that the record does not hold"
        return Outcome.UNKNOWN, f"UNKNOWN{at}: {reason}", (reason,)
    return None


def _has_red(events: Events) -> bool:
    ends = [*deciding_checks(events), *_drills(events).values()]
    return combine(outcome_of(end.get("outcome")) for end in ends) in {Outcome.UNKNOWN, Outcome.FAILED}


def _drills(events: Events) -> dict[str, Mapping[str, Any]]:
    """Return each drill's end by its id, the gravest where it ran more than once; one that has none is UNKNOWN."""
    drills: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        ends = drills.setdefault(str(event.get("drill") or "?"), []) if event.get("kind") in _DRILL_KINDS else []
        if event.get("kind") == "drill.begin":
            ends.append({"outcome": Outcome.UNKNOWN, "reasons": ["the drill did not come to its end"]})
        elif event.get("kind") == "drill.end":
            ends[-1:] = [event]
    return {name: max(ends, key=lambda end: _RANK[outcome_of(end.get("outcome"))]) for name, ends in drills.items()}


def _window(events: Events) -> tuple[int, float | None]:
    """Return how many verification rounds in a row, up to the last one, have nothing red, and the seconds they span."""
    rounds: dict[float, list[Mapping[str, Any]]] = {}
    for event in events:
        if event.get("kind") == "check" and not event.get("drill") and event.get("job") != "diagnose":
            rounds.setdefault(_number(event.get("round")), []).append(event)
    green: list[list[Mapping[str, Any]]] = []
    newest_first = sorted(rounds, reverse=True)
    if newest_first and len(rounds[newest_first[0]]) < max(map(len, rounds.values())):
        del newest_first[0]  # cut off in the middle
    for number in newest_first:
        if combine(outcome_of(check.get("outcome")) for check in rounds[number]) not in {
            Outcome.PASSED,
            Outcome.NOT_CHECKED,
        }:
            break
        green.append(rounds[number])
    if len(green) < _ROUNDS:
        return len(green), None
    return len(green), max(0.0, _number(green[0][-1].get("at_s")) - _number(green[-1][-1].get("at_s")))


def _count(ends: Iterable[Mapping[str, Any]]) -> Counts:
    outcomes = [outcome_of(end.get("outcome")) for end in ends]
    return Counts(
        green=outcomes.count(Outcome.PASSED),
        red=outcomes.count(Outcome.FAILED),
        unknown=outcomes.count(Outcome.UNKNOWN),
        errors=outcomes.count(Outcome.ERROR),
        not_checked=outcomes.count(Outcome.NOT_CHECKED),
        not_covered=outcomes.count(Outcome.NOT_COVERED),
    )


def _names(checks: Events, *outcomes: Outcome) -> str:
    return _list([str(check.get("item")) for check in checks if outcome_of(check.get("outcome")) in outcomes])


def _reasons(checks: Events) -> tuple[str, ...]:
    graver = sorted(checks, key=lambda check: -_RANK[outcome_of(check.get("outcome"))])
    return tuple(
        f"{_one_line(check.get('item'))}: {_one_line(check.get('seen') or check.get('claim') or 'no reason given')}"
        for check in graver
        if outcome_of(check.get("outcome")) in {Outcome.FAILED, Outcome.UNKNOWN, Outcome.ERROR}
    )


def _list(names: Sequence[str]) -> str:
    shown = [_one_line(name) for name in names[:_NAMES]]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(shown) + more


def _one_line(text: object, width: int = 200) -> str:
    whole = str(text)
    line = " ".join("".join(char if char.isprintable() else " " for char in whole[: 4 * width]).split())
    return line if len(line) <= width and len(whole) <= 4 * width else line[: width - 1] + "…"


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if is_number else 0.0  # type: ignore[arg-type]


def _last_time(events: Events) -> datetime | None:
    for event in reversed(events):
        try:
            time = datetime.fromisoformat(str(event.get("utc")))
        except ValueError:
            continue
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return None
