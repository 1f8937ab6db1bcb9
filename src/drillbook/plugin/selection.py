"""Which items belong to which job, and which of them are run."""

import re
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType

import pytest

from drillbook.ledger import rows_of
from drillbook.model import Runbook
from drillbook.parser import parse_runbook
from drillbook.plugin.outcomes import covers_of
from drillbook.plugin.state import JOBS, NEST, RUN, NotListed, Run

__all__ = ["count_left_out", "job_of", "jobs_of_expression", "note_left_out", "select", "skip_what_writes", "slug_of"]


def job_of(item: pytest.Item) -> str | None:
    """Return the job that an item belongs to by its marker, or None."""
    return next((job for job in JOBS if item.get_closest_marker(job)), None)


def jobs_of_expression(expression: str) -> tuple[str, ...]:
    """Return the jobs that a ``-m`` expression asks for."""
    wanted = re.findall(r"(?:\b(not)\s+)?\b(\w+)\b", expression)
    return tuple(job for job in JOBS if ("", job) in wanted)


def slug_of(path: Path) -> str:
    """Return the runbook's slug that a file of ``checks/`` or ``chaos/`` is named after."""
    return path.stem.removeprefix("test_").replace("_", "-")


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what the job and the target ask for, and see that every ``covers`` names something that is there.

    Raises:
        UsageError: An id is not in its runbook.
        RunbookError: A runbook cannot be read.
    """
    nested = NEST in config.stash
    run = config.stash.get(RUN, None)
    asked = jobs_of_expression(config.getoption("markexpr") or "")
    keep = [item for item in items if nested or job_of(item) is None or _is_wanted(item, asked, run)]
    dropped = [item for item in items if item not in set(keep)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = keep
    if nested:
        return
    for item in items:
        if run and job_of(item):
            runbook = _runbook_of(run, config.rootpath, slug_of(item.path))
            for id_ in covers_of(item):
                runbook.find(id_)


def _runbook_of(run: Run, root: Path, slug: str) -> Runbook:
    if slug not in run.runbooks:
        run.runbooks[slug] = runbook = parse_runbook(root / "runbooks" / f"{slug}.md")
        if run.target and run.target.runbook == slug:
            run.timeline.add("document", runbook=slug, rows=[row.to_event() for row in rows_of(runbook)])
    return run.runbooks[slug]


def _is_wanted(item: pytest.Item, asked: tuple[str, ...], run: Run | None) -> bool:
    """True where the job was asked for and the target is of this runbook; a bare ``pytest`` asks for none."""
    if job_of(item) not in asked:
        return False
    return run is None or run.target is None or slug_of(item.path) == run.target.runbook


def note_left_out(items: Sequence[pytest.Item]) -> None:
    """Remember checks of a real system that options such as ``-k`` took away: a verdict without them must say so."""
    for item in items:
        run = item.config.stash.get(RUN, None)
        if run and run.target and _is_wanted(item, run.jobs, run):
            run.deselected.append(item)


def count_left_out(items: Sequence[pytest.Item], run: Run) -> int:
    """Return how many checks were deselected, or not even collected (``--lf``, a node id), from the files of these."""
    known = [*items, *run.deselected]
    modules = {module for item in known if (module := item.getparent(pytest.Module))}
    collected = {getattr(item, "function", None) for item in known}
    asked = [function for module in modules for function in _functions_of(module, run.jobs)]
    return len(run.deselected) + sum(function not in collected for function in asked)


def _functions_of(module: pytest.Module, jobs: Sequence[str]) -> list[FunctionType]:
    """Return the checks of these jobs in a file and its classes, by a marker of their own, the class or the file."""
    found: list[FunctionType] = []
    for holder in (module.obj, *(each for each in vars(module.obj).values() if isinstance(each, type))):
        marked = bool({*_marks_of(module.obj), *_marks_of(holder)} & {*jobs})
        for name, each in vars(holder).items():
            is_test = marked and name.startswith("test")
            if isinstance(each, FunctionType) and (is_test or {*_marks_of(each)} & {*jobs}):
                found.append(each)
    return found


def _marks_of(thing: object) -> list[str]:
    marks = vars(thing).get("pytestmark", ())
    return [mark.name for mark in (marks if isinstance(marks, list | tuple) else (marks,))]


def skip_what_writes(item: pytest.Item) -> None:
    """Do not check, on a real system, what writes there and is not listed under ``functional``."""
    run = item.config.stash.get(RUN, None)
    writes = any(marker.kwargs.get("writes") for marker in item.iter_markers("verify"))
    if run is None or run.target is None or not writes:
        return
    if item.name not in run.target.functional:
        raise NotListed(f"it writes, and {run.target.name} does not list {item.name} under functional")
