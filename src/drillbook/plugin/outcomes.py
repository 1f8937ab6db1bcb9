"""From pytest's reports to drillbook's outcomes and back."""

import inspect
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from drillbook.errors import (
    CommandRefused,
    CommandTimeout,
    DrillbookError,
    DrillUnknown,
    NotConfirmed,
    TargetUnreachable,
)
from drillbook.evidence import Checked, Finding
from drillbook.model import Runbook
from drillbook.outcome import Outcome
from drillbook.plugin.state import DRILL_OUTCOME, READS, NotListed
from drillbook.redact import Redactor

__all__ = ["WORDS", "checked_of", "claim_of", "covers_of", "four_lines", "judge_report", "status_of"]

_UNKNOWN = (TargetUnreachable, CommandRefused, NotConfirmed, DrillUnknown)
_SEEN_LINES = 12
WORDS = "drillbook"
"""Attribute of a report that holds outcome, expected, seen and next."""
_UNSEEN = "the test passed without a drill that did"
_CALL_DRILL = "call drill(case), and let what it raises through"
_NO_NAME = "this machine cannot look the name up, so nothing was asked"
_CHECK_NAME = "check the address under [urls] of the target file, and this machine's resolver and VPN"
_SKIPPED = "it skipped itself, so it said nothing of the system"
_DO_NOT_SKIP = "let it look, or take it out: what was not looked at is not green"
_GRAVER = [Outcome.PASSED, Outcome.NOT_COVERED, Outcome.NOT_CHECKED, Outcome.UNKNOWN, Outcome.ERROR, Outcome.FAILED]


def claim_of(item: pytest.Item) -> str:
    """Return the sentence that the item stands for: the first paragraph of its docstring, else its name."""
    document = inspect.getdoc(getattr(item, "obj", None)) or item.name
    return " ".join(document.split("\n\n")[0].split())


def covers_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the ids that the item's ``covers`` markers name."""
    return tuple(str(id_) for marker in item.iter_markers("covers") for id_ in marker.args)


def judge_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Put drillbook's outcome on a report; what is raised by the engine is an error, never a plain failure."""
    _take_expected_failure_back(call, report)
    outcome = _outcome_of(item, call, report)
    unseen = report.passed and outcome in {Outcome.FAILED, Outcome.UNKNOWN}
    if unseen:
        report.outcome = "failed"
    words: dict[str, Any] = {"outcome": str(outcome)}
    error = call.excinfo.value if call.excinfo else None
    skipped = report.skipped and outcome is Outcome.UNKNOWN
    if skipped:
        report.outcome = "failed"
    if outcome in {Outcome.UNKNOWN, Outcome.ERROR} and report.when == "call":
        report.when = "setup"  # pytest counts, and JUnit XML writes, an error and not a failure
    if outcome in {Outcome.UNKNOWN, Outcome.ERROR} and isinstance(error, DrillbookError):
        words |= {"expected": claim_of(item), "seen": str(error), "next": error.hint}
        report.longrepr = Redactor().clean(str(error))
    elif outcome is Outcome.UNKNOWN and error is not None and _is_nameless(error):
        words |= {"expected": claim_of(item), "seen": f"{_NO_NAME}: {error}", "next": _CHECK_NAME}
        report.longrepr = Redactor().clean(f"{words['seen']}\n{_CHECK_NAME}")
    elif skipped:
        words |= {
            "expected": claim_of(item),
            "seen": f"{_SKIPPED}: {getattr(error, 'msg', error)}",
            "next": _DO_NOT_SKIP,
        }
        report.longrepr = Redactor().clean(words["seen"])
    elif unseen:
        words |= {"expected": claim_of(item), "seen": _UNSEEN, "next": _CALL_DRILL}
        report.longrepr = f"{_UNSEEN}; {_CALL_DRILL}"
    elif outcome is Outcome.FAILED and isinstance(error, Finding):
        words |= {"expected": error.expected, "seen": error.seen, "next": error.hint}
    elif outcome in {Outcome.FAILED, Outcome.ERROR} and error is not None:
        words |= {"expected": claim_of(item), "seen": _first_lines(_said(error, outcome)), "next": ""}
    elif outcome is Outcome.NOT_CHECKED:
        words |= {"seen": str(getattr(error, "msg", error))}
    vars(report)[WORDS] = words  # plain JSON: pytest-xdist carries it to the controller


def _take_expected_failure_back(call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Undo xfail: a red check is red, also where somebody expected it."""
    if vars(report).pop("wasxfail", None) is not None and call.excinfo:
        report.outcome = "failed"


def _outcome_of(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> Outcome:
    if report.passed:
        otherwise = Outcome.UNKNOWN if item.get_closest_marker("chaos") else Outcome.PASSED
        return item.stash.get(DRILL_OUTCOME, otherwise) if report.when == "call" else Outcome.PASSED
    error = call.excinfo.value if call.excinfo else None
    if report.skipped:
        return Outcome.NOT_CHECKED if isinstance(error, NotListed) else Outcome.UNKNOWN
    if isinstance(error, CommandTimeout):
        return Outcome.FAILED  # its host answered; what was asked there did not, as with a URL that times out
    if isinstance(error, _UNKNOWN) or _is_nameless(error):
        return Outcome.UNKNOWN
    if isinstance(error, DrillbookError) or report.when != "call":
        return Outcome.ERROR
    if item.get_closest_marker("diagnose") and error is not None and not isinstance(error, AssertionError):
        return Outcome.ERROR  # a check that breaks off has not found the line that implicates its cause
    return Outcome.FAILED


def _is_nameless(error: BaseException | None) -> bool:
    """True where this machine could not resolve a name: that says nothing of the system behind it."""
    if isinstance(error, AssertionError):
        return False  # a check that has seen something
    seen: set[int] = set()
    while error is not None and id(error) not in seen and not isinstance(error, socket.gaierror):
        seen.add(id(error))
        error = error.__cause__ or error.__context__  # httpcore suppresses the context; the name is in it all the same
    return isinstance(error, socket.gaierror)


def _said(error: BaseException, outcome: Outcome) -> str:
    """Return an exception's words; with its type where it is not what a check says."""
    if outcome is Outcome.FAILED and isinstance(error, AssertionError):
        return str(error) or "an assertion without words did not hold"
    return f"{type(error).__name__}: {error}"


def _first_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:_SEEN_LINES])


def checked_of(item: pytest.Item, job: str, reports: list[pytest.TestReport]) -> Checked:
    """Return what the item's reports of one round amount to."""
    said: list[Mapping[str, Any]] = [getattr(report, WORDS, None) or _plain(report) for report in reports]
    if all(words["outcome"] == Outcome.PASSED for words in said) and not any(each.when == "call" for each in reports):
        said.append({"outcome": "ERROR", "expected": claim_of(item), "seen": "the check was set up and not run"})
    worst = max(said, key=lambda words: _GRAVER.index(Outcome(words["outcome"])))
    return Checked(
        item=item.nodeid.partition("::")[2] or item.name,
        job=job,
        claim=claim_of(item),
        covers=covers_of(item),
        reads=tuple(sorted(item.stash.get(READS, ()))),
        outcome=Outcome(worst["outcome"]),
        expected=worst.get("expected", ""),
        seen=worst.get("seen", ""),
        hint=worst.get("next", ""),
        took_s=sum(report.duration for report in reports if report.when == "call" or report.failed),
    )


def _plain(report: pytest.TestReport) -> Mapping[str, Any]:
    """Return the words of a report that drillbook did not judge: what is not passed is no pass."""
    return {"outcome": "PASSED" if report.passed else "ERROR", "seen": _first_lines(report.longreprtext)}


def four_lines(checked: Checked, runbook: Runbook) -> str:
    """Return what a red check says on the terminal: step, expected, seen, next."""
    place = f"runbooks/{runbook.path.name}"
    if checked.covers:
        headings = runbook.headings_of(checked.covers[0])
        place += f":{runbook.line_of(checked.covers[0])}  {' > '.join(headings)}"
    hint = checked.hint or ("follow " + place if checked.job == "verify" else "recover as this section says")
    seen = checked.seen.replace("\n", "\n          ")
    text = f"step      {place}\nexpected  {checked.expected}\nsaw       {seen}\nnext      {hint}"
    return Redactor().clean(text)


def status_of(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Return category, letter and word for outcomes that pytest does not have, or None."""
    words = getattr(report, WORDS, None)
    if not isinstance(words, dict):
        return None
    outcome = words.get("outcome")
    if outcome == Outcome.UNKNOWN:
        return "unknown", "?", "UNKNOWN"
    if outcome == Outcome.NOT_COVERED and getattr(report, "when", "") == "call":
        return "not covered", "N", "NOT COVERED"
    if outcome == Outcome.NOT_CHECKED:
        return "not checked", "-", "NOT CHECKED"
    return None
