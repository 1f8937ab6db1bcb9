"""A block of shell text as statements and comments.

A line that is no shell text at all (output, prose, SQL) becomes a statement of its own that is marked broken.
"""

import re
from dataclasses import dataclass, replace

from tree_sitter import Node

from drillbook.shell import mask, parse, text_of

__all__ = ["Comment", "Statement", "split_block"]

_WINDOW_LINES = 40
_TRIES = 4_000
_PROMPT = re.compile(rb"^[ \t]*(?:[\w.@:~/-]*\$|\[?[\w.-]+@[\w.-]+(?:[: ][^\s#$%\]]*)?\]? ?[#$%]) +(?=\S)")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line of a block: ``text`` without the mark, ``line`` from 0, ``trailing`` behind a statement."""

    text: str
    line: int
    trailing: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a block: verbatim text, first and last line (from 0), and whether it is no shell text."""

    text: str
    line: int
    end_line: int
    broken: bool = False


def split_block(text: str) -> list[Statement | Comment]:
    """Split a block into statements and comments, in the text's order.

    Args:
        text: The inside of a fence. Lines with a ``$ `` prompt are taken without it; where a block has prompts, lines
            without one are output and dropped.
    """
    source = _without_prompts(text.encode("utf-8", "replace")).replace(b"\0", b" ")
    root = parse(mask(_joined(source)))
    if not root.has_error and not any(_runs_over(source, node) for node in root.named_children):
        return _pieces(source, root, 0)
    return _line_by_line(source)


def _runs_over(source: bytes, node: Node) -> bool:
    """True for a pipeline that the grammar draws over an empty line and a comment, which no shell does."""
    if node.type not in ("pipeline", "list", "command", "redirected_statement"):
        return False
    gap = re.compile(rb"\n[ \t]*\n[ \t]*#").search(source, node.start_byte, node.end_byte)
    if gap is None:
        return False
    inner = node.descendant_for_byte_range(gap.start(), gap.start())
    while inner is not None and inner != node:
        if inner.type in ("string", "raw_string", "heredoc_body", "compound_statement", "do_group", "subshell"):
            return False
        inner = inner.parent
    return True


def _joined(source: bytes) -> bytes:
    """Move blanks behind a backslash at a line's end to before it: the author means the command to go on."""
    return re.sub(rb"\\([ \t]+)(?=\n)", rb"\1\\", source)


def _without_prompts(source: bytes) -> bytes:
    lines = source.split(b"\n")
    if not any(_PROMPT.match(line) for line in lines):
        return source
    kept: list[bytes] = []
    goes_on = False
    for line in lines:
        prompt = _PROMPT.match(line)
        if prompt:
            line = b" " * prompt.end() + line[prompt.end() :]
        elif goes_on:
            line = re.sub(rb"^> ", b"  ", line)
        elif not line.lstrip().startswith(b"#"):
            line = b""
        goes_on = (bool(prompt) or goes_on) and line.rstrip().endswith(b"\\")
        kept.append(line)
    return b"\n".join(kept)


def _pieces(source: bytes, root: Node, first_line: int) -> list[Statement | Comment]:
    pieces: list[Statement | Comment] = []
    last: tuple[Node, int] | None = None
    for node in root.children:
        line = first_line + node.start_point.row
        if node.type == "comment":
            trailing = last is not None and last[0].end_point.row == node.start_point.row
            pieces.append(Comment(text_of(source, node).lstrip("#").removeprefix(" ").rstrip(), line, trailing))
        elif node.type == "&" and last is not None:
            begin, position = last
            text = source[begin.start_byte : node.end_byte].decode("utf-8", "replace")
            pieces[position] = replace(_statement(source, begin, first_line), text=text)
        elif node.is_named:
            last = (node, len(pieces))
            pieces.append(_statement(source, node, first_line))
    return pieces


def _statement(source: bytes, node: Node, first_line: int) -> Statement:
    text = text_of(source, node)
    line = first_line + node.start_point.row
    return Statement(text.rstrip(), line, line + text.rstrip().count("\n"))


def _line_by_line(source: bytes) -> list[Statement | Comment]:
    lines = source.split(b"\n")
    pieces: list[Statement | Comment] = []
    at, tries = 0, _TRIES
    while at < len(lines):
        window = _WINDOW_LINES if tries > 0 else 1
        taken, found = _longest_start(lines, at, window)
        tries -= window if taken == 1 else 0
        pieces += found
        at += taken
    return pieces


def _longest_start(lines: list[bytes], at: int, window: int) -> tuple[int, list[Statement | Comment]]:
    """Return how many lines from here on make whole statements, and these; one broken line where none do."""
    if not lines[at].strip():
        return 1, []
    for end in range(at + 1, min(at + window, len(lines)) + 1):
        part = b"\n".join(lines[at:end])
        root = parse(mask(_joined(part)))
        goes_on = _goes_on(lines, end)
        if not root.has_error and not goes_on:
            return end - at, _pieces(part, root, at)
        if not goes_on and end - at > 1 and not lines[end - 1].strip() and not _is_open(part):
            break
    end = at + 1
    while _goes_on(lines, end):
        end += 1
    text = b"\n".join(lines[at:end]).decode("utf-8", "replace").strip()
    return end - at, [Statement(text, at, end - 1, broken=True)]


def _goes_on(lines: list[bytes], end: int) -> bool:
    return end < len(lines) and lines[end - 1].rstrip(b" \t").endswith(b"\\")


def _is_open(part: bytes) -> bool:
    """True where a quote or a heredoc may go on over an empty line."""
    return part.count(b'"') % 2 == 1 or part.count(b"'") % 2 == 1 or b"<<" in part
