"""The checks of a drill: pytest inside pytest, so that a check is one function for replicas and real systems."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.evidence import Checked, Transcript
from drillbook.plugin.outcomes import checked_of
from drillbook.plugin.state import NEST, Nest
from drillbook.signals import was_asked_to_end
from drillbook.site import Site

__all__ = ["NestPlugin", "PytestChecks"]

NEST_PLUGIN = "drillbook-nest"
_NOT_INSIDE = ("cacheprovider", "terminal", "faulthandler", "html", "metadata", "junitxml", "xdist", "pytest_cov")


class NestPlugin:
    """Marks a pytest run as one round inside a drill, and collects what its checks say."""

    def __init__(self, nest: Nest, job: str) -> None:
        self._nest = nest
        self._job = job
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self.problems: list[str] = []
        self.interrupted = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        early_config.stash[NEST] = self._nest  # before any plugin is configured, so that each knows where it is

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest reports its own ways to stop here too; they are subclasses.
        self.interrupted = excinfo.type is KeyboardInterrupt

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(str(report.longrepr))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for item in session.items:
            if item.nodeid in self._reports:
                self._nest.checked.append(checked_of(item, self._job, self._reports[item.nodeid]))
            else:
                self.problems.append(f"{item.name} was not run")


class PytestChecks:
    """Runs the checks of one runbook on a drill's replica.

    Args:
        config: Of the outer run: its root folder and its ini file are used.
        file: ``checks/test_<slug>.py``.
    """

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self._config = config
        self._file = file
        if not file.is_file():
            raise UsageError(
                str(file), "is not there, so nothing could verify a recovery", hint="write it: see README.md"
            )

    def verify(self, site: Site) -> list[Checked]:
        """Run every verification check once."""
        return self._run("verify", Nest(site, None))

    def diagnose(self, site: Site, transcript: Transcript) -> list[Checked]:
        """Run every diagnosis check on a transcript."""
        return self._run("diagnose", Nest(site, transcript))

    def _run(self, job: str, nest: Nest) -> list[Checked]:
        plugin = NestPlugin(nest, job)
        arguments = [str(self._file), "-m", job, "--rootdir", str(self._config.rootpath), "--capture=no"]
        arguments += ["-o", "addopts=", "--import-mode=importlib", "-p", "drillbook"]
        if self._config.inipath:
            arguments += ["-c", str(self._config.inipath)]
        for name in _NOT_INSIDE:
            arguments += ["-p", f"no:{name}"]
        with _quiet() as said, pytest.MonkeyPatch.context() as environment:
            # Options for the outer run (`-k`, `-x`) would hide checks in here.
            environment.delenv("PYTEST_ADDOPTS", raising=False)
            status = pytest.main(arguments, plugins=[plugin])
        if plugin.interrupted or was_asked_to_end():
            raise KeyboardInterrupt  # it is meant for the whole run, and pytest took it for the inner one's
        if plugin.problems or status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            evidence = "\n".join(plugin.problems) or said.getvalue()
            raise UsageError(
                str(self._file),
                f"its {job} checks cannot be run (pytest's exit status {int(status)})",
                evidence=evidence,
            )
        return nest.checked


@contextmanager
def _quiet() -> Iterator[StringIO]:
    """Keep the inner run's own words apart from the outer one's."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        yield said
