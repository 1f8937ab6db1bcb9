"""The steps of a runbook as a table for people and as one JSON object for programs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from drillbook.errors import RunbookError
from drillbook.model import Command, Runbook

__all__ = ["json_of", "shorten", "table_of"]


def json_of(path: Path, runbook: Runbook | RunbookError) -> dict[str, Any]:
    """Return what is known of a file: ``path``, ``title``, ``steps`` and ``problems``.

    Args:
        path: As it was given.
        runbook: What was read, or why it could not be: then the error is the only problem.
    """
    if isinstance(runbook, RunbookError):
        line = runbook.where.rpartition(":")[2]
        problem = {"line": int(line) if line.isdigit() else 0, "text": runbook.problem, "kind": "file"}
        return {"path": str(path), "title": None, "steps": [], "problems": [problem]}
    return {
        "path": str(path),
        "title": runbook.title,
        "steps": [asdict(step) for step in runbook.steps],
        "problems": [asdict(problem) for problem in runbook.problems],
    }


def table_of(runbook: Runbook) -> str:
    """Return a line a step, a line a command, and the problems."""
    rows = [f"{runbook.path}: {runbook.title}", ""]
    for step in runbook.steps:
        about = f"  ({step.scenario})" if step.scenario else ""
        rows.append(f"{step.line:5}  {step.phase:<11}  {step.id}{about}")
        if step.hand:
            reason = f"  [{step.human_only}]" if step.human_only else ""
            rows.append(f"{'':5}  {'by hand':<11}    {shorten(step.hand)}{reason}")
        rows += [_row(command) for command in step.commands]
    rows += [f"{runbook.path}:{problem.line}: {problem.text}" for problem in runbook.problems]
    return "\n".join(rows) + "\n"


def _row(command: Command) -> str:
    remarks = [
        *([f"fill in {' '.join(command.placeholders)}"] if command.placeholders else []),
        *(["streams"] if command.streams else []),
        *(["wants a terminal"] if command.terminal else []),
        *([f"typed into {command.inside}"] if command.inside else []),
        *([f"expects: {shorten(command.expects, 60)}"] if command.expects else []),
    ]
    text = f"{command.line:5}  {command.effect:<11}    .{command.id.rpartition('.')[2]}  $ {shorten(command.text)}"
    return f"{text}  # {', '.join(remarks)}" if remarks else text


def shorten(text: str, most: int = 100) -> str:
    """Return the first line, at most so many letters of it, and a mark where there is more."""
    first, *more = text.splitlines() or [""]
    return first[:most] + (" \u2026" if more or len(first) > most else "")
