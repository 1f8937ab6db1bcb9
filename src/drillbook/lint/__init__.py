"""What is rotten in a runbook although it reads well: rules with an id, a sentence and a mend.

A rule that is wrong one time in ten is worse than none: where a document may be right, nothing is said.
"""

from dataclasses import dataclass

from drillbook.lint import care, places, proving, running, structure
from drillbook.lint.compose import Compose
from drillbook.lint.rules import RULES, Document, Rule
from drillbook.model import Runbook

__all__ = ["RULES", "Found", "Rule", "lint"]

_FAMILIES = (proving, running, places, care, structure)
"""Importing them enters their rules."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a rule found: which rule, the line in the document, what it is, and how it is mended.

    ``command`` is the id of the command that it is about, or None.
    """

    rule: str
    line: int
    text: str
    mend: str
    command: str | None = None


def lint(runbook: Runbook, compose: Compose | None = None) -> list[Found]:
    """Return what the rules find, in the document's order, without what its author has switched off.

    Args:
        runbook: The parsed document; scripts and links are looked for beside it and in its repository.
        compose: What its compose file defines; None where none is given, then names are not looked at.
    """
    document = Document(runbook, compose)
    found = [
        Found(rule.id, hit.line, hit.text, rule.mend, hit.command)
        for rule in RULES.values()
        for hit in rule.find(document)
        if not _is_ignored(runbook, rule.id, hit.line)
    ]
    return sorted(found, key=lambda one: (one.line, one.rule))


def _is_ignored(runbook: Runbook, rule: str, line: int) -> bool:
    return any(rule in ignored.rules and ignored.first <= line <= ignored.last for ignored in runbook.ignored)
