"""Runbooks in Markdown, read as CommonMark: headings make ids and phases, fences make steps and commands."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from drillbook.blocks import Line, parts_of
from drillbook.effects import effect_of, streams, wants_terminal
from drillbook.errors import RunbookError
from drillbook.model import Command, Phase, Problem, Runbook, Step
from drillbook.phases import phase_of, scenario_of, slug_of
from drillbook.placeholders import assigned, placeholders
from drillbook.shell import simple_commands

__all__ = ["parse_runbook", "parse_text"]

_SHELLS = ("bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal", "ksh", "sh-session")
_OTHER_LANGUAGES = frozenset(
    "text txt plain plaintext yaml yml json promql python py sql redis toml ini js ts go java ruby html xml css "
    "diff log "
    "markdown md mermaid hcl dockerfile nginx http csv logql powershell ps1 bat cmd".split()
)
_TEMPLATE_LANGUAGES = frozenset(("", "text", "txt", "plain", "plaintext", "markdown", "md"))
_PROGRAMS = frozenset(
    "ls cat cd cp mv rm grep find curl wget ssh scp sudo docker docker-compose podman kubectl helm oc systemctl "
    "service "
    "journalctl git psql mysql redis-cli aws gcloud az ansible terraform make npm yarn python python3 pip df du "
    "free top ps "
    "kill pkill tail head less echo export source sleep dmesg uptime netstat ss lsof ip ping dig nslookup "
    "openssl tar touch "
    "mkdir chmod chown for while if watch vmstat iostat nc telnet pg_isready rabbitmqctl etcdctl consul vault "
    "nomad".split()
)
_TASK = re.compile(r"\[[ xX]\]\s+")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(---|\.\.\.)[ \t]*(\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    title: str
    path: str


def parse_runbook(path: Path) -> Runbook:
    """Read and parse a runbook.

    Args:
        path: A Markdown file in UTF-8; a byte order mark and CRLF line ends are fine.

    Raises:
        RunbookError: The file cannot be read, is not UTF-8, is empty or has no heading.
    """
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
        RunbookError: The text is empty or has no heading.
    """
    if not text.strip():
        raise RunbookError(f"{path}:1", "expected a runbook, got an empty file", hint="begin with `# Title`")
    reader = _Reader(text)
    if not reader.titles:
        hint = "a runbook needs headings: they tell what its steps are for"
        raise RunbookError(f"{path}:1", "expected at least one heading, got none", hint=hint)
    steps = tuple(reader.steps())
    return Runbook(path.stem, path, reader.titles[0], text, steps, tuple(reader.problems))


class _Reader:
    """One pass over a document's tokens."""

    def __init__(self, text: str) -> None:
        flat = text.replace("\r\n", "\n").replace("\r", "\n")
        flat = _FRONT_MATTER.sub(lambda match: "\n" * match[0].count("\n"), flat)
        self._lines = flat.split("\n")
        self._tokens = MarkdownIt("commonmark").enable("table").parse(flat)
        self._bold_headings = not any(token.type == "heading_open" for token in self._tokens)
        self._h1_count = sum(token.type == "heading_open" and token.tag == "h1" for token in self._tokens)
        self._open: list[_Heading] = []
        self._paths: set[str] = set()
        self._ordinals: Counter[str] = Counter()
        self._known: set[str] = set()
        self.problems: list[Problem] = []
        self.titles = [title for at in range(len(self._tokens)) if (title := self._title_at(at)) is not None]

    def steps(self) -> Iterator[Step]:
        """Yield the steps in the document's order."""
        for at, token in enumerate(self._tokens):
            title = self._title_at(at)
            if title is not None:
                self._enter(int(token.tag[1]) if token.type == "heading_open" else 2, title)
            elif token.type in ("fence", "code_block"):
                yield from self._of_block(token)
            elif token.type == "list_item_open":
                yield from self._of_item(at)

    def _title_at(self, at: int) -> str | None:
        token = self._tokens[at]
        if token.type == "heading_open":
            return _plain(self._tokens[at + 1]) or "untitled"
        if not self._bold_headings or token.type != "paragraph_open" or token.level:
            return None
        inside = [child for child in self._tokens[at + 1].children or [] if child.content or child.nesting]
        is_bold = len(inside) >= 3 and inside[0].type == "strong_open" and inside[-1].type == "strong_close"
        return _plain(self._tokens[at + 1]).rstrip(":") if is_bold else None

    def _enter(self, level: int, title: str) -> None:
        while self._open and self._open[-1].level >= level:
            self._open.pop()
        parents = [heading for heading in self._open if not self._is_title(heading.level)]
        base = "/".join([*([parents[-1].path] if parents else []), slug_of(title)])
        path, number = base, 1
        while path in self._paths:
            number += 1
            path = f"{base}-{number}"
        self._paths.add(path)
        self._open.append(_Heading(level, title, path))

    def _is_title(self, level: int) -> bool:
        return level == 1 and self._h1_count == 1

    def _headings(self) -> list[str]:
        return [heading.title for heading in self._open if not self._is_title(heading.level)]

    def _step(self, line: int, phase: Phase, language: str = "", hand: str | None = None) -> Step:
        path = self._open[-1].path if self._open else "start"
        self._ordinals[path] += 1
        headings = self._headings()
        id_ = f"{path}#{self._ordinals[path]}"
        titles = tuple(heading.title for heading in self._open)
        return Step(id_, line, phase, scenario_of(headings), titles, language, (), hand)

    def _of_block(self, token: Token) -> Iterator[Step]:
        begin, end = token.map or [0, 0]
        language = re.split(r"[\s{,]", token.info.strip(), maxsplit=1)[0].lower() if token.info.strip() else ""
        first = begin + (2 if token.type == "fence" else 1)
        if token.type == "fence" and not _is_closed(self._lines[begin:end], token.markup):
            self.problems.append(Problem(begin + 1, f"the fence that opens with {token.markup} is never closed"))
        if not _is_shell(language, token.content):
            yield self._of_template(token, language, begin + 1)
            return
        parts = parts_of(token.content)
        for part in parts:
            if isinstance(part, Line) and part.statement.broken:
                self.problems.append(Problem(first + part.line, f"no shell text: {part.statement.text[:60]!r}"))
        effects = [effect_of(part.statement.text) for part in parts if isinstance(part, Line)]
        phase = phase_of(self._headings(), effects)
        pending: list[Line] = []
        for part in parts:
            if isinstance(part, Line):
                pending.append(part)
                continue
            if pending:
                yield self._of_lines(pending, first, phase, language)
                pending = []
            yield self._step(first + part.line, phase, language, part.text)
        if pending:
            yield self._of_lines(pending, first, phase, language)

    def _of_lines(self, lines: Sequence[Line], first: int, phase: Phase, language: str) -> Step:
        step = self._step(first + lines[0].line, phase, language)
        commands = tuple(self._command(f"{step.id}.{at}", line, first) for at, line in enumerate(lines, 1))
        return Step(step.id, step.line, step.phase, step.scenario, step.headings, language, commands)

    def _command(self, id_: str, line: Line, first: int) -> Command:
        text = line.statement.text
        names = tuple(dict.fromkeys(place.name for place in placeholders(text, self._known)))
        self._known |= assigned(text)
        return Command(
            id_, text, first + line.line, effect_of(text), names, streams(text), wants_terminal(text), line.expects
        )

    def _of_template(self, token: Token, language: str, line: int) -> Step:
        phase = phase_of(self._headings(), ())
        first = next((text.strip() for text in token.content.splitlines() if text.strip()), "")
        tells = phase in (Phase.COMMUNICATE, Phase.ESCALATE) and language in _TEMPLATE_LANGUAGES and first
        return self._step(line, phase, language, f"post: {first}" if tells else None)

    def _of_item(self, at: int) -> Iterator[Step]:
        item = self._tokens[at]
        inside = self._inside(at)
        text = next((token for token in inside if token.type == "inline"), None)
        if text is None or any(token.type in ("fence", "code_block") for token in inside):
            return
        plain = _plain(text)
        task = _TASK.match(plain)
        phase = phase_of(self._headings(), ())
        if task or phase is Phase.VERIFY:
            yield self._step((item.map or [0])[0] + 1, phase, "", plain[task.end() :] if task else plain)

    def _inside(self, at: int) -> list[Token]:
        """Return what stands in a list item, without the items of lists nested in it."""
        inside: list[Token] = []
        level = self._tokens[at].level
        for token in self._tokens[at + 1 :]:
            if token.level <= level or token.type == "list_item_open":
                break
            inside.append(token)
        return inside


def _plain(inline: Token) -> str:
    parts = []
    for child in inline.children or []:
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type != "html_inline":
            parts.append(child.content)
    return " ".join("".join(parts).split())


def _is_closed(lines: Sequence[str], markup: str) -> bool:
    last = lines[-1] if len(lines) > 1 else ""
    mark = re.escape(markup[0])
    return re.search(rf"(?:^|[\s>]){mark}{{{len(markup)},}}[ \t]*$", last) is not None


def _is_shell(language: str, content: str) -> bool:
    if language in _SHELLS:
        return True
    if language and language not in _TEMPLATE_LANGUAGES:
        near = difflib.get_close_matches(language, _SHELLS[:5], 1, 0.75)
        return bool(near) and language not in _OTHER_LANGUAGES
    return not language and _reads_as_shell(content)


def _reads_as_shell(content: str) -> bool:
    """True where an untagged block begins like a command, not like a message or an output."""
    for raw in content.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if re.match(r"(\$|[\w.-]+@[\w.-]+[^$#]*[$#]) +\S", line) or re.match(r"\./\S+", line):
            return True
        return any(simple.program in _PROGRAMS for simple in simple_commands(line)[:1])
    return False
