"""A fenced block as a sequence of commands and of instructions that only a person can follow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from drillbook.shell import Comment, Statement, split_block

__all__ = ["Instruction", "Line", "parts_of"]

_EXPECTS = re.compile(r"\W*(expect(ed|s|ation)?\b|should\b|look for\b|returns?:|output:|result:)", re.IGNORECASE)
_EXPECTED_MARK = re.compile(r"^expect(ed|ation)?( output| result)?\s*:\s*", re.IGNORECASE)
_VERBS = (
    "acknowledge add adjust alert analy[sz]e ask assign calculate call change check clear click close collect compare "
    "complete configure confirm consider contact coordinate create delete disable document edit enable end ensure "
    "estimate evaluate fix follow go identify increase inform inspect install investigate kill log lower make modify "
    "monitor move navigate note notify open page post press provision put raise reboot reduce release remove repeat "
    "replace report request reset restart restore return review rotate route run scale schedule select send set share "
    "show start stop switch take tell test try update upgrade use validate verify wait work write"
).split()
_LEAD_IN = r"\W*(?:\d+[.)]\s*|option \w+\s*:\s*|then,?\s+|now,?\s+|or,?\s+|please\s+|[a-z][\w ]{0,20}:\s*)*"
_INSTRUCTS = re.compile(rf"{_LEAD_IN}(?:{'|'.join(_VERBS)})\b", re.IGNORECASE)
_EDITS = re.compile(
    r"\W*(?:\d+[.)]\s*|then,?\s+|now,?\s+)*"
    r"(?:edit|change|modify|fix|set|increase|raise|reduce|lower|add|update|replace|remove)\b"
    r".*(?:\.(?:ya?ml|env|conf|cfg|toml|json|ini|properties|tfvars|service)\b|config(?:uration)? file)"
    r"|\W*add:\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A command of a block: ``line`` counts from 0 in the block."""

    statement: Statement
    expects: str | None = None

    @property
    def line(self) -> int:
        return self.statement.line


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a block asks a person to do, in its comments."""

    text: str
    line: int


@dataclass(slots=True)
class _Group:
    comments: list[Comment] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [comment.text for comment in self.comments]


def parts_of(text: str) -> list[Line | Instruction]:
    """Return the commands and instructions of a shell block, in its order.

    A comment behind or under a command that says what to expect belongs to the command. A comment right above a command
    describes it, unless it asks to edit a file; any other is an instruction where it begins with a verb, and always is
    in a block that has no commands at all.
    """
    pieces = list(_grouped(split_block(text)))
    has_commands = any(isinstance(piece, Statement) for piece in pieces)
    parts: list[Line | Instruction] = []
    for at, piece in enumerate(pieces):
        if isinstance(piece, Statement):
            parts.append(Line(piece))
            continue
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        attached = isinstance(following, Statement) and following.line == piece.comments[-1].line + 1
        rest = _take_expectation(parts, piece, attached)
        if rest and (not has_commands or _is_instruction(rest, attached)):
            parts.append(Instruction("\n".join(comment.text for comment in rest).strip(), rest[0].line))
    return [part for part in parts if not isinstance(part, Instruction) or part.text]


def _grouped(pieces: list[Statement | Comment]) -> Iterator[Statement | _Group]:
    group = _Group()
    for piece in pieces:
        joins = isinstance(piece, Comment) and bool(group.comments) and piece.line == group.comments[-1].line + 1
        if group.comments and not joins:
            yield group
            group = _Group()
        if isinstance(piece, Statement):
            yield piece
        elif not piece.trailing or _EXPECTS.match(piece.text):
            group.comments.append(piece)
    if group.comments:
        yield group


def _take_expectation(parts: list[Line | Instruction], group: _Group, attached: bool) -> list[Comment]:
    """Give the command before the group what the group says of its output; return the comments that are left."""
    if not parts or not isinstance(parts[-1], Line) or not _EXPECTS.match(group.comments[0].text):
        return group.comments
    taken = len(group.comments)
    if attached:
        taken = next((at for at, comment in enumerate(group.comments) if not _EXPECTS.match(comment.text)), taken)
    texts = [_EXPECTED_MARK.sub("", comment.text) for comment in group.comments[:taken]]
    parts[-1] = replace(parts[-1], expects="\n".join(texts))
    return group.comments[taken:]


def _is_instruction(comments: list[Comment], attached: bool) -> bool:
    if attached:
        return any(_EDITS.match(comment.text) for comment in comments)
    return any(_INSTRUCTS.match(comment.text) for comment in comments)
