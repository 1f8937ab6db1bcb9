"""Named rules for what cannot run as it stands in a document: streams, terminals and sleeps.

Reports show both lines, and the names of the rules between them. Placeholders are filled in first, with
:func:`drillbook.placeholders.bind`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drillbook.commands import leading_options, simple_commands
from drillbook.effects import is_stream
from drillbook.placeholders import Bound, bind
from drillbook.shell import Simple, Word, parse, walk
from drillbook.units import parse_duration

__all__ = [
    "SLEEP_UNTIL_READY",
    "STREAM_BOUNDED",
    "TERMINAL_DROPPED",
    "TYPED_INTO_CLIENT",
    "Bound",
    "Rewritten",
    "bind",
    "rewrite",
    "typed_into",
]

STREAM_BOUNDED = "stream-bounded"
"""What would run for ever shows what is there now, as a person sees it in the first seconds, and ends."""
TERMINAL_DROPPED = "terminal-dropped"
"""``-it`` goes; ``docker-compose exec`` gets ``-T``."""
SLEEP_UNTIL_READY = "sleep-until-ready"
"""``sleep N`` is not run: the drill waits until the system is ready, for at most so long."""

TYPED_INTO_CLIENT = "typed-into-client"
"""What a person types into ``psql`` or into a shell in a container is handed to it on its standard input."""

_LOOPS = ("while_statement", "for_statement", "c_style_for_statement")
_ENGINES = ("docker", "podman", "nerdctl", "docker-compose")
_CLUSTERS = ("kubectl", "oc")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A command as it will run.

    Attributes:
        text: Empty where nothing is left to run.
        rules: Names of the rules that changed it, each once.
        wait_s: Seconds that it asked to sleep; the caller waits until ready instead.
    """

    text: str
    rules: tuple[str, ...] = ()
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str
    rule: str


def rewrite(text: str, *, stream_s: float = 3.0, keeps_stdin: bool = False) -> Rewritten:
    """Return a command as it can run without a person and without a terminal.

    Args:
        text: The command, its placeholders filled in.
        stream_s: Seconds that a stream runs which cannot be told to end by itself.
        keeps_stdin: ``-it`` becomes ``-i``: something is going to be typed into it.
    """
    source = text.encode("utf-8", "replace")
    edits: list[_Edit] = []
    wait_s = 0.0
    loops = [(node.start_byte, node.end_byte) for node in walk(parse(source)) if node.type in _LOOPS]
    for simple in simple_commands(text):
        if simple.program == "sleep" and not any(low <= simple.start < high for low, high in loops):
            slept_s = _seconds(simple)
            if slept_s is not None and _is_placed(simple):
                wait_s += slept_s
                edits.append(_whole(simple, "true", SLEEP_UNTIL_READY))
        elif is_stream(simple) and "timeout" not in simple.inside:
            edits += _bound_stream(simple, source, stream_s)
        edits += _drop_terminal(simple, "-i" if keeps_stdin else "")
    new = _apply(source, edits)
    rules = tuple(dict.fromkeys(edit.rule for edit in edits))
    if rules == (SLEEP_UNTIL_READY,) and new.strip() == "true":
        new = ""
    return Rewritten(new, rules, wait_s)


def typed_into(openers: Sequence[str], text: str) -> Rewritten:
    """Return a command that opens clients, one inside of the other, and types a line into the innermost.

    Args:
        openers: What opens them, outermost first, placeholders filled in.
        text: What is typed.
    """
    rules: list[str] = []
    for opener in reversed(openers):
        changed = rewrite(opener.rstrip(" ;"), keeps_stdin=True)
        rules += changed.rules
        mark = "TYPED"
        while mark in text.split("\n"):
            mark += "_"
        text = f"{changed.text} <<'{mark}'\n{text}\n{mark}"
    return Rewritten(text, tuple(dict.fromkeys((TYPED_INTO_CLIENT, *rules))))


def _apply(source: bytes, edits: list[_Edit]) -> str:
    pieces: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            continue
        start = edit.start
        if not edit.text and source[start - 1 : start] == b" " and start - 1 >= at:
            start -= 1
        pieces += [source[at:start], edit.text.encode("utf-8", "replace")]
        at = edit.end
    return b"".join([*pieces, source[at:]]).decode("utf-8", "replace").rstrip()


def _is_placed(simple: Simple) -> bool:
    return bool(simple.words) and simple.words[0].start >= 0


def _whole(simple: Simple, text: str, rule: str) -> _Edit:
    return _Edit(simple.words[0].start, simple.words[-1].end, text, rule)


def _seconds(simple: Simple) -> float | None:
    total_s = 0.0
    for word in simple.words[1:]:
        if word.value is None or not re.fullmatch(r"\d+(\.\d+)?[smhd]?", word.value):
            return None
        total_s += parse_duration(word.value if word.value[-1].isalpha() else f"{word.value}s")
    return total_s if len(simple.words) > 1 else None


def _bound_stream(simple: Simple, source: bytes, stream_s: float) -> Iterator[_Edit]:
    if not _is_placed(simple):
        if not simple.inside or simple.start < 0:
            return
        yield from _with_timeout(simple, source, stream_s)
        return
    match simple.program:
        case "tail":
            yield from _without_option(simple, "fF", ("--follow", "--retry"))
        case "journalctl":
            has_lines = any(re.match(r"-[a-z]*n|--lines", word.prefix) for word in simple.words[1:])
            yield from _without_option(simple, "f", ("--follow",))
            if not has_lines:
                yield _append(simple, " -n 10")
        case "dmesg":
            yield from _without_option(simple, "wW", ("--follow", "--follow-new"))
        case "top" | "htop" | "atop":
            yield _Edit(simple.words[0].start, simple.words[0].end, "top -b -n 1", STREAM_BOUNDED)
            if simple.program != "top" and len(simple.words) > 1:
                yield _Edit(simple.words[1].start, simple.words[-1].end, "", STREAM_BOUNDED)
        case "ping" | "ping6":
            yield _append(simple, " -c 3")
        case "watch":
            yield from _without_watch(simple)
        case "vmstat" | "iostat" | "mpstat" | "sar":
            yield _append(simple, " 2")
        case program if program in _ENGINES or program in _CLUSTERS:
            yield from _bound_follower(simple, source, stream_s)
        case _:
            yield from _with_timeout(simple, source, stream_s)


def _bound_follower(simple: Simple, source: bytes, stream_s: float) -> Iterator[_Edit]:
    words = simple.arguments
    names = [word for word in words if not word.startswith("-")]
    if "stats" in names[:2]:
        yield _after_subcommand(simple, "stats", " --no-stream")
    elif "events" in names[:2] and any(word.startswith("--since") for word in words):
        yield _append(simple, " --until 0s")
    elif "up" in names[:2] and simple.program in _ENGINES:
        yield _after_subcommand(simple, "up", " -d")
    elif "logs" in names[:4]:
        at = words.index("logs") + 1
        yield from _without_option(Simple(simple.words[at:]), "f", ("--follow", "--follow=true"))
    elif {"get", "top"} & {*names[:3]}:
        yield from _without_option(simple, "w", ("--watch", "--watch-only"))
    else:
        yield from _with_timeout(simple, source, stream_s)


def _after_subcommand(simple: Simple, name: str, text: str) -> _Edit:
    word = next(word for word in simple.words if word.value == name)
    return _Edit(word.end, word.end, text, STREAM_BOUNDED)


def _append(simple: Simple, text: str) -> _Edit:
    end = simple.words[-1].end
    return _Edit(end, end, text, STREAM_BOUNDED)


def _without_option(simple: Simple, letters: str, long: tuple[str, ...]) -> Iterator[_Edit]:
    for word in simple.words[1:]:
        value = word.value or ""
        if value == "--":
            return
        if value in long or any(value.startswith(f"{option}=") for option in long):
            yield _Edit(word.start, word.end, "", STREAM_BOUNDED)
        elif re.fullmatch(r"-\w+", value) and any(letter in value for letter in letters):
            rest = "".join(char for char in value if char not in letters)
            yield _Edit(word.start, word.end, rest if rest != "-" else "", STREAM_BOUNDED)


def _without_watch(simple: Simple) -> Iterator[_Edit]:
    at = 1
    while at < len(simple.words) and simple.words[at].prefix.startswith("-"):
        at += 2 if simple.words[at].value in ("-n", "--interval", "-q") else 1
    rest = simple.words[at:]
    if not rest:
        return
    script = rest[0].value if len(rest) == 1 else None
    if script is not None:
        yield _whole(simple, script, STREAM_BOUNDED)
    else:
        yield _Edit(simple.words[0].start, rest[0].start, "", STREAM_BOUNDED)


def _with_timeout(simple: Simple, source: bytes, stream_s: float) -> Iterator[_Edit]:
    """End it with an interrupt, as a person does; that it was still running is no failure."""
    start = simple.start if simple.inside else simple.words[0].start
    around = [
        node for node in walk(parse(source)) if node.type == "command" and node.start_byte <= start < node.end_byte
    ]
    if not around:
        return
    node = around[-1]
    name = node.child_by_field_name("name") or node
    limit = f"{stream_s:g}"
    yield _Edit(node.start_byte, node.start_byte, "{ ", STREAM_BOUNDED)
    yield _Edit(name.start_byte, name.start_byte, f"timeout -s INT {limit} ", STREAM_BOUNDED)
    yield _Edit(node.end_byte, node.end_byte, " || [ $? -eq 124 ]; }", STREAM_BOUNDED)


def _drop_terminal(simple: Simple, instead: str) -> Iterator[_Edit]:
    if not _is_placed(simple):
        return
    words = simple.words[1:]
    at = next((at for at, word in enumerate(words) if word.value in ("exec", "run")), None)
    names = [word.value for word in words if not word.prefix.startswith("-")]
    is_compose = simple.program == "docker-compose" or "compose" in names[:1]
    if simple.program == "ssh":
        yield from _without_tty(words, "")
    elif at is not None and simple.program in (*_ENGINES, *_CLUSTERS):
        options = words[at + 1 :]
        if is_compose and not any(word.value in ("-T", "--no-TTY") for word in options):
            yield _Edit(words[at].end, words[at].end, " -T", TERMINAL_DROPPED)
        end = next((place for place, word in enumerate(options) if word.value == "--"), None)
        yield from _without_tty(options[:end] if end is not None else leading_options(options), instead)


def _without_tty(words: tuple[Word, ...], instead: str) -> Iterator[_Edit]:
    for word in words:
        value = word.value or ""
        if not value.startswith("-"):
            continue
        if value in ("-it", "-ti", "-t", "-tt", "--tty", "--tty=true", "--interactive --tty"):
            yield _Edit(word.start, word.end, instead if "i" in value.lstrip("-")[:2] else "", TERMINAL_DROPPED)
        elif re.fullmatch(r"-[a-z]*t[a-z]*", value) and re.fullmatch(r"-[itdu]+", value):
            yield _Edit(word.start, word.end, value.replace("t", ""), TERMINAL_DROPPED)
