"""The nouns of a runbook: what a document says, before anything is run."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from drillbook.errors import UsageError

__all__ = ["Command", "Effect", "Ignored", "Phase", "Problem", "Runbook", "Step", "is_titled"]


def is_titled(title: str, beginning: str) -> bool:
    """True where a title begins with these words: "Strategy 1" begins "Strategy 1: Restart", not "Strategy 10"."""
    return title.startswith(beginning) and beginning != "" and not title[len(beginning) :][:1].isalnum()


class Phase(StrEnum):
    """What a section of a runbook is for."""

    DETECT = "detect"
    DIAGNOSE = "diagnose"
    RECOVER = "recover"
    VERIFY = "verify"
    COMMUNICATE = "communicate"
    ESCALATE = "escalate"
    PREVENT = "prevent"
    OTHER = "other"


class Effect(StrEnum):
    """What a command does to whatever users or operators of the service rely on."""

    READ = "read"
    CHANGE = "change"
    DESTROY = "destroy"
    TELL = "tell"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Command:
    """One shell statement of a step, exactly as the document has it.

    Attributes:
        id: The step's id, a dot, and the ordinal in the step, from 1.
        text: The statement, untouched (continuation lines included).
        line: Line in the document, from 1.
        effect: What it does.
        placeholders: Names a reader must fill in, in order of appearance, brackets included.
        streams: True where it would run for ever (``logs -f``).
        terminal: True where it asks for a terminal (``-it``).
        expects: What the document says should come back, or None.
        inside: Id of the command that opened the client (``psql``, a shell in a container) into which this is typed, or
            None.
    """

    id: str
    text: str
    line: int
    effect: Effect = Effect.READ
    placeholders: tuple[str, ...] = ()
    streams: bool = False
    terminal: bool = False
    expects: str | None = None
    inside: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One fenced block, one sentence or table row with commands, or one instruction of the document.

    Attributes:
        id: Heading path and ordinal there; edits elsewhere leave it alone.
        line: Line in the document, from 1.
        phase: What the section is for.
        scenario: Title of the scenario or strategy that it belongs to, or None.
        headings: Titles from the outermost heading to the innermost.
        language: Language of the fence; empty for instructions.
        commands: What a machine can run; empty for instructions.
        hand: The instruction, where only a person can do it, or None.
        human_only: Why no drill does it, in the author's words, or None.
    """

    id: str
    line: int
    phase: Phase
    scenario: str | None
    headings: tuple[str, ...]
    language: str = ""
    commands: tuple[Command, ...] = ()
    hand: str | None = None
    human_only: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the document's own text makes impossible or doubtful.

    Attributes:
        line: In the document, from 1.
        text: What it is.
        kind: ``fence`` (never closed), ``syntax`` (no shell text), ``remark`` (of the author to drillbook) or
            ``heading`` (there is none).
    """

    line: int
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Lint rules that the author does not want to hear of, from one line to another (from 1, both included)."""

    rules: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Runbook:
    """A parsed document; the Markdown stays the source of truth.

    Attributes:
        slug: File name without ``.md``.
        path: Where it was read.
        title: First heading, or the file name.
        text: The document, untouched.
        steps: In the document's order.
        problems: What the parser could not make sense of.
        ignored: Lint rules that the author has switched off, and where.
        headings: Path of every heading, and its line; headings of one name under one parent have the same path.
    """

    slug: str
    path: Path
    title: str
    text: str
    steps: tuple[Step, ...]
    problems: tuple[Problem, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    headings: tuple[tuple[str, int], ...] = ()

    def commands(self) -> Iterator[tuple[Step, Command]]:
        """Yield every command with its step, in the document's order."""
        for step in self.steps:
            for command in step.commands:
                yield step, command

    def scenarios(self) -> tuple[str, ...]:
        """Return the titles of scenarios and strategies, in the document's order."""
        return tuple(dict.fromkeys(step.scenario for step in self.steps if step.scenario))

    def of_scenario(self, title: str) -> tuple[Step, ...]:
        """Return the steps of one scenario, in the document's order."""
        return tuple(step for step in self.steps if step.scenario == title)

    def find(self, id_: str) -> Step | Command | str:
        """Return the step, the command or the scenario title that an id names.

        Args:
            id_: A step's or command's id, a heading path without ordinal is a section's: its first step.

        Raises:
            UsageError: Nothing in the document has this id.
        """
        for step in self.steps:
            if id_ == step.id or step.id.rpartition("#")[0] == id_:
                return step
            for command in step.commands:
                if command.id == id_:
                    return command
        if id_ in self.scenarios():
            return id_
        near = [step.id for step in self.steps if id_.rpartition("/")[2].partition("#")[0] in step.id]
        hint = f"did you mean {near[0]}?" if near else f"`drillbook steps {self.path}` lists all ids"
        raise UsageError(str(self.path), f"no step or command has the id {id_!r}", hint=hint)

    def line_of(self, id_: str) -> int:
        """Return the line of a step, a command, or the first step of a section or scenario. Raises UsageError."""
        found = self.find(id_)
        return self.of_scenario(found)[0].line if isinstance(found, str) else found.line

    def scenario_of(self, id_: str) -> str | None:
        """Return the scenario's title that a step, a command or a section belongs to, or None. Raises UsageError."""
        found = self.find(id_)
        if isinstance(found, Command):
            found = self.find(found.id.rpartition(".")[0])
        if isinstance(found, Step):
            return found.scenario
        return found if isinstance(found, str) else None

    def headings_of(self, id_: str) -> tuple[str, ...]:
        """Return the titles above a step, a command or a scenario, outermost first. Raises UsageError."""
        found = self.find(id_)
        if isinstance(found, Command):
            found = self.find(found.id.rpartition(".")[0])
        if isinstance(found, str):
            found = self.of_scenario(found)[0]
        assert isinstance(found, Step)
        return found.headings
