"""A run from its beginning (options, folder, record) over its rounds to its end (reports, the verdict's line)."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from drillbook.clock import SystemClock
from drillbook.errors import EvidenceError, UsageError
from drillbook.outcome import Outcome
from drillbook.plugin import html
from drillbook.plugin.progress import Progress
from drillbook.plugin.rounds import run_each, run_in_rounds
from drillbook.plugin.selection import count_left_out, job_of, jobs_of_expression
from drillbook.plugin.sites import close_site
from drillbook.plugin.state import NEST, RUN, Run
from drillbook.replica.cluster.user import context_of
from drillbook.report import read_run, render_run
from drillbook.signals import end_as_by_ctrl_c
from drillbook.target.targetfile import TargetFile, default_target, find_target
from drillbook.timeline import Timeline
from drillbook.units import parse_duration
from drillbook.verdict import GIVEN_UP, never_red, verdict_of

__all__ = ["begin", "end", "fail", "loop", "say_unknown", "say_verdict", "tell_worker"]

_PACKAGES = ("drillbook", "pytest", "pytest-testinfra", "testcontainers")
_FOLDER = "drillbook_folder"


def begin(config: pytest.Config) -> None:
    """Set up the run that the ``-m`` expression asks for; nothing where it asks for none.

    Raises:
        UsageError: An option or the target file is wrong.
        EvidenceError: The run's folder cannot be written.
    """
    if NEST in config.stash:
        return
    jobs = jobs_of_expression(config.getoption("markexpr") or "")
    target = _target(config, jobs)
    _refuse_idle_options(config, jobs)
    context = _context(config, jobs)
    if not jobs or config.getoption("collectonly") or config.getoption("help"):
        return
    # before there is a folder: a wrong option leaves none behind
    wait_s = parse_duration(config.getoption("wait") or "0s", where="--wait")
    soak_s = parse_duration(config.getoption("soak") or "0s", where="--soak")
    clock = SystemClock()
    worker = getattr(config, "workerinput", None)
    folder = Path(worker[_FOLDER]) if worker else _folder(config, jobs, target, clock)
    timeline = Timeline(clock, folder / (f"run-{worker['workerid']}.jsonl" if worker else "run.jsonl"))
    incident = config.getoption("incident")
    config.stash[RUN] = run = Run(
        jobs, folder, timeline, target, context=context, incident=incident, wait_s=wait_s, soak_s=soak_s
    )
    config.pluginmanager.register(_CutOff(run))
    config.add_cleanup(end_as_by_ctrl_c())
    if worker:
        return
    timeline.add(
        "run.begin",
        run=folder.name,
        job=jobs[0],
        target=target.name if target else None,
        **({"context": context} if context else {}),
        incident=incident,
        versions={name: version(name) for name in _PACKAGES},
    )
    if config.pluginmanager.hasplugin("html") and not config.getoption("htmlpath", None):
        config.option.htmlpath = str(folder / "report.html")
        config.option.self_contained_html = True
    where = target.name if target else "on replicas" + (f" in context:{context}" if context else "")
    html.register(config, lambda: read_run(folder), f"drillbook {' and '.join(jobs)}: {where}")


class _CutOff:
    """Notes that a run was stopped, whatever exit status it was given: ``pytest.exit(returncode=0)`` gives any."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_keyboard_interrupt(self) -> None:
        self._run.is_cut = True


def _refuse_idle_options(config: pytest.Config, jobs: tuple[str, ...]) -> None:
    """Refuse options that nothing would come of."""
    uses = {
        "target": ("verify", "diagnose"),
        "wait": ("verify",),
        "soak": ("verify",),
        "incident": ("verify", "diagnose", "chaos"),
    }
    for name, of in uses.items():
        if config.getoption(name) and not set(of) & set(jobs):
            raise UsageError(f"--{name}", f"nothing comes of it without -m {' or -m '.join(of)}")


def tell_worker(node: Any) -> None:
    """Tell a worker of pytest-xdist, before it starts, which folder the run writes to."""
    run = node.config.stash.get(RUN, None)
    if run:
        node.workerinput[_FOLDER] = str(run.folder)


def _target(config: pytest.Config, jobs: tuple[str, ...]) -> TargetFile | None:
    name = config.getoption("target")
    if "chaos" in jobs:
        if name:
            raise UsageError("--target", "chaos runs on throwaway replicas only; no option points it at a real system")
        return None
    if not jobs:
        return None
    target = find_target(name, config.rootpath) if name else default_target(config.rootpath)
    if not (config.rootpath / "runbooks" / f"{target.runbook}.md").is_file():
        there = ", ".join(sorted(path.stem for path in config.rootpath.glob("runbooks/*.md")))
        problem = f"expected `runbook` to name a document, and there is no runbooks/{target.runbook}.md"
        raise UsageError(str(target.path), problem, hint=f"there are: {there}" if there else "runbooks/ holds none yet")
    return target


def _context(config: pytest.Config, jobs: tuple[str, ...]) -> str | None:
    option = config.getoption("cluster")
    if option is None:
        return None
    if jobs != ("chaos",):
        raise UsageError("--cluster", "it says where drills run, so it goes with -m chaos", hint="else: --target")
    return context_of(option)


def _folder(config: pytest.Config, jobs: tuple[str, ...], target: TargetFile | None, clock: SystemClock) -> Path:
    incident = config.getoption("incident")
    if incident and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", incident):
        raise UsageError("--incident", f"expected letters, digits, dots and dashes, got {incident!r}", hint="INC-123")
    stamp = clock.utc().strftime("%Y%m%dT%H%M%SZ")
    name = "-".join([stamp, *jobs, *([target.name] if target else [])])
    parent = config.rootpath / "reports" / (incident or "")
    folder, again = parent / name, 1
    while folder.exists():
        again += 1
        folder = parent / f"{name}-{again}"
    return folder


def loop(session: pytest.Session) -> bool | None:
    """Run verification items in rounds and everything else as pytest does; None leaves all of it to pytest."""
    config = session.config
    run = config.stash.get(RUN, None)
    if run is None or session.testsfailed or config.getoption("collectonly"):
        return None
    _show_progress(config, run)
    if run.target is None:
        return None
    if config.pluginmanager.hasplugin("dsession") or hasattr(config, "workerinput"):
        raise pytest.UsageError("checks of a real system run in rounds of seconds: leave -n away")
    if others := [item for item in session.items if job_of(item) not in ("verify", "diagnose")]:
        raise pytest.UsageError(f"{others[0].nodeid} is no check of a real system: run it by a pytest of its own")
    in_rounds = [item for item in session.items if job_of(item) == "verify"]
    run_each([item for item in session.items if job_of(item) == "diagnose"], run, in_rounds[0] if in_rounds else None)
    if in_rounds:
        run_in_rounds(in_rounds, run, SystemClock(), _say(config))
    return True


def _say(config: pytest.Config) -> Callable[[str], None]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter:
            reporter.ensure_newline()
            reporter.write_line(line)
            reporter.flush()  # a pipe or a file shows it now, not with the next 8 kB

    return say


def _show_progress(config: pytest.Config, run: Run) -> None:
    capture = config.pluginmanager.get_plugin("capturemanager")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or capture is None or "chaos" not in run.jobs:
        return

    def uncaptured(write: Callable[[str], None]) -> Callable[[str], None]:
        def written(line: str) -> None:
            with capture.global_and_fixture_disabled():
                write(line)

        return written

    def rewrite(line: str) -> None:
        reporter.rewrite(line[: shutil.get_terminal_size().columns - 1], erase=True)

    show = uncaptured(rewrite) if reporter.isatty else None
    run.timeline.listen(Progress(uncaptured(_say(config)), show))


def end(session: pytest.Session, exitstatus: int) -> None:
    """Close the record and write what is rendered from it."""
    run = session.config.stash[RUN]
    close_site(run)
    if hasattr(session.config, "workerinput"):
        run.timeline.close()
        return
    workers = session.config.pluginmanager.get_plugin("dsession")
    if workers:
        workers.pytest_sessionfinish()  # pytest-xdist's own hook, earlier: workers clean up and write their last lines
    if run.target and (left_out := count_left_out(session.items, run)):
        run.timeline.add("left_out", items=left_out)
    if run.is_cut and exitstatus not in GIVEN_UP:
        exitstatus = session.exitstatus = pytest.ExitCode.INTERRUPTED
    events = read_run(run.folder)
    if blind := never_red(events):
        run.timeline.add("blind", items=blind)
    verdict = verdict_of(events, utc=SystemClock().utc(), exit_status=int(exitstatus))
    if exitstatus == pytest.ExitCode.OK and verdict.outcome not in {Outcome.PASSED, Outcome.NOT_COVERED}:
        # Nothing is green by omission: checks that skipped themselves, a drill whose failure a test swallowed.
        exitstatus = session.exitstatus = pytest.ExitCode.TESTS_FAILED
    run.timeline.add("run.end", exit_status=int(exitstatus), verdict=verdict.outcome, words=verdict.words)
    run.timeline.close()
    run.words = verdict.words
    render_run(run.folder)


def fail(session: pytest.Session, error: Exception) -> None:
    """End a run whose record or reports cannot be written: one message, and an exit status that is not 0."""
    run = session.config.stash[RUN]
    page = run.folder / "report.html"
    if isinstance(error, OSError):
        said = f"the report cannot be written: {error.strerror}"
        error = EvidenceError(str(page), said, hint=f"make room, then: drillbook render {run.folder}")
        page.unlink(missing_ok=True)  # half of a page
    run.words = str(error)
    session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
    with suppress(EvidenceError):  # it would say again what is said already
        run.timeline.close()


def say_unknown(config: pytest.Config) -> None:
    """Print why checks could not be judged, each reason once; pytest lists failures and errors only."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    names: dict[str, list[str]] = {}
    for report in reporter.stats.get("unknown", []):
        names.setdefault(report.longreprtext, []).append(report.nodeid.rpartition("::")[2])
    for why, which in names.items():
        reporter.write_sep("_", f"UNKNOWN: {', '.join(which)}")
        reporter.write_line(why)


def say_verdict(config: pytest.Config) -> None:
    """Print where the report lies and, as the last line, the verdict in words."""
    run = config.stash[RUN]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and run.words:
        reporter.ensure_newline()
        if (run.folder / "report.html").is_file():
            reporter.write_line(f"report: {run.folder / 'report.html'}")
        reporter.write_line(run.words)
    run.timeline.close()
