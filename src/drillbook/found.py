"""Values for placeholders that a reader takes from what earlier commands printed."""

import re
from collections.abc import Callable, Iterable, Mapping

from drillbook.commands import simple_commands
from drillbook.evidence import Record

__all__ = ["found_in"]

_PODS = frozenset({"pod", "pods", "po"})


def found_in(records: Iterable[Record]) -> Mapping[str, str]:
    """Return what can be filled in, from the newest output that shows it.

    - ``pod-name``: the first pod of ``kubectl get pods`` that is not ready, else the first, as a reader would choose;
    - ``pid``: the main process of the unit that ``systemctl status`` shows, while it runs;
    - ``PID``: the process that listens, of those that ``lsof -i`` shows;
    - ``previous-commit``, ``previous-working-commit``: the last but one of ``git log --oneline``.

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


def _runs(record: Record, program: str, word: str) -> bool:
    """True where a command calls a program with a word among its arguments."""
    return any(
        simple.program == program and word in [each.value for each in simple.words[1:]]
        for simple in simple_commands(record.text)
    )


def _main_pid(record: Record) -> str:
    if not _runs(record, "systemctl", "status"):
        return ""
    # Of a process that has ended it says how, in the place of its name.
    match = re.search(r"Main PID: (\d+) \((?!code=)", record.out)
    return match[1] if match else ""


def _listening_pid(record: Record) -> str:
    if not any(simple.program == "lsof" for simple in simple_commands(record.text)):
        return ""
    match = re.search(r"^\S+\s+(\d+)\s.*\(LISTEN\)$", record.out, re.MULTILINE)
    return match[1] if match else ""


def _previous_commit(record: Record) -> str:
    if not (_runs(record, "git", "log") and _runs(record, "git", "--oneline")):
        return ""
    commits = re.findall(r"^([0-9a-f]{7,40}) ", record.out, re.MULTILINE)
    return commits[1] if len(commits) > 1 else ""


_FINDERS: Mapping[str, Callable[[Record], str]] = {
    "pod-name": _pod,
    "pid": _main_pid,
    "PID": _listening_pid,
    "previous-commit": _previous_commit,
    "previous-working-commit": _previous_commit,
}
