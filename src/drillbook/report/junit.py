"""The run as JUnit XML, for whatever reads that."""

from collections.abc import Iterable
from datetime import datetime
from xml.etree import ElementTree

from drillbook.outcome import Outcome
from drillbook.report.record import Event, field_number, field_text, sort_out
from drillbook.report.summary import DrillSummary, Summary, summarise
from drillbook.report.text import excerpt, one_line, readable
from drillbook.verdict import outcome_of

__all__ = ["junit_xml"]


def junit_xml(events: Iterable[Event], utc: datetime | None = None) -> str:
    """Return one test suite: a case for each check of a real system and for each drill.

    FAILED becomes ``failure``, UNKNOWN and ERROR become ``error``, NOT CHECKED becomes ``skipped``. NOT COVERED is a
    finding about the document, not a failure: its case passes, and a property and its output say so.

    Args:
        events: JSON objects of the record, in the order of time; the record may be cut anywhere.
        utc: Now, for a run that is ending; see ``verdict_of``.
    """
    record = sort_out(events)
    summary = summarise(record.events, utc)
    cases = [_check(check) for check in record.checks] + [_drill(drill) for drill in summary.drills]
    cases += _of_the_run(summary, cases)
    suite = ElementTree.Element("testsuite", _head(summary, cases))
    properties = ElementTree.SubElement(suite, "properties")
    _property(properties, "verdict", summary.verdict)
    _property(properties, "words", summary.words)
    for name in ("target", "incident"):
        if value := getattr(summary, name):
            _property(properties, name, value)
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _head(summary: Summary, cases: list[ElementTree.Element]) -> dict[str, str]:
    def count(tag: str) -> str:
        return str(sum(case.find(tag) is not None for case in cases))

    head = {
        "name": readable(f"drillbook {summary.job}"),
        "tests": str(len(cases)),
        "failures": count("failure"),
        "errors": count("error"),
        "skipped": count("skipped"),
        "time": f"{sum(float(case.get('time', '0')) for case in cases):.3f}",
    }
    return head | ({"timestamp": readable(summary.began)} if summary.began else {})


def _check(check: Event) -> ElementTree.Element:
    case = _case(field_text(check, "job") or "check", field_text(check, "item"), field_number(check, "took_s"))
    lines = [f"{name}: {field_text(check, name)}" for name in ("claim", "expected", "seen", "next") if check.get(name)]
    message = field_text(check, "seen") or field_text(check, "claim")
    _end(case, outcome_of(check.get("outcome")), message, "\n".join(lines))
    return case


def _drill(drill: DrillSummary) -> ElementTree.Element:
    slug, _, name = drill.id.rpartition("/")
    case = _case(f"chaos.{slug}" if slug else "chaos", name, drill.took_s)
    _end(case, outcome_of(drill.outcome), "; ".join(drill.reasons), "\n".join([*drill.faults, *drill.reasons]))
    return case


def _of_the_run(summary: Summary, cases: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """Return a case that says why a run proves nothing where no other case does, so that a reader of counts sees it."""
    is_told = any(case.find(tag) is not None for case in cases for tag in ("failure", "error"))
    if summary.running:
        message = f"the record stops without the run's end; running was: {summary.running}"
    elif summary.verdict in (Outcome.UNKNOWN, Outcome.FAILED) and not is_told:
        message = summary.words
    else:
        return []
    case = _case("run", "end", None)
    _end(case, Outcome.UNKNOWN, message, "")
    return [case]


def _case(class_name: str, name: str, took_s: float | None) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase",
        {"classname": one_line(class_name), "name": one_line(name) or "?", "time": f"{max(0.0, took_s or 0.0):.3f}"},
    )


def _end(case: ElementTree.Element, outcome: Outcome, message: str, text: str) -> None:
    tags = {
        Outcome.FAILED: "failure",
        Outcome.UNKNOWN: "error",
        Outcome.ERROR: "error",
        Outcome.NOT_CHECKED: "skipped",
    }
    if outcome is not Outcome.PASSED:
        properties = ElementTree.SubElement(case, "properties")
        _property(properties, "outcome", str(outcome))
    shown = excerpt(text)
    body = shown.head + (f"\n… {shown.dropped} lines …\n{shown.tail}" if shown.dropped else "")
    if outcome in tags:
        end = ElementTree.SubElement(case, tags[outcome], {"message": one_line(message), "type": str(outcome)})
        end.text = body
    elif outcome is Outcome.NOT_COVERED:
        ElementTree.SubElement(case, "system-out").text = f"NOT COVERED: {body}"


def _property(parent: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(parent, "property", {"name": name, "value": one_line(value, 2000)})
