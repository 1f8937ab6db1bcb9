"""The text of the files that ``init`` writes."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from jinja2 import Environment, PackageLoader

from drillbook.errors import UsageError
from drillbook.expectations import wanted
from drillbook.lint import lint
from drillbook.model import Command, Effect, Phase, Runbook, Step
from drillbook.phases import slug_of
from drillbook.placeholders import key_of
from drillbook.scaffold.manifests import Manifests
from drillbook.scaffold.project import Service

__all__ = ["chaos_of", "checks_of", "in_front", "kube_replica_of", "replica_of", "slug_of_file", "target_of"]

_FIRST_SERVICES = 3
_CANNOT_FAIL = frozenset({"DB101", "DB102", "DB103", "DB104", "DB105", "DB201"})
"""Lint rules that say: this command is green whatever happens, so its exit status proves nothing."""
_GUESSES = (
    (r"memory|\boom\b", r"(?i)out of memory|oom-kill|OOMKilled"),
    (r"disk|space|storage full", r"(?i)no space left|\b(9[5-9]|100)%"),
    (r"port\b.*(use|conflict|taken)|address", r"(?i)address already in use|port is already allocated"),
    (r"redis|cache", r"(?i)NOAUTH|MISCONF|redis.*(refused|timed? ?out|closed)"),
    (r"database|postgres|mysql|\bdb\b", r"(?i)(connection|connect).*(refused|failed)|too many (clients|connections)"),
    (r"dns|network|connectiv", r"(?i)could not resolve|no route to host|network is unreachable|NXDOMAIN"),
    (r"certificate|tls|ssl", r"(?i)certificate (has )?expired|x509"),
    (r"crash|exit", r"(?i)exited \([1-9]|crashloopbackoff|segmentation fault|traceback"),
    (r"config", r"(?i)configuration error|invalid (configuration|value)|variable is not set"),
)
"""Words of a scenario's title, and what its cause usually leaves in the transcript."""


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    claim: str
    covers: str
    command: str = ""
    wants: tuple[str, ...] = ()
    todo: str = ""
    writes: bool = False
    pattern: str = ""


def slug_of_file(path: Path) -> str:
    """Return the slug of a document: its name, as files and ids can have it.

    Raises:
        UsageError: The name has no letter or digit to make one of.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    if not slug or path.suffix.lower() not in (".md", ".markdown"):
        raise UsageError(str(path), "expected a Markdown file with a name of letters and digits", hint="my-service.md")
    return slug


def checks_of(runbook: Runbook, slug: str) -> str:
    """Return ``checks/test_<slug>.py``: a check a verification line, a diagnosis stub a scenario."""
    names: set[str] = set()
    return _render(
        "checks.py.j2",
        title=runbook.title,
        verify=[*_verify_checks(runbook, names)],
        diagnose=[*_diagnose_checks(runbook, names)],
        slug=slug,
    )


def _verify_checks(runbook: Runbook, names: set[str]) -> Iterator[_Check]:
    proves_nothing = {found.command: found.text for found in lint(runbook) if found.rule in _CANNOT_FAIL}
    for step in runbook.steps:
        if step.phase is not Phase.VERIFY:
            continue
        if step.hand:
            claim = _sentence(step.hand)
            yield _Check(_name(step.hand, names), claim, step.id, todo=f"how a machine sees that: {claim}")
        for command in step.commands:
            yield _of_command(step, command, proves_nothing.get(command.id, ""), names)


def _of_command(step: Step, command: Command, proves_nothing: str, names: set[str]) -> _Check:
    first = command.text.splitlines()[0]
    claim = _sentence(f"{first} gives: {command.expects}" if command.expects else f"{first} succeeds")
    wants = tuple(wanted(command.expects or ""))
    todo = ""
    if command.streams or (command.terminal and command.inside is None):
        todo = f"what `{_short(command.text)}` must show; it does not end by itself"
    elif command.expects and not wants:
        todo = f"how the output shows: {' '.join(command.expects.split())}" if proves_nothing else ""
    elif proves_nothing and not wants:
        todo = f"what the output must hold: {proves_nothing}"
    name = _name(f"{step.headings[-1] if step.headings else ''} {command.text.split()[0]}", names)
    return _Check(name, claim, command.id, command.id, wants, todo, command.effect is not Effect.READ)


def _diagnose_checks(runbook: Runbook, names: set[str]) -> Iterator[_Check]:
    for title in runbook.scenarios():
        first = runbook.of_scenario(title)[0]
        pattern = next((found for words, found in _GUESSES if re.search(words, title, re.IGNORECASE)), "")
        todo = "" if pattern else f"which line of the transcript implicates this cause: {title}"
        name = _name(f"not {re.sub(r'^[A-Za-z]+ [0-9A-Z]+[:.)] *', '', title)}", names)
        yield _Check(
            name, f"Nothing points to: {_sentence(title)}", first.id.partition("#")[0], todo=todo, pattern=pattern
        )


def _sentence(text: str) -> str:
    plain = " ".join(text.replace("\\", " ").replace('"', "'").split())
    return plain[:90].rstrip(" .") + "."


def _short(text: str) -> str:
    return " ".join(text.split())[:60]


def _name(text: str, names: set[str]) -> str:
    base = "test_" + "_".join(re.sub(r"[^a-z0-9]+", " ", text.lower()).split()[:7] or ["it"])
    name, number = base, 1
    while name in names:
        number += 1
        name = f"{base}_{number}"
    names.add(name)
    return name


def chaos_of(slug: str, services: Sequence[str], *, of_pods: bool = False) -> str:
    """Return ``chaos/test_<slug>.py``: a first table of faults."""
    faults = [("pause", "Pause"), ("stop", "Stop")] if of_pods else [("kill", "Kill"), ("stop", "Stop")]
    return _render("chaos.py.j2", slug=slug, services=services[:_FIRST_SERVICES], faults=faults)


def replica_of(runbook: Runbook, slug: str, compose: Path, services: Sequence[Service], root: Path) -> str:
    """Return ``fixtures/<slug>/replica.py``: a Docker host with the compose project."""
    asked: dict[int, str] = {}
    for url in sorted(_urls(runbook), key=lambda url: not re.search(r"health|ready|live", url.path)):
        if url.port and url.path:
            asked.setdefault(url.port, url.path)
    ports = {service.name: service.ports[0] for service in in_front(services) if service.ports}
    project = slug_of(compose.resolve().parent.name) or slug
    here = (root / "fixtures" / slug).resolve()
    return _render(
        "replica.py.j2",
        slug=slug,
        project=project,
        compose=compose.name,
        start=f"docker-compose -f {shlex.quote(compose.name)} up -d",
        services=[service.name for service in services],
        ports=ports,
        ready={name: asked[port] for name, port in ports.items() if asked.get(port)},
        build_root=_way(here, compose.resolve().parent),
    )


def kube_replica_of(slug: str, manifests: Manifests) -> str:
    """Return ``fixtures/<slug>/replica.py``: a Kubernetes node with the manifests."""
    spaces = [f"kubectl create namespace {shlex.quote(name)}" for name in manifests.namespaces]
    return _render(
        "kube_replica.py.j2",
        slug=slug,
        workloads=manifests.workloads,
        images=manifests.images,
        ports=manifests.ports,
        start=" && ".join([*spaces, "kubectl apply -R -f manifests"]),
    )


def in_front(services: Sequence[Service]) -> list[Service]:
    """Return the services, those first that publish a port: they are what customers see."""
    return sorted(services, key=lambda service: not service.ports)


def _way(start: Path, end: Path) -> tuple[int, str]:
    """Return how many folders to go up from the fixture, and the way down from there."""
    for up, parent in enumerate([start, *start.parents]):
        if end.is_relative_to(parent):
            return up, str(end.relative_to(parent))
    return 0, str(end)


def target_of(runbook: Runbook, slug: str) -> str:
    """Return ``targets/<slug>.toml``: this machine, the document's own addresses, and what is to be filled in."""
    urls: dict[str, str] = {}
    for url in _urls(runbook):
        name = slug_of(url.hostname or "service") + (f"-{url.port}" if url.port else "")
        urls.setdefault(name, f"{url.scheme}://{url.netloc}")
    names = dict.fromkeys(name for _, command in runbook.commands() for name in command.placeholders)
    return _render("target.toml.j2", slug=slug, urls=urls, variables=[key_of(name) for name in names])


def _urls(runbook: Runbook) -> Iterator[SplitResult]:
    """Yield the addresses that the document's commands ask, as far as they are whole."""
    for _, command in runbook.commands():
        for text in re.findall(r"https?://[\w.:-]+(?:/[\w./-]*)?", command.text):
            try:
                parts = urlsplit(text)
                _ = parts.port  # what is no number is told only when it is asked for
            except ValueError:
                continue
            yield parts


@cache
def _environment() -> Environment:
    loader = PackageLoader("drillbook.scaffold", "templates")
    # Python and TOML, not HTML: what is put in goes through repr or toml.
    environment = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701
    environment.filters.update(repr=repr, toml=_toml)
    return environment


def _toml(value: object) -> str:
    """Return a TOML string; TOML knows no surrogate pairs, which is how JSON escapes what lies beyond the BMP."""
    return json.dumps(str(value), ensure_ascii=False)


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)
