"""Values for placeholders that a reader takes from what earlier commands printed."""

import re
from collections.abc import Callable, Iterable, Mapping

from drillbook.commands import simple_commands
from drillbook.evidence import Record

__all__ = ["found_in"]

_PODS = frozenset({"pod", "pods", "po"})


def found_in(records: Iterable[Record]) -> Mapping[str, str]:
    """Return what can be filled in, from the newest output that shows it.

    ``pod-name``: the first pod of ``kubectl get pods`` that is not ready, else the first, as a reader would choose.

    Args:
        records: What was run, in order.
    """
    values: dict[str, str] = {}
    for record in records:
        for name, find in _FINDERS.items():
            if value := find(record):
                values[name] = value
    return values


def _pod(record: Record) -> str:
    if not record.out or not _lists_pods(record.text):
        return ""
    rows = [line.split() for line in record.out.splitlines() if re.match(r"[a-z0-9][a-z0-9.-]*\s+\d+/\d+\s+\w", line)]
    return next((row[0] for row in [*filter(_is_unwell, rows), *rows]), "")


def _lists_pods(text: str) -> bool:
    for simple in simple_commands(text):
        words = [word.value or "" for word in simple.words[1:]]
        if simple.program in {"kubectl", "oc"} and "get" in words and _PODS & set(words):
            return True
    return False


def _is_unwell(row: list[str]) -> bool:
    ready, _, wanted = row[1].partition("/")
    return ready != wanted or row[2] != "Running"


_FINDERS: Mapping[str, Callable[[Record], str]] = {"pod-name": _pod}
