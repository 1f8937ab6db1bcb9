"""Real drills of a tiny system that are cut off: by Ctrl-C, by SIGTERM, by ``kill -9``. Nothing may stay behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import HOPELESS_S, comes
from test_replica_docker_host import fixture_folder

from drillbook.replica.reaper import Leftover, leftovers, reap
from drillbook.report import read_run, render_run

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("replica")]

RUNBOOK = """# Runbook: shop down

## Investigation

```bash
docker-compose ps
```

## Mitigation

### Strategy 1: restart

```bash
docker-compose restart web
```

## Verification

```bash
curl -f http://localhost:8000/
```
"""
REPLICA = """
from pathlib import Path
from drillbook.replica.docker_host import ComposeReplica

class Silent(ComposeReplica):
    def alerts(self):
        return ()

def replica():
    return Silent(slug="tiny", folder=Path(__file__).parent, project="tiny", services=("web",), ports={"web": 8000},
                  ready={"web": "/"})
"""
CHECKS = """
import httpx, pytest, time
from pathlib import Path

@pytest.mark.verify
def test_answers(urls):
    if Path("slow").exists():
        Path("asking").touch()
        time.sleep(30)
    assert httpx.get(urls["web"], timeout=2).status_code == 200
"""
CHAOS = """
import pytest
from drillbook.case import Case
from drillbook.faults.kill import Kill

@pytest.mark.chaos
def test_drill(drill):
    drill(Case("kill", (Kill("web"),), alert=None, cause=None, heals="Strategy 1"))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("interrupted")
    fixture_folder(root / "fixtures" / "tiny")
    for name, text in {
        "fixtures/tiny/replica.py": REPLICA,
        "runbooks/tiny.md": RUNBOOK,
        "checks/test_tiny.py": CHECKS,
        "chaos/test_tiny.py": CHAOS,
        "pytest.ini": "[pytest]\naddopts = --import-mode=importlib\n",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


class Run:
    """A pytest that drills, and what it leaves."""

    def __init__(self, project: Path) -> None:
        self.project = project
        before = set(project.glob("reports/*"))
        # pytest of a background job would ignore Ctrl-C
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-m", "chaos", "chaos"],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.said = ""
        self._before = before

    def folder(self) -> Path | None:
        return next((each for each in self.project.glob("reports/*") if each not in self._before), None)

    def wait_for_phase(self, phase: str) -> None:
        def reached() -> bool:
            folder = self.folder()
            events = read_run(folder) if folder and (folder / "run.jsonl").exists() else []
            return any((each.get("kind"), each.get("phase")) == ("phase.begin", phase) for each in events)

        assert comes(reached), self.end()

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def end(self) -> int:
        try:
            self.said += self.process.communicate(timeout=HOPELESS_S)[0]
        finally:
            self.process.kill()
        return self.process.returncode

    def left(self) -> list[Leftover]:
        return [one for one in leftovers() if not one.owned or (one.kind == "container" and "tiny" in one.name)]


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    (project / "slow").unlink(missing_ok=True)
    (project / "asking").unlink(missing_ok=True)
    made = Run(project)
    yield made
    made.process.kill()
    made.process.wait()
    reap()


@pytest.mark.parametrize(
    ("phase", "number"),
    [("start", signal.SIGINT), ("steady", signal.SIGINT), ("steady", signal.SIGTERM)],
    ids=["ctrl-c while it starts", "ctrl-c while it is looked at", "told to end"],
)
def test_an_interrupted_drill_leaves_nothing_and_says_so(run: Run, phase: str, number: int) -> None:
    run.wait_for_phase(phase)
    run.signal(number)
    assert run.end() == pytest.ExitCode.INTERRUPTED, run.said
    assert "Traceback" not in run.said
    assert "the run was interrupted" in run.said.splitlines()[-1]
    assert run.left() == []
    folder = run.folder()
    assert folder
    assert {"report.html", "summary.json", "junit.xml"} <= {path.name for path in folder.iterdir()}


def test_ctrl_c_inside_a_check_ends_the_whole_run(project: Path) -> None:
    (project / "slow").touch()
    run = Run(project)
    try:
        assert comes((project / "asking").exists), run.end()
        run.signal(signal.SIGINT)
        assert run.end() == pytest.ExitCode.INTERRUPTED, run.said
        assert run.left() == []
    finally:
        run.process.kill()
        (project / "slow").unlink()


def test_what_a_killed_run_left_is_reaped_and_its_record_tells_what_was_running(run: Run) -> None:
    run.wait_for_phase("steady")
    run.signal(signal.SIGKILL)
    run.end()
    assert run.left() != []
    reap()
    assert run.left() == []
    folder = run.folder()
    assert folder
    render_run(folder)
    assert "did not come to its end" in (folder / "summary.json").read_text()
