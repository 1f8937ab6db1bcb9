"""The shell as its grammar sees it: statements of a block, and the simple commands inside a statement.

Everything works on the syntax tree of tree-sitter-bash; a line that is no shell text at all (SQL after a client was
opened, output, prose) becomes a statement of its own that is marked broken.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

__all__ = [
    "Comment",
    "Redirect",
    "Simple",
    "Statement",
    "Word",
    "command_of",
    "mask",
    "parse",
    "pipelines",
    "runs",
    "simple_commands",
    "split_block",
    "walk",
    "word_of",
]

_MAX_DEPTH = 8
_WINDOW_LINES = 40
_TRIES = 4_000
_SHORT_BYTES = 4_000
_PROMPT = re.compile(rb"^[ \t]*(?:[\w.@:~/-]*\$|\[?[\w.-]+@[\w.-]+(?:[: ][^\s#$%\]]*)?\]? ?[#$%]) +(?=\S)")
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
            pieces.append(Comment(_text(source, node).lstrip("#").removeprefix(" ").rstrip(), line, trailing))
        elif node.type == "&" and last is not None:
            begin, position = last
            text = source[begin.start_byte : node.end_byte].decode("utf-8", "replace")
            pieces[position] = replace(_statement(source, begin, first_line), text=text)
        elif node.is_named:
            last = (node, len(pieces))
            pieces.append(_statement(source, node, first_line))
    return pieces


def _statement(source: bytes, node: Node, first_line: int) -> Statement:
    text = _text(source, node)
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


def _text(source: bytes, node: Node) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


@lru_cache(maxsize=256)
def simple_commands(text: str) -> tuple[Simple, ...]:
    """Return the simple commands of a statement, in its order.

    Those in pipelines, lists, loops and substitutions are among them, and those that other commands run (``bash -c``,
    ``docker exec``, ``kubectl exec``, ``ssh``, ``xargs``, ``env``, ``sudo`` …).
    """
    return tuple(_simple(text, 0))


def _simple(text: str, depth: int) -> Iterator[Simple]:
    source = text.encode("utf-8", "replace").replace(b"\0", b" ")
    for node in walk(parse(mask(source))):
        if node.type == "command":
            simple = command_of(source, node)
            yield simple
            yield from _nested(simple, depth + 1)


def pipelines(text: str) -> list[tuple[Simple, ...]]:
    """Return the pipelines of a statement, each as its simple commands; a command without a pipe is one of its own.

    What stands in substitutions is left out; what stands in loops and conditions is not.
    """
    source = text.encode("utf-8", "replace").replace(b"\0", b" ")
    found: list[tuple[Simple, ...]] = []
    stack = [parse(mask(source))]
    while stack:
        node = stack.pop()
        if node.type == "pipeline":
            parts = (part for child in node.named_children for part in walk(child) if part.type == "command")
            found.append(tuple(command_of(source, part) for part in parts if not _is_substituted(part, node)))
        elif node.type == "command":
            found.append((command_of(source, node),))
        else:
            stack.extend(reversed(node.named_children))
    return found


def _is_substituted(node: Node, within: Node) -> bool:
    parent = node.parent
    while parent is not None and parent.start_byte >= within.start_byte and parent != within:
        if parent.type in ("command_substitution", "process_substitution"):
            return True
        parent = parent.parent
    return False


def command_of(source: bytes, node: Node) -> Simple:
    """Return the simple command that a node of type ``command`` is."""
    words: list[Word] = []
    assignments: list[str] = []
    around = [node, *([node.parent] if node.parent is not None and node.parent.type == "redirected_statement" else [])]
    redirected = [child for outer in around for child in outer.children if child.type.endswith("_redirect")]
    for child in node.named_children:
        if child.type == "variable_assignment":
            assignments.append(_text(source, child).partition("=")[0])
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
    text = _text(source, node)
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
    unquoted = "".join(_text(source, part) for part in parts if part.type not in ("string", "raw_string"))
    if re.search(r"\{[^}]*(,|\.\.)", unquoted) or "`" in unquoted:
        return Word(text, None, prefix.partition("{")[0] if known else "", True, node.start_byte, node.end_byte)
    return Word(text, prefix if known else None, prefix, splits, node.start_byte, node.end_byte)


def _value(source: bytes, node: Node) -> tuple[str | None, bool]:
    text = _text(source, node)
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


# What runs another command: program -> options that take a value of their own, as a separate word.
_VALUE_OPTIONS: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-T", "-U", "--user", "--group", "--host"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "xargs": frozenset({"-I", "-n", "-P", "-L", "-d", "-s", "-a", "-E", "--max-args", "--max-procs", "--delimiter"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "-p"}),
    "watch": frozenset({"-n", "--interval", "-q"}),
    "time": frozenset({"-o", "-f"}),
    "docker exec": frozenset({"-e", "-u", "-w", "--env", "--user", "--workdir", "--env-file", "--detach-keys"}),
    "docker run": frozenset(
        {"-e", "-u", "-w", "-v", "-p", "--env", "--user", "--name", "--network", "--net", "--entrypoint", "--volume"}
    ),
    "compose exec": frozenset({"-e", "-u", "-w", "--env", "--user", "--workdir", "--index"}),
    "kubectl exec": frozenset({"-n", "--namespace", "-c", "--container", "--context", "--kubeconfig"}),
    "ssh": frozenset({"-i", "-p", "-l", "-o", "-F", "-J", "-L", "-R", "-D", "-c", "-E", "-b", "-W", "-S", "-m", "-w"}),
}
_PLAIN_RUNNERS = {"sudo", "doas", "env", "timeout", "xargs", "nice", "ionice", "watch", "time", "nohup", "setsid"}
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}


def _nested(simple: Simple, depth: int) -> Iterator[Simple]:
    if depth > _MAX_DEPTH:
        return
    name, rest = runs(simple)
    if not name:
        return
    inside = (*simple.inside, name)
    if isinstance(rest, str):
        inner = (_without_places(found) for found in _simple(rest, depth))
    else:
        command = Simple(rest)
        inner = (found for found in (command, *_nested(command, depth + 1)))
    for found in inner:
        yield replace(found, inside=(*inside, *found.inside), start=simple.start)


def _without_places(simple: Simple) -> Simple:
    return replace(simple, words=tuple(replace(word, start=-1, end=-1) for word in simple.words))


def runs(simple: Simple) -> tuple[str, tuple[Word, ...] | str]:
    """Return what a command runs: the runner's name (empty: it runs nothing), and words or a script."""
    words = simple.words[1:]
    program = simple.program
    finder = _RUNNERS.get(program)
    if finder:
        return finder(words)
    if program in _PLAIN_RUNNERS:
        rest = _after_options(words, _VALUE_OPTIONS.get(program, frozenset()))
        while rest and program in ("env", "sudo") and re.match(r"\w+=", rest[0].prefix):
            rest = rest[1:]
        if program == "timeout":
            rest = rest[1:]
        if program == "watch" and len(rest) == 1 and rest[0].value is not None:
            return program, rest[0].value
        return (program, rest) if rest else ("", ())
    return "", ()


def _after_options(words: tuple[Word, ...], with_value: frozenset[str]) -> tuple[Word, ...]:
    at = 0
    while at < len(words) and words[at].prefix.startswith("-") and len(words[at].prefix) > 1:
        if words[at].value == "--":
            return words[at + 1 :]
        at += 2 if words[at].value in with_value else 1
    return words[at:]


def _shell_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    for at, word in enumerate(words):
        if word.value and re.fullmatch(r"-[a-z]*c[a-z]*", word.value):
            script = words[at + 1].value if at + 1 < len(words) else None
            return ("sh -c", script) if script is not None else ("", ())
        if not word.prefix.startswith("-"):
            break
    return "", ()


def _docker_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, frozenset({"-H", "--host", "--context", "-c", "--config", "-l"}))
    if rest and rest[0].value == "container":
        rest = rest[1:]
    if rest and rest[0].value == "compose":
        return _compose_runs(rest[1:])
    if rest and rest[0].value in ("exec", "run"):
        name = f"docker {rest[0].value}"
        inner = _after_options(rest[1:], _VALUE_OPTIONS[name])[1:]
        return (name, inner) if inner else ("", ())
    return "", ()


def _compose_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, frozenset({"-f", "--file", "-p", "--project-name", "--profile", "--env-file"}))
    if rest and rest[0].value in ("exec", "run"):
        inner = _after_options(rest[1:], _VALUE_OPTIONS["compose exec"])[1:]
        return (f"compose {rest[0].value}", inner) if inner else ("", ())
    return "", ()


def _kubectl_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, _VALUE_OPTIONS["kubectl exec"])
    if not rest or rest[0].value != "exec":
        return "", ()
    for at, word in enumerate(rest):
        if word.value == "--":
            return ("kubectl exec", rest[at + 1 :]) if rest[at + 1 :] else ("", ())
    return "", ()


def _ssh_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, _VALUE_OPTIONS["ssh"])[1:]
    if not rest:
        return "", ()
    if any(word.value is None for word in rest):
        return "ssh", rest
    return "ssh", " ".join(word.value or "" for word in rest)


_RUNNERS: dict[str, Callable[[tuple[Word, ...]], tuple[str, tuple[Word, ...] | str]]] = {
    **dict.fromkeys(_SHELLS, _shell_runs),
    "docker": _docker_runs,
    "podman": _docker_runs,
    "docker-compose": _compose_runs,
    "kubectl": _kubectl_runs,
    "oc": _kubectl_runs,
    "ssh": _ssh_runs,
}
