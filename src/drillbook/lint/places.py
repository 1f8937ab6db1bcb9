"""Things that a document names and that are not there."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt

from drillbook.lint.rules import Document, Hit, rule
from drillbook.shell import Simple

__all__: list[str] = []

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//|#|/", re.IGNORECASE)
_FILE_OPTIONS = {
    "kubectl": ("-f", "--filename"),
    "oc": ("-f", "--filename"),
    "ansible-playbook": (),
    "psql": ("-f", "--file"),
}
_INTERPRETERS = frozenset("bash sh python python3 ruby node perl source .".split())
_ABOUT_CONTAINERS = frozenset(
    "logs exec inspect restart start stop kill rm top stats pause unpause port attach".split()
)
_ABOUT_SERVICES = frozenset("logs exec restart start stop kill rm up pull build run top port pause unpause".split())


@rule(
    "DB301",
    "A script or file that a command names is not there.",
    "add it to the repository, or say where it is to be found",
)
def missing_file(document: Document) -> Iterator[Hit]:
    elsewhere = {step.id for step, command in document.commands if re.match(r"\s*(cd|pushd)\b", command.text)}
    for step, command, simple in document.simples():
        if simple.inside or step.id in elsewhere:
            continue
        for path in _files(simple):
            if not any((folder / path).exists() for folder in document.folders):
                yield Hit(command.line, f"there is no {path} beside the document or in its repository", command.id)


def _files(simple: Simple) -> Iterator[str]:
    words = [word.value for word in simple.words]
    program = words[0] if words else None
    named: list[str | None] = []
    if program and re.match(r"(\./|\.\./|scripts?/|bin/)", program):
        named.append(program)
    if program in _INTERPRETERS and len(words) > 1:
        named += [word for word in words[1:2] if word and re.search(r"/|\.(sh|py|rb|js|pl)$", word)]
    options = _FILE_OPTIONS.get(simple.program, ())
    named += [value for option, value in pairwise(words) if option in options]
    if simple.program == "curl":
        named += [word[1:] for word in words if word and word.startswith("@") and len(word) > 2]
    for path in named:
        if path and path != "-" and not re.search(r"[<>{}$*\[\]?]|^/|^~|^https?:|^-", path):
            yield path


@rule("DB302", "A relative link leads nowhere.", "mend the path, or take the link out")
def broken_link(document: Document) -> Iterator[Hit]:
    folder = document.runbook.path.resolve().parent
    for token in MarkdownIt("commonmark").enable("table").parse(document.runbook.text):
        line = (token.map or [0])[0] + 1
        for child in token.children or []:
            line += child.type in ("softbreak", "hardbreak")
            href = str(child.attrs.get("href") or child.attrs.get("src") or "")
            if not href or _SCHEME.match(href) or re.search(r"[<>{}$]|%7B|%3C", href):
                continue
            path = unquote(href.partition("#")[0].partition("?")[0])
            if "@" in path or not path or _is_there(folder / path):
                continue
            yield Hit(line, f"there is no {path}")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


@rule(
    "DB303",
    "A service or container that the compose file does not define.",
    "use a name from the compose file (docker-compose config --services)",
)
def unknown_service(document: Document) -> Iterator[Hit]:
    if document.compose is None:
        return
    services, containers = document.compose.services, document.compose.containers
    for _, command, simple in document.simples():
        if simple.inside:
            continue
        for name in _services_in(simple):
            if name not in services:
                yield Hit(command.line, f"no service {name!r}; there are {', '.join(sorted(services))}", command.id)
        for name in _containers_in(simple):
            if name not in containers and not _is_generated(name, services):
                yield Hit(command.line, f"no container {name!r}; there are {', '.join(sorted(containers))}", command.id)


def _is_generated(name: str, services: frozenset[str]) -> bool:
    """True where Compose itself would give a service's container this name: project-service-1."""
    return any(re.search(rf"(^|[-_]){re.escape(service)}[-_]\d+$", name) for service in services)


def _services_in(simple: Simple) -> list[str]:
    words = list(simple.arguments)
    if simple.program == "docker" and words[:1] == ["compose"]:
        words = words[1:]
    elif simple.program != "docker-compose":
        return []
    return _named(words, _ABOUT_SERVICES, is_single=("exec", "run", "port"))


def _containers_in(simple: Simple) -> list[str]:
    words = list(simple.arguments)
    if simple.program not in ("docker", "podman") or words[:1] == ["compose"]:
        return []
    return _named(words, _ABOUT_CONTAINERS, is_single=("exec", "port", "top"))


def _named(words: list[str], subcommands: frozenset[str], is_single: tuple[str, ...]) -> list[str]:
    at = next((at for at, word in enumerate(words) if not word.startswith("-")), len(words))
    if at == len(words) or words[at] not in subcommands:
        return []
    with_value = (
        "-f",
        "--file",
        "-n",
        "--tail",
        "-u",
        "-e",
        "-w",
        "-t",
        "--since",
        "--until",
        "--time",
        "--format",
        "--scale",
        "-s",
    )
    names: list[str] = []
    skip = False
    for word in words[at + 1 :]:
        if skip or word.startswith("-"):
            skip = (
                not skip and word in with_value and not (word in ("-f", "-t") and words[at] in ("logs", "rm", "exec"))
            )
            continue
        if re.search(r"[<>{}$\[\]/:]", word):
            break
        names.append(word)
        if words[at] in is_single:
            break
    return names
