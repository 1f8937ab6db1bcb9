"""What checks can ask for, besides testinfra's ``host`` (``drillbook.plugin.host``)."""

from collections.abc import Callable, Mapping

import pytest

from drillbook.clock import SystemClock
from drillbook.errors import UsageError
from drillbook.evidence import Record, Transcript
from drillbook.model import Command, Runbook, Step
from drillbook.operator import Operator
from drillbook.plugin.selection import job_of
from drillbook.plugin.sites import open_site
from drillbook.plugin.state import NEST, READS, RUN
from drillbook.site import Site
from drillbook.target import Target
from drillbook.timeline import Timeline

__all__ = ["operator", "runbook", "runs", "site", "transcript", "urls"]


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    """The system under test: the replica of a drill, or the one of ``--target``."""
    nest = request.config.stash.get(NEST, None)
    if nest:
        return nest.site
    run = request.config.stash.get(RUN, None)
    if run is None or run.target is None:
        raise UsageError(request.node.nodeid, "needs a system to look at", hint="pytest -m verify --target FILE|NAME")
    return open_site(run)


@pytest.fixture
def runbook(site: Site) -> Runbook:
    """The document under test."""
    return site.runbook


@pytest.fixture
def urls(site: Site) -> Mapping[str, str]:
    """Endpoints by name, as the target file or the replica has them; one that is missing there is no red check."""
    return _Urls(site.name, site.urls)


class _Urls(dict[str, str]):
    def __init__(self, where: str, urls: Mapping[str, str]) -> None:
        super().__init__(urls)
        self._where = where

    def __missing__(self, name: str) -> str:
        there = ", ".join(self) or "none"
        raise UsageError(
            self._where, f"expected a URL named {name!r}, got {there}", hint=f'[urls] {name} = "http://HOST:PORT"'
        )


@pytest.fixture
def operator(site: Site, request: pytest.FixtureRequest) -> Target:
    """The host on which the runbook's commands run."""
    return site.host_for("operator", vouched=_is_vouched(site, request.node))


@pytest.fixture
def runs(site: Site, request: pytest.FixtureRequest) -> Callable[[str], Record]:
    """Run a command of the document by its id and return its record; one that does not end makes the check red."""
    vouched = _is_vouched(site, request.node)
    reads: set[str] = set()
    request.node.stash[READS] = reads

    def run(id_: str) -> Record:
        command = site.runbook.find(id_)
        if not isinstance(command, Command):
            raise UsageError(request.node.nodeid, f"{id_!r} is no command", hint=f"write {id_}.1 for its first command")
        step = site.runbook.find(id_.rpartition(".")[0])
        assert isinstance(step, Step)
        shell = Operator(site, Timeline(SystemClock()), vouched=vouched)
        reads.add(id_)
        return shell.run_or_raise(step, command)

    return run


@pytest.fixture(scope="session")
def _read_on_target(request: pytest.FixtureRequest) -> Callable[[], Transcript]:
    """Read the document's diagnosis once a session, on the real system."""
    read: list[Transcript] = []

    def transcript_once() -> Transcript:
        if not read:
            run = request.config.stash[RUN]
            read.append(Operator(open_site(run), run.timeline).read_all())
        return read[0]

    return transcript_once


@pytest.fixture
def transcript(request: pytest.FixtureRequest, _read_on_target: Callable[[], Transcript]) -> Transcript:
    """What the document's reading commands printed; the only thing that a diagnosis check may look at."""
    if job_of(request.node) == "verify":
        where = f"{request.node.nodeid} asks for `transcript`"
        raise UsageError(where, "which is read once; verification looks anew in each round", hint="ask for `runs`")
    nest = request.config.stash.get(NEST, None)
    whole = _read_on_target() if nest is None else nest.transcript
    assert whole is not None, "a round of diagnosis has a transcript"
    transcript = whole.for_one_reader()
    request.node.stash[READS] = transcript.read
    return transcript


def _is_vouched(site: Site, item: pytest.Item) -> bool:
    """True where the target file vouches for the check; ``reads`` vouches for commands, not for what covers them."""
    return item.name in site.functional
