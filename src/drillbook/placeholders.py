"""What a reader of a document must fill in, and how it is filled in without the shell misreading it."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from drillbook.shell import mask, parse, walk

__all__ = ["Bound", "Placeholder", "assigned", "bind", "key_of", "placeholders"]

_ANGLE = r"(?<![<\w&>])<(?:[A-Za-z_][\w .:/|'-]*\w|[A-Za-z_])>(?!\()"
_BRACES = r"\{\{ ?(?!end\b|else\b)[A-Za-z_][\w-]* ?\}\}"
_SQUARE = r"(?<![\w\\])\[[A-Z]{2,}(?:[ _-][A-Z]+)*\]"
_CURLY = r"(?<![\w$\\{#%])\{[A-Z][A-Z0-9_]{2,}\}(?!\})"
_PATH = r"(?<![\w.])/path/to(?:/[\w.-]+)*"
_YOUR = r"(?<![\w/.-])(?:your|YOUR|my-own)[-_][A-Za-z0-9_-]*\w"
_CAPS = (
    r"(?<![\w$={}%<\[.-])(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|TOKEN|HOSTNAME|NAMESPACE|PASSWORD|USERNAME)(?![\w=(\]]|:\.)"
)
_SAMPLE = (
    r"\b(?:i|sg|subnet|vpc|ami|vol|eni|rtb|igw|snap)-(?:0?12345?6?7?8?9?[0-9a-f]*|0?abc[0-9a-f]*|x{3,})\b"
    r"|\barn:aws[\w:/.-]*\.\.\.|\bAKIA[A-Z0-9]*EXAMPLE\b"
)
_TIME = r"(?<![\w.-])20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?![\w-])"
_FILL_IN = re.compile(
    "|".join(f"(?:{part})" for part in (_ANGLE, _BRACES, _CURLY, _SQUARE, _PATH, _YOUR, _SAMPLE, _TIME, _CAPS))
)
_PATTERN_PROGRAMS = frozenset({"grep", "egrep", "fgrep", "zgrep", "rg", "sed", "awk", "tr"})
_SHELLS_OWN = frozenset(
    "HOME PATH PWD OLDPWD USER LOGNAME SHELL HOSTNAME HOSTTYPE UID EUID PPID RANDOM SECONDS LINENO IFS LANG TERM "
    "TMPDIR "
    "BASH BASHPID PIPESTATUS FUNCNAME EDITOR MAPFILE REPLY OPTARG OPTIND".split()
)
# A ``<pid>`` is the main process of a unit, a ``<PID>`` whoever listens on a port (found.py): one must not be killed
# for the other.
_EXACT = frozenset({"PID"})
_SAFE_VALUE = re.compile(r"[\w@%+:,./][\w@%+=:,./-]*")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place to fill in: ``name`` as it is written, and where it stands in the command (bytes)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bound:
    """A command with its placeholders filled in; it must not run while ``unbound`` names any."""

    text: str
    unbound: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()


def placeholders(text: str, known: Collection[str] = (), *, is_shell: bool = True) -> tuple[Placeholder, ...]:
    """Return what a reader must fill in before a command can run, in order of appearance.

    Args:
        text: The command.
        known: Shell variables that were set before it.
        is_shell: False for what is typed into another client, where ``$1`` is no variable of a shell.
    """
    source = text.encode("utf-8", "replace").replace(b"\0", b" ")
    root = parse(mask(source))
    if not is_shell:
        return tuple(sorted(_filled_in(source, root), key=lambda place: place.start))
    found = [*_filled_in(source, root), *_variables(source, root, {*known, *_set_in(source, root)})]
    return tuple(sorted(found, key=lambda place: place.start))


def assigned(text: str) -> frozenset[str]:
    """Return the names of the shell variables that a statement sets."""
    source = text.encode("utf-8", "replace").replace(b"\0", b" ")
    return frozenset(_set_in(source, parse(mask(source))))


def _filled_in(source: bytes, root: Node) -> Iterator[Placeholder]:
    # Latin-1 keeps one character a byte, so that offsets of the pattern are offsets of the tree.
    flat = source.decode("latin-1")
    patterns = _pattern_ranges(source, root)
    for match in _FILL_IN.finditer(flat):
        start, end = match.span()
        if match[0][0] in "[ABCDEFGHIJKLMNOPQRSTUVWXYZ" and any(low <= start < high for low, high in patterns):
            continue
        yield Placeholder(source[start:end].decode("utf-8", "replace"), start, end)


def _pattern_ranges(source: bytes, root: Node) -> list[tuple[int, int]]:
    """Return where regular expressions and program texts stand, in which ``[ERROR]`` and ``MAX_X`` mean themselves."""
    ranges = []
    for node in walk(root):
        if node.type == "comment":
            ranges.append((node.start_byte, node.end_byte))
        elif node.type == "command" and node.named_children:
            name = source[node.named_children[0].start_byte : node.named_children[0].end_byte]
            if name.decode("utf-8", "replace") in _PATTERN_PROGRAMS:
                quoted = (child for child in node.named_children if child.type in ("string", "raw_string"))
                ranges += [(child.start_byte, child.end_byte) for child in quoted]
    return ranges


def _variables(source: bytes, root: Node, known: set[str]) -> Iterator[Placeholder]:
    for node in walk(root):
        if node.type not in ("simple_expansion", "expansion"):
            continue
        names = [child for child in node.named_children if child.type == "variable_name"]
        plain = node.type == "simple_expansion" or len(node.children) == 3
        if len(names) != 1 or not plain:
            continue
        name = source[names[0].start_byte : names[0].end_byte].decode("utf-8", "replace")
        if name not in known and name not in _SHELLS_OWN:
            text = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
            yield Placeholder(text, node.start_byte, node.end_byte)


def _set_in(source: bytes, root: Node) -> set[str]:
    names: set[str] = set()
    for node in walk(root):
        if node.type in ("variable_assignment", "for_statement", "declaration_command"):
            names |= {
                source[child.start_byte : child.end_byte].decode("utf-8", "replace")
                for child in node.named_children
                if child.type == "variable_name"
            }
        elif node.type == "command" and node.named_children and node.named_children[0].type == "command_name":
            words = [source[child.start_byte : child.end_byte] for child in node.named_children]
            if words[0] in (b"read", b"mapfile", b"getopts"):
                names |= {word.decode("utf-8", "replace") for word in words[1:] if not word.startswith(b"-")}
    return names


def key_of(name: str) -> str:
    """Return the plain name inside of the brackets: ``<pod-name>``, ``$POD`` and ``{{ pod }}`` give what is inside."""
    return re.sub(r"^(?:<|\$\{?|\[|\{\{ ?|\{)|(?:>| ?\}\}|\}|\])$", "", name).strip()


def bind(text: str, variables: Mapping[str, str], known: Collection[str] = ()) -> Bound:
    """Fill in the placeholders of a command.

    Args:
        text: The command.
        variables: Values by name; looked up as the placeholder is written (``<pod-name>``, a sample time), then by
            the name inside of its brackets, then by that in lower case with dashes, then with underscores, as labels of
            alerts have them. ``PID`` is not ``pid``.
        known: Shell variables that were set before it.

    Returns:
        The text, each value quoted as its place needs it, and the names that have no value.
    """
    source = text.encode("utf-8", "replace").replace(b"\0", b" ")
    root = parse(mask(source))
    unbound: list[str] = []
    values: list[tuple[str, str]] = []
    pieces: list[bytes] = []
    at = 0
    for place in placeholders(text, known):
        value = _lookup(place.name, variables)
        if value is None:
            unbound.append(place.name)
            continue
        if place.start < at:
            continue
        values.append((place.name, value))
        pieces += [source[at : place.start], _quoted(root, place, value).encode("utf-8", "replace")]
        at = place.end
    bound = b"".join([*pieces, source[at:]]).decode("utf-8", "replace")
    return Bound(bound, tuple(dict.fromkeys(unbound)), tuple(dict.fromkeys(values)))


def _lookup(name: str, variables: Mapping[str, str]) -> str | None:
    key = key_of(name)
    if key in _EXACT:
        return variables.get(name, variables.get(key))
    for spelling in (name, key, re.sub(r"[ _]", "-", key.lower()), re.sub(r"[ -]", "_", key.lower())):
        if spelling in variables:
            return variables[spelling]
    return None


def _quoted(root: Node, place: Placeholder, value: str) -> str:
    if _SAFE_VALUE.fullmatch(value):
        return value
    kinds: list[str] = []
    node = root.descendant_for_byte_range(place.start, place.end)
    while node is not None:
        kinds.append(node.type)
        node = node.parent
    innermost = next((kind for kind in kinds if kind in ("string", "raw_string", "heredoc_body")), "")
    if innermost == "raw_string":
        return value.replace("'", "'\"'\"'")
    if innermost in ("string", "heredoc_body"):
        return re.sub(r'(["$`\\])', r"\\\1", value)
    return shlex.quote(value)
