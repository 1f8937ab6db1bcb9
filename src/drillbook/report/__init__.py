"""What is told of a run: everything here is rendered from its record, and can be rendered again."""

import json
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.report.junit import junit_xml
from drillbook.report.page import page_html, summary_html
from drillbook.report.record import read_run
from drillbook.report.summary import Summary, summarise

__all__ = ["Summary", "junit_xml", "page_html", "read_run", "render_run", "summarise", "summary_html"]


def render_run(folder: Path) -> None:
    """Write ``summary.json``, ``report.html`` and ``junit.xml`` of a run from its record.

    Args:
        folder: Of the run; it holds ``run.jsonl``, or ``run-*.jsonl`` of pytest-xdist's workers, or both.

    Raises:
        EvidenceError: There is no record, or the folder cannot be written.
    """
    events = read_run(folder)
    rendered = {
        "summary.json": json.dumps(summarise(events).to_json(), indent=2, ensure_ascii=False) + "\n",
        "report.html": page_html(events),
        "junit.xml": junit_xml(events),
    }
    for name, text in rendered.items():
        _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that nobody ever reads half of it."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(path)
    except OSError as error:
        raise EvidenceError(str(path), f"the report cannot be written: {error.strerror}") from error
