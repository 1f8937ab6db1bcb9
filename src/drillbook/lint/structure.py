"""What the document itself lacks or has too much of."""

import re
from collections import Counter
from collections.abc import Iterator

from drillbook.lint.rules import RULES, Document, Hit, rule
from drillbook.model import Effect, Phase

__all__: list[str] = []

_VERIFIES = re.compile(
    r"\W*(\d+[.)]\s*)?\W*(?:(?:then|finally|now|and),?\s+)?"
    r"(verify|validate|confirm|monitor (the )?recovery|check (that|whether|it|`)|ensure|"
    r"vérifi|verifi|validar|valider|überprüf|do[gğ]rula)",
    re.IGNORECASE,
)
"""A sentence, list item or comment that asks to look whether it worked, in a section of another name."""


_LOOKS_AFTERWARDS = re.compile(r"\brollout status\b|\bkubectl wait\b|systemctl is-active|\brecovered\b", re.IGNORECASE)


@rule("DB501", "A runbook that recovers must say how to verify that it worked.", "add a section `## Verification`")
def no_verification(document: Document) -> Iterator[Hit]:
    recovers = any(command.effect is not Effect.READ for _, command in document.runbook.commands())
    says_how = any(_VERIFIES.match(line) for line in document.lines) or any(
        _LOOKS_AFTERWARDS.search(command.text) for _, command in document.commands
    )
    if recovers and not says_how and not document.has_phase(Phase.VERIFY):
        yield Hit(1, "it changes the system and has no verification section")


@rule("DB502", "A fence that is never closed makes the rest of the document code.", "close it")
def open_fence(document: Document) -> Iterator[Hit]:
    yield from _problems(document, "fence")


@rule("DB503", "Two headings of the same name: ids and links lead to the first.", "name them apart")
def duplicate_heading(document: Document) -> Iterator[Hit]:
    names = Counter(path for path, _ in document.runbook.headings)
    seen: Counter[str] = Counter()
    for path, line in document.runbook.headings:
        seen[path] += 1
        if names[path] > 1 and seen[path] > 1:
            yield Hit(line, f"the heading {path.rpartition('/')[2]!r} stands here for the second time")


@rule(
    "DB504", "A line of a shell block that no shell understands.", "mend the quotes, or take output and prose out of it"
)
def no_shell_text(document: Document) -> Iterator[Hit]:
    yield from _problems(document, "syntax")


@rule("DB505", "A remark to drillbook that it does not understand.", "see the documentation of runbooks")
def bad_remark(document: Document) -> Iterator[Hit]:
    yield from _problems(document, "remark")
    for ignored in document.runbook.ignored:
        for name in ignored.rules:
            if name not in RULES:
                yield Hit(ignored.first, f"there is no rule {name!r} to ignore")


def _problems(document: Document, kind: str) -> Iterator[Hit]:
    return (Hit(problem.line, problem.text) for problem in document.runbook.problems if problem.kind == kind)
