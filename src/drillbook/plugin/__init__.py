"""pytest's side of drillbook: options, markers and hooks; what they do is done elsewhere, without Docker here."""

from collections.abc import Generator
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.plugin import runs, selection
from drillbook.plugin.outcomes import judge_report, status_of
from drillbook.plugin.state import NEST, RUN
from drillbook.signals import uninterrupted

__all__: list[str] = []

_MARKERS = (
    "verify(writes=False): a check of the system, read-only unless it says writes=True; runs with -m verify",
    "diagnose: a check of the transcript, red where a cause of the runbook is implicated; runs with -m diagnose",
    "chaos: a drill on a throwaway replica; runs with -m chaos",
    "covers(id, ...): the runbook's steps, commands or scenarios that this check judges",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("drillbook", "runbooks that are proved to work")
    group.addoption(
        "--target", metavar="FILE|NAME", help="real system to look at: a target file, or its name in targets/"
    )
    group.addoption(
        "--cluster", metavar="context:NAME", help="drill on a cluster of yours, in namespaces made for it (chaos only)"
    )
    group.addoption("--incident", metavar="ID", help="file the run's report under this incident")
    group.addoption("--wait", metavar="DURATION", help="wait so long for the first green round (30s, 5m)")
    group.addoption("--soak", metavar="DURATION", help="every round must stay green so long (default: two rounds)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.import_plugin("drillbook.plugin.drills")
    config.pluginmanager.import_plugin("drillbook.plugin.fixtures")
    try:
        runs.begin(config)
    except DrillbookError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    try:
        selection.select(config, items)
    except DrillbookError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_deselected(items: list[pytest.Item]) -> None:
    selection.note_left_out(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    selection.skip_what_writes(item)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    runs.tell_worker(node)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    try:
        return runs.loop(session)
    except DrillbookError as error:  # the record cannot be written any more, say: no traceback of pytest's own
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if selection.job_of(item):
        judge_report(item, call, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    return status_of(report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    if NEST in session.config.stash or RUN not in session.config.stash:
        return (yield)
    try:
        with uninterrupted():  # one more Ctrl-C must not cut the reports off
            try:
                runs.end(session, exitstatus)
            except DrillbookError as error:
                runs.fail(session, error)
            try:
                return (yield)
            except OSError as error:  # pytest-html's own page, on a disk that is full
                runs.fail(session, error)
    except KeyboardInterrupt:
        pytest.exit("interrupted", returncode=pytest.ExitCode.INTERRUPTED)


def pytest_terminal_summary(config: pytest.Config) -> None:
    if RUN in config.stash:
        runs.say_unknown(config)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if RUN in config.stash:
        runs.say_verdict(config)
