"""Runbooks in Markdown, read as CommonMark: headings make ids and phases, fences make steps and commands."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from drillbook.annotations import Annotation, annotation_in
from drillbook.blocks import Line, parts_of
from drillbook.clients import Client, opened_by
from drillbook.effects import effect_of, effect_of_code, effect_of_redis, effect_of_sql, streams, wants_terminal
from drillbook.errors import RunbookError
from drillbook.languages import CLIENT_LANGUAGES, SESSIONS, SHELLS, TEMPLATES, is_shell
from drillbook.model import Command, Ignored, Phase, Problem, Runbook, Step
from drillbook.outline import Outline
from drillbook.placeholders import assigned, placeholders
from drillbook.prose import Mention, asks_a_person, commands_in, plain, points_elsewhere
from drillbook.statements import Statement

__all__ = ["parse_runbook", "parse_text"]

_TASK = re.compile(r"\[[ xX]\]\s+")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(---|\.\.\.)[ \t]*(\n|\Z)", re.DOTALL)


def parse_runbook(path: Path) -> Runbook:
    """Read and parse a runbook.

    Args:
        path: A Markdown file in UTF-8; a byte order mark and CRLF line ends are fine.

    Raises:
        RunbookError: The file cannot be read, is not UTF-8 or is empty.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RunbookError(f"{path}:0", "expected a Markdown file, got something that is no file")
    try:
        source = path.read_bytes()
    except FileNotFoundError as error:
        raise RunbookError(f"{path}:0", "there is no such runbook", hint=_neighbours(path)) from error
    except IsADirectoryError as error:
        hint = _neighbours(path / "x.md")
        raise RunbookError(f"{path}:0", "expected a Markdown file, got a folder", hint=hint) from error
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise RunbookError(
            f"{path}:0", f"the runbook cannot be read: {problem}", hint="check its permissions"
        ) from error
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        problem = f"expected UTF-8, got the byte 0x{source[error.start]:02x} at offset {error.start}"
        raise RunbookError(f"{path}:{line}", problem, hint=f"iconv -f WINDOWS-1252 -t UTF-8 {path}") from error
    return parse_text(text, path)


def _neighbours(path: Path) -> str:
    near = sorted(found.name for found in path.parent.glob("*.md"))[:10] if path.parent.is_dir() else []
    return f"{path.parent} has {', '.join(near)}" if near else f"{path.parent} holds no runbook"


def parse_text(text: str, path: Path) -> Runbook:
    """Parse a runbook that was read already.

    Args:
        text: The document.
        path: Named in errors; its stem is the slug.

    Raises:
        RunbookError: The text is empty.
    """
    if not text.strip():
        raise RunbookError(f"{path}:1", "expected a runbook, got an empty file", hint="begin with `# Title`")
    reader = _Reader(text)
    steps = tuple(reader.steps())
    if not reader.titles:
        reader.problems.insert(0, Problem(1, "there is no heading, so nothing tells what the steps are for", "heading"))
    title = reader.titles[0] if reader.titles else path.stem
    problems = tuple(sorted(reader.problems, key=lambda problem: problem.line))
    return Runbook(path.stem, path, title, text, steps, problems, tuple(reader.ignored), tuple(reader.headings))


_EFFECTS = {
    Client.SHELL: effect_of,
    Client.SQL: effect_of_sql,
    Client.REDIS: effect_of_redis,
    Client.CODE: effect_of_code,
}
_NO_ANNOTATION = Annotation()
_PROSE_PHASES = frozenset(Phase) - {Phase.DETECT, Phase.OTHER}
"""Where an imperative sentence is a step: elsewhere it describes ("Log entries pile up")."""


class _Reader:
    """One pass over a document's tokens."""

    def __init__(self, text: str) -> None:
        flat = text.replace("\r\n", "\n").replace("\r", "\n")
        flat = _FRONT_MATTER.sub(lambda match: "\n" * match[0].count("\n"), flat)
        self._lines = flat.split("\n")
        self._tokens = MarkdownIt("commonmark").enable("table").parse(flat)
        self._bold_headings = not any(token.type == "heading_open" for token in self._tokens)
        h1_count = sum(token.type == "heading_open" and token.tag == "h1" for token in self._tokens)
        self._outline = Outline(h1_count)
        self._known: set[str] = set()
        self._clients: dict[Client, tuple[str, str]] = {}
        self._pending = _NO_ANNOTATION
        self.problems: list[Problem] = []
        self.ignored: list[Ignored] = []
        self.headings: list[tuple[str, int]] = []
        self.titles = [title for at in range(len(self._tokens)) if (title := self._title_at(at)) is not None]

    def steps(self) -> Iterator[Step]:
        """Yield the steps in the document's order."""
        items: list[bool] = []
        for at, token in enumerate(self._tokens):
            title = self._title_at(at)
            if title is not None:
                self._pending = _NO_ANNOTATION
                path = self._outline.enter(int(token.tag[1]) if token.type == "heading_open" else 2, title)
                self.headings.append((path, (token.map or [0])[0] + 1))
                continue
            match token.type:
                case "fence" | "code_block":
                    yield from self._annotated(self._of_block(token), token)
                case "list_item_open":
                    items.append(True)
                    yield from self._annotated(self._of_item(at), token, keep=True)
                case "list_item_close":
                    items.pop()
                case "bullet_list_close" | "ordered_list_close" if not items:
                    self._pending = _NO_ANNOTATION
                case "paragraph_open" if not items:
                    yield from self._annotated(self._of_paragraph(at), token)
                case "tr_open":
                    yield from self._annotated(self._of_row(at), token, keep=True)
                case "table_close":
                    self._pending = _NO_ANNOTATION
                case "html_block":
                    self._take_annotation(token)

    def _take_annotation(self, token: Token) -> None:
        found = annotation_in(token.content.strip())
        first = (token.map or [0])[0] + 1
        if found and found.problem:
            self.problems.append(Problem(first, found.problem, "remark"))
        elif found and found.phase:
            self._outline.declare(found.phase)
        elif found and found.scenario:
            self._outline.declare_scenario()
        elif found and found.ignore and not self._outline.titles:
            self.ignored.append(Ignored(found.ignore, 1, len(self._lines)))
        elif found:
            self._pending = found

    def _annotated(self, steps: Iterator[Step], token: Token, *, keep: bool = False) -> Iterator[Step]:
        """Apply the author's remark above a block, a list or a table to its steps."""
        remark = self._pending
        if not keep:
            self._pending = _NO_ANNOTATION
        if remark.ignore:
            begin, end = token.map or [0, 0]
            self.ignored.append(Ignored(remark.ignore, begin + 1, end))
        for step in steps:
            yield replace(step, human_only=remark.human_only) if remark.human_only else step

    def _title_at(self, at: int) -> str | None:
        token = self._tokens[at]
        if token.type == "heading_open":
            return plain(self._tokens[at + 1]) or "untitled"
        if not self._bold_headings or token.type != "paragraph_open" or token.level:
            return None
        inside = [child for child in self._tokens[at + 1].children or [] if child.content or child.nesting]
        is_bold = len(inside) >= 3 and inside[0].type == "strong_open" and inside[-1].type == "strong_close"
        return plain(self._tokens[at + 1]).rstrip(":") if is_bold else None

    def _step(self, line: int, phase: Phase, language: str = "", hand: str | None = None) -> Step:
        return Step(
            self._outline.next_id(), line, phase, self._outline.scenario, self._outline.titles, language, (), hand
        )

    def _of_block(self, token: Token) -> Iterator[Step]:
        begin, end = token.map or [0, 0]
        language = re.split(r"[\s{,]", token.info.strip(), maxsplit=1)[0].lower() if token.info.strip() else ""
        first = begin + (2 if token.type == "fence" else 1)
        if token.type == "fence" and not _is_closed(self._lines[begin:end], token.markup):
            self.problems.append(
                Problem(begin + 1, f"the fence that opens with {token.markup} is never closed", "fence")
            )
        if language not in CLIENT_LANGUAGES and not is_shell(language, token.content):
            yield self._of_template(token, language, begin + 1)
            return
        block = parts_of(token.content, language)
        lines = [part for part in block.parts if isinstance(part, Line)]
        phase, human_only = self._told_inside(block.annotations, lines, first)
        for line in lines:
            if line.statement.broken and language in SHELLS and language not in SESSIONS:
                self.problems.append(
                    Problem(first + line.line, f"no shell text: {line.statement.text[:60]!r}", "syntax")
                )
        if phase is None:
            phase = self._outline.phase([_EFFECTS[line.client](line.statement.text) for line in lines])
        ids: list[str] = []
        pending: list[Line] = []
        steps: list[Step] = []
        for part in block.parts:
            if isinstance(part, Line):
                pending.append(part)
                continue
            if pending:
                steps.append(self._of_lines(pending, first, phase, language, ids))
                pending = []
            steps.append(self._step(first + part.line, phase, language, part.text))
        if pending:
            steps.append(self._of_lines(pending, first, phase, language, ids))
        yield from (replace(step, human_only=human_only) if human_only else step for step in steps)

    def _told_inside(
        self, annotations: Sequence[tuple[int, Annotation]], lines: Sequence[Line], first: int
    ) -> tuple[Phase | None, str]:
        """Return the phase and the reason that a block's own comments give; rules to ignore go with their command."""
        phase, human_only = None, ""
        for at, remark in annotations:
            phase = remark.phase or phase
            human_only = remark.human_only or human_only
            if remark.problem:
                self.problems.append(Problem(first + at, remark.problem, "remark"))
            if remark.ignore:
                meant = next((line.statement for line in lines if line.statement.end_line >= at), None)
                last = meant.end_line if meant else at
                self.ignored.append(Ignored(remark.ignore, first + min(at, meant.line if meant else at), first + last))
        return phase, human_only

    def _of_lines(self, lines: Sequence[Line], first: int, phase: Phase, language: str, ids: list[str]) -> Step:
        """Return a step of these lines; the ids of its commands are added to those of the block so far."""
        step = self._step(first + lines[0].line, phase, language)
        commands: list[Command] = []
        for at, line in enumerate(lines, 1):
            id_ = f"{step.id}.{at}"
            ids.append(id_)
            inside = ids[line.opener] if line.opener is not None else self._opened_before(line.client)
            commands.append(self._command(id_, line, first, inside))
        return replace(step, commands=tuple(commands))

    def _opened_before(self, client: Client) -> str | None:
        """Return what opened the client of a block that holds only what is typed into it: the section's last opener."""
        opener, path = self._clients.get(client, ("", ""))
        return opener if opener and self._outline.path.startswith(path) and client is not Client.SHELL else None

    def _command(self, id_: str, line: Line, first: int, inside: str | None) -> Command:
        text = line.statement.text
        effect = _EFFECTS[line.client](text)
        if line.client is not Client.SHELL:
            names = tuple(dict.fromkeys(place.name for place in placeholders(text, is_shell=False)))
            return Command(id_, text, first + line.line, effect, names, expects=line.expects, inside=inside)
        opens = opened_by(text)
        if opens:
            self._clients[opens] = (id_, self._outline.path)
        names = tuple(dict.fromkeys(place.name for place in placeholders(text, self._known)))
        self._known |= assigned(text)
        return Command(
            id_,
            text,
            first + line.line,
            effect,
            names,
            streams(text),
            opens is not None or wants_terminal(text),
            line.expects,
            inside,
        )

    def _of_template(self, token: Token, language: str, line: int) -> Step:
        phase = self._outline.phase()
        first = next((text.strip() for text in token.content.splitlines() if text.strip()), "")
        tells = phase in (Phase.COMMUNICATE, Phase.ESCALATE) and language in TEMPLATES and first
        return self._step(line, phase, language, f"post: {first}" if tells else None)

    def _of_item(self, at: int) -> Iterator[Step]:
        inside = self._inside(at)
        inlines = [token for token in inside if token.type == "inline"]
        if not inlines:
            return
        mentions = [mention for inline in inlines for mention in _placed(inline)]
        if mentions:
            yield self._of_mentions(mentions)
            return
        if any(token.type in ("fence", "code_block") for token in inside):
            return
        text = plain(inlines[0])
        task = _TASK.match(text)
        phase = self._outline.phase()
        if task or phase is Phase.VERIFY or (phase in _PROSE_PHASES and asks_a_person(text)):
            line = (self._tokens[at].map or [0])[0] + 1
            yield self._step(line, phase, "", text[task.end() :] if task else text)

    def _of_paragraph(self, at: int) -> Iterator[Step]:
        inline = self._tokens[at + 1]
        comments = [annotation_in(child.content) for child in inline.children or [] if child.type == "html_inline"]
        if any(comments):
            return
        mentions = list(_placed(inline))
        if mentions:
            yield self._of_mentions(mentions)
            return
        phase = self._outline.phase()
        is_step = phase in _PROSE_PHASES and asks_a_person(plain(inline))
        if is_step or (phase is Phase.RECOVER and points_elsewhere(inline)):
            yield self._step((self._tokens[at].map or [0])[0] + 1, phase, "", plain(inline))

    def _of_row(self, at: int) -> Iterator[Step]:
        cells: list[Token] = []
        for token in self._tokens[at + 1 :]:
            if token.type == "tr_close":
                break
            if token.type == "inline":
                cells.append(token)
        mentions = [mention for cell in cells for mention in _placed(cell, is_cell=True)]
        if mentions:
            yield self._of_mentions(mentions)

    def _of_mentions(self, mentions: Sequence[Mention]) -> Step:
        lines = [
            Line(Statement(mention.text, mention.line, mention.line), expects=mention.expects) for mention in mentions
        ]
        phase = self._outline.phase([effect_of(mention.text) for mention in mentions])
        return self._of_lines(lines, 0, phase, "", [])

    def _inside(self, at: int) -> list[Token]:
        """Return what stands in a list item, without the items of lists nested in it."""
        inside: list[Token] = []
        level = self._tokens[at].level
        for token in self._tokens[at + 1 :]:
            if token.level <= level or token.type == "list_item_open":
                break
            inside.append(token)
        return inside


def _placed(inline: Token, *, is_cell: bool = False) -> Iterator[Mention]:
    """Yield the commands of a paragraph with their lines in the document, from 1."""
    begin = (inline.map or [0])[0] + 1
    yield from (replace(mention, line=begin + mention.line) for mention in commands_in(inline, is_cell=is_cell))


def _is_closed(lines: Sequence[str], markup: str) -> bool:
    last = lines[-1] if len(lines) > 1 else ""
    mark = re.escape(markup[0])
    return re.search(rf"(?:^|[\s>]){mark}{{{len(markup)},}}[ \t]*$", last) is not None
