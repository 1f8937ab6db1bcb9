"""Commands that do something else than their author meant when they are typed as they stand."""

import re
from collections import Counter
from collections.abc import Iterator

from drillbook.clients import opened_by
from drillbook.commands import leading_options, simple_commands
from drillbook.lint.rules import Document, Hit, rule
from drillbook.model import Command
from drillbook.shell import Simple

__all__: list[str] = []

_WAITING = frozenset("top htop atop gdb less more vi vim nano visudo".split())
_DATE = re.compile(r"\$\(date[^)]*%(?:M|S|s|T)[^)]*\)")
_BLANK_BEHIND = re.compile(r"\\[ \t]+\n")
_SAFE_INSIDE = re.compile(
    r"\d+-\d+(?::\d+)?|[a-z]-[a-z]|::[0-9a-f:]*|[0-9a-f:]*::[0-9a-f:]*|[0-9a-f]+(?::[0-9a-f]*){2,}", re.IGNORECASE
)


@rule(
    "DB201",
    "curl takes {} and [] in a URL for lists and ranges of its own, so PromQL in it never arrives.",
    "use -G --data-urlencode 'query=…', or -g",
)
def curl_globbing(document: Document) -> Iterator[Hit]:
    for _, command, simple in document.simples():
        if simple.program != "curl" or _is_literal(simple):
            continue
        for word in simple.words[1:]:
            url = word.value or word.prefix
            if not re.match(r"https?://|[\w.-]+:\d+/|localhost", url):
                continue
            found = next(_globs(url), None)
            if found:
                yield Hit(command.line, f"curl expands {found} in the URL instead of sending it", command.id)


def _is_literal(curl: Simple) -> bool:
    return any(re.fullmatch(r"-[a-zA-Z]*g[a-zA-Z]*", word) or word == "--globoff" for word in curl.arguments)


def _globs(url: str) -> Iterator[str]:
    yield from (found[0] for found in re.finditer(r"\{[^{}]*[=\":~][^{}]*\}", url))
    yield from (
        found[0] for found in re.finditer(r"\[([^\]]*)\]", url) if not _SAFE_INSIDE.fullmatch(found[1]) and found[1]
    )


@rule(
    "DB202",
    "A command that goes on for ever, or waits for a person, keeps the commands below it from running.",
    "bound it (--tail=50, --no-stream, --until, -c 3, -b -n 1), or give it a block of its own at the end",
)
def stream_before_others(document: Document) -> Iterator[Hit]:
    for step in document.runbook.steps:
        for command, following in zip(step.commands, step.commands[1:], strict=False):
            if following.inside == command.id or command.inside:
                continue
            if command.streams and not _is_alternative(command, following):
                yield Hit(command.line, f"never ends, so line {following.line} is not reached", command.id)
            elif _waits(command.text):
                yield Hit(command.line, f"waits for a person; line {following.line} is typed into it", command.id)


def _is_alternative(command: Command, following: Command) -> bool:
    """True where both follow the same thing in another way (all containers, or one): the reader takes one of them."""
    return following.streams and following.text.split()[:2] == command.text.split()[:2]


def _waits(text: str) -> bool:
    simples = simple_commands(text)
    if len({simple.start for simple in simples}) != 1:
        return False
    edits = any(simple.program == "systemctl" and "edit" in simple.arguments[:2] for simple in simples)
    return edits or opened_by(text) is not None or simples[-1].program in _WAITING


@rule(
    "DB203",
    "-t asks for a terminal that a single command does not need; where there is none, Docker refuses to run it.",
    "leave out -it; keep -i only where something is piped in",
)
def needless_terminal(document: Document) -> Iterator[Hit]:
    for _, command, simple in document.simples():
        if simple.program not in ("docker", "podman", "kubectl", "oc") or simple.inside:
            continue
        words = simple.arguments
        at = next((at for at, word in enumerate(words) if word == "exec"), None)
        if at is None or opened_by(command.text) is not None:
            continue
        behind = simple.words[at + 2 :]
        own = words[at + 1 : words.index("--")] if "--" in words else [word.value for word in leading_options(behind)]
        option = next((word for word in own if word and re.fullmatch(r"-(?:it|ti|t|tt)|--tty", word)), None)
        inner = simple_commands(command.text)
        if option and not any(one.program in _WAITING or one.program in ("sh", "bash") for one in inner[1:]):
            yield Hit(command.line, f"{option} for a command that asks nothing", command.id)


@rule(
    "DB204",
    "A placeholder in angle brackets, typed as it stands, is a redirection: the shell reads or overwrites a file.",
    'write a variable in quotes, such as "$POD", and say above how to set it',
)
def placeholder_as_redirection(document: Document) -> Iterator[Hit]:
    known: set[str] = set()
    for step in document.runbook.steps:
        first: Command | None = None
        names: list[str] = []
        for command in step.commands:
            new = [name for name in command.placeholders if name.startswith("<") and not _is_quoted(command.text, name)]
            new = [name for name in new if name not in known]
            known.update(new)
            names += new
            first = first or (command if new else None)
        if first:
            are = "are read as redirections" if len(names) > 1 else "is read as a redirection"
            yield Hit(first.line, f"{', '.join(names)} {are}", first.id)


def _is_quoted(text: str, name: str) -> bool:
    before = text[: text.index(name)] if name in text else ""
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1


@rule(
    "DB205",
    "A clock that is read in every line gives another name when the minute turns.",
    "set it once: DIR=/tmp/incident-$(date +%Y%m%d%H%M)",
)
def clock_in_every_line(document: Document) -> Iterator[Hit]:
    for step in document.runbook.steps:
        dated = [(command, match[0]) for command in step.commands for match in _DATE.finditer(command.text)]
        times = Counter(text for _, text in dated)
        for text, number in times.items():
            if number > 1 and "%s" not in text:
                command = next(command for command, other in dated if other == text)
                yield Hit(command.line, f"{text} is evaluated {number} times in this block", command.id)


@rule(
    "DB206",
    "A blank behind a backslash ends the command: the shell takes the next line for another one.",
    "remove the blank at the end of the line",
)
def blank_behind_backslash(document: Document) -> Iterator[Hit]:
    for _, command in document.commands:
        found = _BLANK_BEHIND.search(command.text)
        if found:
            yield Hit(
                command.line + command.text[: found.start()].count("\n"), "a blank behind the backslash", command.id
            )
