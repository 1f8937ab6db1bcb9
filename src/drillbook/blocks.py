"""A fenced block as a sequence of commands and of instructions that only a person can follow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from drillbook.annotations import Annotation, annotation_in
from drillbook.clients import Client, leaves, opened_by, typed_into
from drillbook.languages import CLIENT_LANGUAGES, SESSIONS
from drillbook.statements import Comment, Statement, split_block
from drillbook.wording import EXPECTED_MARK, EXPECTS, edits, instructs, reads_as_command

__all__ = ["Block", "Instruction", "Line", "parts_of"]

_SECTION = re.compile(r"\[[A-Z][\w .:-]*\]")
_SETTING = re.compile(r"[A-Z]\w*=")


@dataclass(frozen=True, slots=True)
class Line:
    """A command of a block.

    Attributes:
        statement: Its text; lines count from 0 in the block.
        client: What understands it; the block's own shell is SHELL.
        opener: Which line of the block opened the client that it is typed into (ordinal from 0), or None.
        expects: What the block says should come back, or None.
    """

    statement: Statement
    client: Client = Client.SHELL
    opener: int | None = None
    expects: str | None = None

    @property
    def line(self) -> int:
        return self.statement.line


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a block asks a person to do, in its comments."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block taken apart: commands and instructions in order, and what the author tells drillbook, by line."""

    parts: tuple[Line | Instruction, ...]
    annotations: tuple[tuple[int, Annotation], ...] = ()


@dataclass(slots=True)
class _Group:
    comments: list[Comment] = field(default_factory=list)


def parts_of(text: str, language: str = "bash") -> Block:
    """Return the commands and instructions of a block, in its order.

    A comment behind or under a command that says what to expect belongs to the command. A comment right above a command
    describes it, unless it asks to edit a file; any other is an instruction where it begins with a verb, and always is
    in a block that has no commands at all.

    Args:
        text: The inside of the fence.
        language: A shell's, or one of ``CLIENT_LANGUAGES``.
    """
    pieces: list[Line | Comment] = []
    annotations: list[tuple[int, Annotation]] = []
    for piece in _said(text, language):
        annotation = annotation_in(piece.text) if isinstance(piece, Comment) else None
        if annotation:
            annotations.append((piece.line, annotation))
        else:
            pieces.append(piece)
    return Block(tuple(_parts(list(_grouped(pieces)))), tuple(annotations))


def _parts(pieces: list[Line | _Group]) -> list[Line | Instruction]:
    has_commands = any(isinstance(piece, Line) for piece in pieces)
    parts: list[Line | Instruction] = []
    for at, piece in enumerate(pieces):
        if isinstance(piece, Line):
            parts.append(piece)
            continue
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        attached = isinstance(following, Line) and following.line == piece.comments[-1].line + 1
        rest = _take_expectation(parts, piece, attached)
        if rest and (not has_commands or _is_instruction(rest, attached)):
            parts.append(Instruction("\n".join(comment.text for comment in rest).strip(), rest[0].line))
    return [part for part in parts if not isinstance(part, Instruction) or part.text]


def _said(text: str, language: str) -> Iterator[Line | Comment]:
    """Yield the statements and comments of a block, each statement with what understands it."""
    lines = text.split("\n")
    client = CLIENT_LANGUAGES.get(language)
    if client:
        typed = typed_into(client, lines, 0, to_the_end=True)
        yield from (Line(piece, client) if isinstance(piece, Statement) else piece for piece in typed.pieces)
        return
    flat = _with_dollar_prompts(lines) if language in SESSIONS else text
    resume, ordinal, in_section = 0, -1, False
    shells: list[tuple[int, str]] = []
    for piece in split_block(flat):
        if piece.line < resume:
            continue
        if isinstance(piece, Comment):
            yield piece
            continue
        if _SECTION.fullmatch(piece.text) or (in_section and _SETTING.match(piece.text)):
            in_section = True
            yield Comment(piece.text, piece.line)  # of a file that is edited: nobody types it into a shell
            continue
        in_section = False
        ordinal += 1
        shell = shells[-1] if shells else None
        if shell and leaves(piece.text, shell[1]):
            shells.pop()
            if opened_by(piece.text) is None and not _is_word(piece.text):
                shell = shells[-1] if shells else None
        yield Line(piece, opener=shell[0] if shell else None)
        client = opened_by(piece.text)
        if client is Client.SHELL:
            shells.append((ordinal, piece.text))
        elif client:
            opener = ordinal
            typed = typed_into(client, lines, piece.end_line + 1)
            resume = typed.end_line
            for told in typed.pieces:
                if isinstance(told, Comment):
                    yield told
                else:
                    ordinal += 1
                    yield Line(told, client, opener)


def _is_word(text: str) -> bool:
    """True for the word itself that leaves a shell, which is still typed into it."""
    return len(text.split()) == 1


def _with_dollar_prompts(lines: list[str]) -> str:
    """Return the block with root's prompts written as ``$ ``, where its other lines are output and no commands."""
    prompted = [bool(re.match(r"# +\S", line)) and reads_as_command(line[2:].strip(), is_alone=True) for line in lines]
    others = [line for line, is_prompted in zip(lines, prompted, strict=True) if line.strip() and not is_prompted]
    if not any(prompted) or not others:
        return "\n".join(lines)
    if any(re.match(r"\s*[$#]", line) or reads_as_command(line.strip(), is_alone=True) for line in others):
        return "\n".join(lines)
    return "\n".join("$" + line[1:] if root else line for line, root in zip(lines, prompted, strict=True))


def _grouped(pieces: list[Line | Comment]) -> Iterator[Line | _Group]:
    group = _Group()
    for piece in pieces:
        joins = isinstance(piece, Comment) and bool(group.comments) and piece.line == group.comments[-1].line + 1
        if group.comments and not joins:
            yield group
            group = _Group()
        if isinstance(piece, Line):
            yield piece
        elif not piece.trailing or EXPECTS.match(piece.text):
            group.comments.append(piece)
    if group.comments:
        yield group


def _take_expectation(parts: list[Line | Instruction], group: _Group, attached: bool) -> list[Comment]:
    """Give the command before the group what the group says of its output; return the comments that are left."""
    if not parts or not isinstance(parts[-1], Line) or not EXPECTS.match(group.comments[0].text):
        return group.comments
    apart = group.comments[0].line > parts[-1].statement.end_line + 1
    if attached and apart:  # it stands above the next command and describes that
        return group.comments
    taken = len(group.comments)
    if attached:
        taken = next((at for at, comment in enumerate(group.comments) if not EXPECTS.match(comment.text)), taken)
    texts = [EXPECTED_MARK.sub("", comment.text) for comment in group.comments[:taken]]
    parts[-1] = replace(parts[-1], expects="\n".join(texts))
    return group.comments[taken:]


def _is_instruction(comments: list[Comment], attached: bool) -> bool:
    if attached:
        return any(edits(comment.text) for comment in comments)
    return any(instructs(comment.text) for comment in comments)
