"""What a runbook asks to be done, line by line: the rows that a ledger accounts for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from drillbook.model import Effect, Phase, Runbook

__all__ = ["Row", "row_of_event", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One command, or one instruction for a person.

    Attributes:
        id: Of the command, or of the step that is an instruction.
        line: In the document, from 1.
        phase: Of its section.
        text: The command or the instruction, untouched.
        effect: Of a command; empty for an instruction.
        expects: What the document says should come back; empty where it does not.
        human_only: Why only a person can do it, in the author's words; empty where nobody says so.
        scenario: Title of the scenario that it belongs to; empty for none.
        opener: What opened the client that it is typed into; empty for none.
    """

    id: str
    line: int
    phase: str
    text: str
    effect: str = ""
    expects: str = ""
    human_only: str = ""
    scenario: str = ""
    opener: str = ""

    @property
    def said(self) -> str:
        """Everything that a proof rests on: the text, what it is typed into, and what should come back."""
        into = f"\n(typed into) {self.opener}" if self.opener else ""
        expects = f"\n(expects) {self.expects}" if self.expects else ""
        return f"{self.text}{into}{expects}"

    @property
    def step(self) -> str:
        """Id of the step."""
        path, _, ordinal = self.id.partition("#")
        return f"{path}#{ordinal.partition('.')[0]}"

    @property
    def section(self) -> str:
        """Heading path."""
        return self.id.partition("#")[0]

    @property
    def is_told(self) -> bool:
        """True for a message: a command that posts one, or a text for people."""
        return self.effect == Effect.TELL or (not self.effect and self.phase == Phase.COMMUNICATE)

    def to_event(self) -> dict[str, Any]:
        """Return its fields, without empty ones."""
        return {name: value for name, value in asdict(self).items() if value != ""}


def rows_of(runbook: Runbook) -> list[Row]:
    """Return every command and every instruction of a document, in its order."""
    rows: list[Row] = []
    texts = {command.id: command.text for _, command in runbook.commands()}
    for step in runbook.steps:
        about = {"human_only": step.human_only or "", "scenario": step.scenario or ""}
        if step.hand:
            rows.append(Row(step.id, step.line, step.phase, step.hand, **about))
        for command in step.commands:
            opener = texts.get(command.inside or "", "")
            row = Row(
                command.id, command.line, step.phase, command.text, command.effect, command.expects or "", **about
            )
            rows.append(replace(row, opener=opener) if opener else row)
    return rows


def row_of_event(fields: Mapping[str, Any]) -> Row:
    """Return a row as a record has it; what is missing or wrong there is empty."""
    texts = {
        name: str(fields.get(name) or "")
        for name in ("id", "phase", "text", "effect", "expects", "human_only", "scenario", "opener")
    }
    line = fields.get("line")
    return Row(line=line if isinstance(line, int) else 0, **texts)
