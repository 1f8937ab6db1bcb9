"""The simple commands of a statement, with those that others run inside of shells, containers and other hosts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from tree_sitter import Node

from drillbook.shell import Simple, Word, command_of, mask, parse, walk

__all__ = ["VALUE_OPTIONS", "leading_options", "pipelines", "runs", "simple_commands"]

_MAX_DEPTH = 8


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


# What runs another command: program -> options that take a value of their own, as a separate word.
VALUE_OPTIONS: dict[str, frozenset[str]] = {
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
        rest = _after_options(words, VALUE_OPTIONS.get(program, frozenset()))
        while rest and program in ("env", "sudo") and re.match(r"\w+=", rest[0].prefix):
            rest = rest[1:]
        if program == "timeout":
            rest = rest[1:]
        if program == "watch" and len(rest) == 1 and rest[0].value is not None:
            return program, rest[0].value
        return (program, rest) if rest else ("", ())
    return "", ()


def leading_options(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the options of ``exec`` or ``run`` before the container's name; what follows is the command inside."""
    at = 0
    while at < len(words) and words[at].prefix.startswith("-"):
        at += (
            2 if words[at].value in ("-u", "-e", "-w", "-n", "-c", "--user", "--env", "--workdir", "--namespace") else 1
        )
    return words[:at]


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
        inner = _after_options(rest[1:], VALUE_OPTIONS[name])[1:]
        return (name, inner) if inner else ("", ())
    return "", ()


def _compose_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, frozenset({"-f", "--file", "-p", "--project-name", "--profile", "--env-file"}))
    if rest and rest[0].value in ("exec", "run"):
        inner = _after_options(rest[1:], VALUE_OPTIONS["compose exec"])[1:]
        return (f"compose {rest[0].value}", inner) if inner else ("", ())
    return "", ()


def _kubectl_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, VALUE_OPTIONS["kubectl exec"])
    if not rest or rest[0].value != "exec":
        return "", ()
    for at, word in enumerate(rest):
        if word.value == "--":
            return ("kubectl exec", rest[at + 1 :]) if rest[at + 1 :] else ("", ())
    return "", ()


def _ssh_runs(words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...] | str]:
    rest = _after_options(words, VALUE_OPTIONS["ssh"])[1:]
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
