"""Verification in rounds: "verified" means green in every round of a window, not once."""

from collections.abc import Callable, Sequence

import pytest
from _pytest.runner import runtestprotocol
from _pytest.subtests import SubtestReport, failed_subtests_key

from drillbook.clock import Clock
from drillbook.evidence import Checked
from drillbook.model import Runbook
from drillbook.outcome import Outcome
from drillbook.plugin.outcomes import checked_of, four_lines
from drillbook.plugin.state import Run

__all__ = ["run_each", "run_in_rounds"]

ROUND_GAP_S = 1.0
DEFAULT_ROUNDS = 2


class _Told:
    """Hears what an item reports on its way: its subtests, whose parent passes whatever they say."""

    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)


def run_once(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Run an item, again if need be, and return its reports without telling anybody but of subtests."""
    initrequest = getattr(item, "_initrequest", None)  # fixtures anew; pytest has no public way to run an item twice
    if initrequest:
        initrequest()
    item.config.stash[failed_subtests_key].pop(item.id, 0)  # those of an earlier round
    told, failed = _Told(), item.session.testsfailed
    item.config.pluginmanager.register(told)
    try:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    finally:
        item.config.pluginmanager.unregister(told)
    item.session.testsfailed = failed  # the item is counted once, from its deciding round
    return [*told.reports, *reports]


def run_in_rounds(items: Sequence[pytest.Item], run: Run, clock: Clock, say: Callable[[str], None]) -> None:
    """Run verification items until the window is closed or broken, then report each item once, from its deciding round.

    Whole rounds are run until one is green, for at most ``run.wait_s``; that round opens the window. The window closes
    after ``run.soak_s``, or after one more round where that is 0. A red round in the window ends the run.
    """
    began_s = clock.monotonic_s()
    opened_s: float | None = None
    in_window = 0
    while True:
        reports = _round(items, run)
        checked = {item: checked_of(item, "verify", reports[item]) for item in items}
        red = [each for each in checked.values() if not each.is_green]
        now_s = clock.monotonic_s()
        if opened_s is None and not red:
            opened_s, run.green_since_s = now_s, run.timeline.now_s()
        in_window = 0 if red else in_window + 1
        if _is_over(run, red, began_s, opened_s, in_window, now_s):
            break
        say(f"round {run.rounds}: {len(items) - len(red)} of {len(items)} green" + _names(red))
        clock.pause(ROUND_GAP_S)
    for item in items:
        _report(item, checked[item], reports[item], run)


def run_each(items: Sequence[pytest.Item], run: Run, following: pytest.Item | None) -> None:
    """Run diagnosis items once, in order, and report each."""
    after = [*items[1:], following]
    for item, nextitem in zip(items, after, strict=False):
        reports = run_once(item, nextitem)
        checked = checked_of(item, "diagnose", reports)
        record(run, checked, "target", 1)
        _report(item, checked, reports, run)


def _names(red: Sequence[Checked]) -> str:
    return f"; red: {', '.join(each.item for each in red)}" if red else ""


def _is_over(
    run: Run, red: Sequence[Checked], began_s: float, opened_s: float | None, in_window: int, now_s: float
) -> bool:
    if opened_s is None:
        return now_s - began_s >= run.wait_s
    if red:
        return True
    return now_s - opened_s >= run.soak_s if run.soak_s else in_window >= DEFAULT_ROUNDS


def _round(items: Sequence[pytest.Item], run: Run) -> dict[pytest.Item, list[pytest.TestReport]]:
    run.rounds += 1
    reports: dict[pytest.Item, list[pytest.TestReport]] = {}
    # Nothing follows the last item: fixtures that items share end with the round, so that the next one looks anew.
    for item, following in zip(items, [*items[1:], None], strict=True):
        reports[item] = run_once(item, following)
        record(run, checked_of(item, "verify", reports[item]), "target", run.rounds)
    return reports


def record(run: Run, checked: Checked, during: str, round_: int) -> None:
    """Write what a check said on a real system into the run's record."""
    run.timeline.add("check", **checked.to_event(_runbook(run)), during=during, round=round_)


def _runbook(run: Run) -> Runbook:
    assert run.target is not None
    return run.runbooks[run.target.runbook]


def _report(item: pytest.Item, checked: Checked, reports: Sequence[pytest.TestReport], run: Run) -> None:
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        if isinstance(report, SubtestReport):
            continue  # it was told when it was made
        if report.failed and checked.outcome is not Outcome.ERROR:  # an error keeps its traceback
            report.longrepr = four_lines(checked, _runbook(run))
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
