"""What a lint rule is, and what it looks at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from drillbook.clients import Client, opened_by
from drillbook.commands import pipelines, simple_commands
from drillbook.lint.compose import Compose
from drillbook.model import Command, Phase, Runbook, Step
from drillbook.shell import Simple

__all__ = ["RULES", "Document", "Hit", "Rule", "rule"]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a rule found something: line in the document, what it is, and the command's id where there is one."""

    line: int
    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is rotten in runbooks.

    Attributes:
        id: ``DB`` and three digits; the first is the family.
        says: The rule in a sentence.
        mend: What to write instead.
        find: Yields what is wrong in a document.
    """

    id: str
    says: str
    mend: str
    find: "Callable[[Document], Iterator[Hit]]"


RULES: dict[str, Rule] = {}
"""All rules by id."""


def rule(
    id_: str, says: str, mend: str
) -> "Callable[[Callable[[Document], Iterator[Hit]]], Callable[[Document], Iterator[Hit]]]":
    """Enter a function into the rules."""

    def enter(find: "Callable[[Document], Iterator[Hit]]") -> "Callable[[Document], Iterator[Hit]]":
        assert id_ not in RULES
        RULES[id_] = Rule(id_, says, mend, find)
        return find

    return enter


class Document:
    """A runbook and what stands around it.

    Args:
        runbook: The parsed document.
        compose: What its compose file defines; None where no file is given.
    """

    def __init__(self, runbook: Runbook, compose: Compose | None = None) -> None:
        self.runbook = runbook
        self.compose = compose
        self.lines = runbook.text.splitlines()

    @cached_property
    def commands(self) -> list[tuple[Step, Command]]:
        """Every command that is shell text, with its step; what is typed into other clients is not."""
        by_id = {command.id: command for _, command in self.runbook.commands()}

        def is_shell(command: Command) -> bool:
            opener = by_id.get(command.inside or "")
            return opener is None or opened_by(opener.text) is Client.SHELL

        return [(step, command) for step, command in self.runbook.commands() if is_shell(command)]

    def simples(self) -> Iterator[tuple[Step, Command, Simple]]:
        """Yield every simple command of the document."""
        for step, command in self.commands:
            for simple in simple_commands(command.text):
                yield step, command, simple

    def pipes(self) -> Iterator[tuple[Step, Command, tuple[Simple, ...]]]:
        """Yield every pipeline of the document."""
        for step, command in self.commands:
            for stages in pipelines(command.text):
                if stages:
                    yield step, command, stages

    def around(self, command: Command, before: int = 6) -> str:
        """Return the text just above a command, up to its heading, and its own lines."""
        end = command.line + command.text.count("\n")
        begin = max(self._heading_at(command) + 1, command.line - 1 - before)
        return "\n".join(self.lines[begin:end])

    def heading(self, command: Command) -> str:
        """Return the line of the heading above a command; empty where there is none."""
        at = self._heading_at(command)
        return self.lines[at] if at >= 0 else ""

    def _heading_at(self, command: Command) -> int:
        """Return the index of the last heading's line before a command, or -1."""
        return next((line - 1 for _, line in reversed(self.runbook.headings) if line < command.line), -1)

    @cached_property
    def with_pipefail(self) -> set[str]:
        """Ids of the steps that set ``pipefail``."""
        return {step.id for step, command in self.commands if "pipefail" in command.text}

    def below(self, command: Command, lines: int = 3) -> str:
        """Return the lines just below a command, where authors say what it should print."""
        end = command.line + command.text.count("\n")
        return "\n".join(self.lines[end : end + lines])

    @cached_property
    def folders(self) -> list[Path]:
        """Where a relative path may begin: the document's folder and those above it, up to the repository's."""
        folder = self.runbook.path.resolve().parent
        found = [folder]
        while not (folder / ".git").exists() and folder.parent != folder:
            folder = folder.parent
            found.append(folder)
        if not (folder / ".git").exists():
            return [self.runbook.path.resolve().parent]
        return found

    def has_phase(self, phase: Phase) -> bool:
        """True where some step is for this."""
        return any(step.phase is phase for step in self.runbook.steps)
