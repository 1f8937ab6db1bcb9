"""The shell as its grammar sees it: syntax trees of tree-sitter-bash, and the words of a simple command."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

__all__ = ["Redirect", "Simple", "Word", "command_of", "mask", "parse", "text_of", "walk", "word_of"]

_SHORT_BYTES = 4_000
_ANGLE = re.compile(rb"(?<![<\w&>])<([A-Za-z_\x80-\xff][\w .:/|'\x80-\xff-]*[\w\x80-\xff]|[A-Za-z_])>(?!\()")
_BRACES = re.compile(rb"\{\{ ?[A-Za-z_][\w-]* ?\}\}")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    Attributes:
        text: As it is written.
        value: What the shell makes of it, or None where that is not known before it runs.
        prefix: The part before the first expansion; equals ``value`` where nothing is expanded.
        splits: True where an expansion outside of quotes can become several words, or none.
        start: Byte offset in the statement; -1 in a script that is itself a word.
        end: Where it ends.
    """

    text: str
    value: str | None
    prefix: str
    splits: bool = False
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: ``operator`` is ``>``, ``>>``, ``<``, ``>&`` and the like, ``target`` the word behind it."""

    operator: str
    target: Word | None


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command inside of a statement.

    Attributes:
        words: Program and arguments.
        assignments: Names of variables that are set for it (``FOO=1 cmd``).
        redirects: Its own, and those of the group that it stands in.
        inside: What runs it, outermost first: ``docker exec``, ``bash -c``, ``xargs``.
        start: Byte offset in the statement; that of the outermost command for what runs inside of another.
    """

    words: tuple[Word, ...]
    assignments: tuple[str, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    inside: tuple[str, ...] = ()
    start: int = 0

    @property
    def program(self) -> str:
        """Name of the program without its folder; empty where it is not known."""
        return (self.words[0].value or "").rpartition("/")[2] if self.words else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the program, as far as they are known, else as they are written."""
        return tuple(word.text if word.value is None else word.value for word in self.words[1:])


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


# The grammar's scanner asks isdigit() of whole code points, which ends the process on `{` before an emoji. A plain
# letter for each byte of what is not ASCII keeps offsets and words as they are.
_ASCII = bytes(ord(" ") if byte == 0 else byte if byte < 0x80 else ord("x") for byte in range(256))


def parse(text: str | bytes) -> Node:
    """Return the root of the syntax tree; what is not ASCII stands in it as letters, so take texts from the source."""
    source = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    plain = source.translate(_ASCII)
    return _parse_short(plain) if len(plain) < _SHORT_BYTES else _parser().parse(plain).root_node


# Effect, stream, terminal and placeholders of a command are all told from the same tree.
@lru_cache(maxsize=64)
def _parse_short(plain: bytes) -> Node:
    return _parser().parse(plain).root_node


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything under it, in the text's order, however deep it is nested."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def mask(source: bytes) -> bytes:
    """Replace ``<placeholder>`` and ``{{placeholder}}`` by a plain word of the same length, so that offsets stay."""
    masked = _ANGLE.sub(lambda match: b"_" * len(match[0]), source)
    return _BRACES.sub(lambda match: b"_" * len(match[0]), masked)


def text_of(source: bytes, node: Node) -> str:
    """Return what a node stands for in the source."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def command_of(source: bytes, node: Node) -> Simple:
    """Return the simple command that a node of type ``command`` is."""
    words: list[Word] = []
    assignments: list[str] = []
    around = [node, *([node.parent] if node.parent is not None and node.parent.type == "redirected_statement" else [])]
    redirected = [child for outer in around for child in outer.children if child.type.endswith("_redirect")]
    for child in node.named_children:
        if child.type == "variable_assignment":
            assignments.append(text_of(source, child).partition("=")[0])
        elif child.type == "command_name":
            words.append(word_of(source, child.named_children[0] if child.named_children else child))
        elif not child.type.endswith("_redirect"):
            words.append(word_of(source, child))
    # The grammar takes words behind a redirection's target for further targets; the shell takes them for arguments.
    for child in redirected:
        words += [word_of(source, extra) for extra in _targets(child)[1:] if child.type == "file_redirect"]
    redirects = tuple(_redirect(source, child) for child in redirected)
    return Simple(tuple(words), tuple(assignments), redirects, (), node.start_byte)


def _targets(redirect: Node) -> list[Node]:
    return [child for child in redirect.named_children if child.type != "file_descriptor"]


def _redirect(source: bytes, node: Node) -> Redirect:
    operator = next((child.type for child in node.children if not child.is_named), "")
    targets = _targets(node)
    return Redirect(operator, word_of(source, targets[0]) if targets else None)


def word_of(source: bytes, node: Node) -> Word:
    """Return a word with what is known of its value."""
    text = text_of(source, node)
    parts = list(node.children) if node.type == "concatenation" else [node]
    prefix, known, splits = "", True, False
    for part in parts:
        value, part_splits = _value(source, part)
        splits = splits or part_splits
        if known and value is not None:
            prefix += value
        elif known:
            known = False
            prefix += _static_start(source, part)
    unquoted = "".join(text_of(source, part) for part in parts if part.type not in ("string", "raw_string"))
    if re.search(r"\{[^}]*(,|\.\.)", unquoted) or "`" in unquoted:
        return Word(text, None, prefix.partition("{")[0] if known else "", True, node.start_byte, node.end_byte)
    return Word(text, prefix if known else None, prefix, splits, node.start_byte, node.end_byte)


def _value(source: bytes, node: Node) -> tuple[str | None, bool]:
    text = text_of(source, node)
    if node.type == "raw_string":
        return text[1:-1], False
    if node.type == "string":
        if any(child.type != "string_content" for child in node.named_children):
            return None, False
        return re.sub(r'\\(?:\n|(["$`\\]))', lambda match: match[1] or "", text[1:-1]), False
    if node.type in ("word", "number", "variable_name", "special_variable_name"):
        if node.named_children:
            return None, True
        return re.sub(r"\\(?:\n|(.))", lambda match: match[1] or "", text), False
    if not node.is_named:
        return text, False
    return None, node.type not in ("ansi_c_string", "translated_string", "arithmetic_expansion")


def _static_start(source: bytes, node: Node) -> str:
    if node.type != "string":
        return ""
    first = next((child for child in node.named_children if child.type != "string_content"), None)
    return source[node.start_byte + 1 : first.start_byte].decode("utf-8", "replace") if first else ""
