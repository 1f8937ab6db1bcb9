"""Glue to pytest-html: our summary above its table, our words in its rows, and nothing of a run that could run in it.

pytest-html 4.2 puts test ids, values of the environment, names and addresses of links into the page as they are. It
ends the run with an internal error where an extra holds bytes that are no UTF-8, or where a test id does not survive
``unicode_escape``. Its rows need JavaScript; what stands above them does not.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

import pytest

from drillbook.outcome import Outcome
from drillbook.plugin.outcomes import WORDS
from drillbook.redact import Redactor
from drillbook.report.page import summary_html
from drillbook.report.record import Event
from drillbook.report.text import excerpt, one_line, readable

__all__ = ["HtmlGlue", "register"]

_SAFE_SCHEMES = frozenset({"", "http", "https", "mailto", "file"})
_OWN_WORDS = frozenset({Outcome.UNKNOWN, Outcome.NOT_COVERED, Outcome.NOT_CHECKED, Outcome.ERROR})


def register(config: pytest.Config, events: Callable[[], Sequence[Event]], title: str) -> None:
    """Join pytest-html where it is there and writes a page; do nothing elsewhere.

    Args:
        config: Of the run; call this from ``pytest_configure``.
        events: Returns the run's record when the page is written.
        title: Of the page.
    """
    if config.pluginmanager.hasplugin("html") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(HtmlGlue(events, title), "drillbook-html")


class HtmlGlue:
    """Hooks of pytest-html.

    Args:
        events: Returns the run's record when the page is written.
        title: Of the page.
        redactor: Removes secrets from what pytest captured.
    """

    def __init__(self, events: Callable[[], Sequence[Event]], title: str, redactor: Redactor | None = None) -> None:
        self._events = events
        self._title = title
        self._redactor = redactor or Redactor()
        self._page: Any = None
        self._environment: Mapping[str, Any] | None = None

    def _clean(self, text: object) -> str:
        return readable(self._redactor.clean(str(text)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Set the title, and make the environment safe before the first page is written."""
        report.title = self._clean(self._title)
        self._page = report
        self._clean_environment()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put the run's summary above the table."""
        self._clean_environment()
        prefix.append(summary_html(self._events()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Write the cells anew: escaped, with the outcome in our words."""
        test_id = report.nodeid if report.when == "call" else f"{report.nodeid}::{report.when}"
        for number, cell in enumerate(cells):
            if 'class="col-result"' in cell:
                cells[number] = _result_cell(cell, _own_outcome(report))
            elif 'class="col-testId"' in cell:
                cells[number] = f'<td class="col-testId">{escape(self._clean(test_id))}</td>'

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Write the log of a row anew: without secrets, head and tail."""
        parts = [report.longreprtext] if report.longreprtext else []
        parts += [f"{f' {name} ':-^80}\n{content}" for name, content in report.sections]
        data[:] = [escape(self._shortened(part)) for part in parts] or ["No log output captured."]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Make safe what pytest-html takes from a report without asking."""
        report.sections = [(name, self._shortened(content)) for name, content in report.sections]
        extras = [extra for extra in getattr(report, "extras", None) or [] if isinstance(extra, MutableMapping)]
        if not extras:
            return
        if _survives(report.nodeid):
            for extra in extras:
                self._clean_extra(extra)
            vars(report)["extras"] = extras
        else:
            report.sections += [(_link_name(extra), self._shortened(_text(extra.get("content")))) for extra in extras]
            vars(report)["extras"] = []

    def _shortened(self, text: str) -> str:
        shown = excerpt(self._redactor.clean(text))
        if not shown.dropped:
            return shown.head
        note = f"… {shown.dropped} lines are not shown here; run.jsonl beside this page has what the drill recorded …"
        return f"{shown.head}\n{note}\n{shown.tail}"

    def _clean_extra(self, extra: MutableMapping[str, Any]) -> None:
        extra["name"] = escape(self._clean(_link_name(extra)))
        kind, content = extra.get("format_type"), extra.get("content")
        if kind == "json":
            extra["content"] = self._redactor.clean_json(content)
        elif kind == "url":
            extra["content"] = escape(_safe_address(self._redactor.clean(_text(content))))
        elif kind in {"text", "html"}:
            extra["content"] = self._redactor.clean(_text(content))

    def _clean_environment(self) -> None:
        """Give the page an escaped copy; plugins that add to the environment later write into the original."""
        if self._page is None:
            return
        if self._environment is None:
            self._environment = self._page.data["environment"]
        clean = {str(name): _escaped(value, self._clean) for name, value in self._environment.items()}
        self._page.set_data("environment", clean)


def _escaped(value: object, clean: Callable[[object], str]) -> object:
    if isinstance(value, Mapping):
        return {escape(clean(name)): escape(clean(each)) for name, each in value.items()}
    return escape(clean(value))


def _own_outcome(report: pytest.TestReport) -> Outcome | None:
    words = getattr(report, WORDS, None)
    outcome = words.get("outcome") if isinstance(words, dict) else None
    return next((own for own in _OWN_WORDS if own == outcome), None)


def _result_cell(cell: str, outcome: Outcome | None) -> str:
    """Show our word where pytest-html's own is another.

    The page's script hides rows whose outcome it does not know, and takes the outcome from the first cell-like text
    that it finds. So its own word stands in an attribute, and ours where people look.
    """
    own = cell.partition(">")[2].rpartition("<")[0]
    if outcome is None:
        return cell
    return f'<td class="col-result" data-pytest-html="<td>{own}</td>">{outcome}</td>'


def _survives(test_id: str) -> bool:
    """Tell whether pytest-html can make a file name of a test id."""
    try:
        test_id.encode("utf-8").decode("unicode_escape")
    except UnicodeError:
        return False
    return True


def _text(content: object) -> str:
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)


def _link_name(extra: Mapping[str, Any]) -> str:
    return one_line(_text(extra.get("name") or extra.get("format_type") or "extra"))


def _safe_address(address: str) -> str:
    """Return an address that opens something, or a harmless one in place of a script."""
    try:
        scheme = urlsplit(address.strip()).scheme.lower()
    except ValueError:
        return "#"
    return address if scheme in _SAFE_SCHEMES and address.isprintable() else "#"
