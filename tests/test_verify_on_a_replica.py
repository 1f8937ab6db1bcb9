"""``pytest -m verify`` and ``-m diagnose`` on a real system that is no drill: a target file, and the guard on."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import HOPELESS_S, READY_S, RUN_S, comes

from drillbook.replica.docker_host import ComposeReplica
from drillbook.replica.loader import load_replica

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def system() -> Iterator[ComposeReplica]:
    """A running gateway, looked at from outside as a user looks at production."""
    replica = load_replica(ROOT, "inference-gateway")
    assert isinstance(replica, ComposeReplica)
    try:
        replica.start()
        replica.wait_until_ready(READY_S)
        yield replica
    finally:
        replica.stop()


@pytest.fixture
def target(system: ComposeReplica, tmp_path: Path) -> Path:
    path = tmp_path / "prod.toml"
    urls = "\n".join(f'{name} = "{url}"' for name, url in system.urls.items())
    path.write_text(
        f"""runbook = "inference-gateway"
functional = ["test_predictions_follow_their_input"]
[hosts.operator]
connect = ["docker://{system.container_name}{system.project}"]
[urls]
{urls}
[variables]
error_window = "6s"
""",
        encoding="utf-8",
    )
    return path


def run(job: str, target: Path, *more: str) -> tuple[subprocess.CompletedProcess[str], dict]:
    command = [sys.executable, "-m", "pytest", "checks", "-m", job, "--target", str(target), *more]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=RUN_S, env=dict(os.environ, CI="true")
    )
    told = re.search(r"^report: (.*)$", done.stdout, re.MULTILINE)
    assert told, done.stdout + done.stderr
    folder = Path(told[1]).parent
    return done, json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_a_system_that_is_back_is_verified(target):
    done, summary = run("verify", target, "--wait", "20s")
    assert done.returncode == 0, done.stdout
    assert summary["verdict"] == "PASSED"
    assert done.stdout.splitlines()[-1].startswith("Verified at ")


def test_a_healthy_system_names_no_cause(target):
    done, summary = run("diagnose", target)
    assert (done.returncode, summary["verdict"]) == (0, "PASSED"), done.stdout


def test_a_system_that_is_down_is_red_and_its_diagnosis_too_where_the_document_knows_the_cause(system, target):
    machine = system.host("machine")
    machine.run("sed -i '/^MODEL_NAME=/d' .env && docker-compose up -d inference-gateway", deadline_s=HOPELESS_S)
    service = system.service("inference-gateway")
    try:
        assert comes(lambda: service.exit_status() == 1)
        done, summary = run("verify", target)
        assert (done.returncode, summary["verdict"]) == (1, "FAILED")
        assert "step      runbooks/inference-gateway.md:" in done.stdout
        done, summary = run("diagnose", target)
        assert (done.returncode, summary["verdict"]) == (1, "FAILED")
        assert "Strategy 5: Fix Configuration Error" in done.stdout
    finally:
        machine.run("cp .env.example .env && docker-compose up -d inference-gateway", deadline_s=HOPELESS_S)
    assert comes(lambda: system.ask_as_customer().served)


def test_a_host_that_is_gone_is_unknown(target):
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace("docker://drillbook-", "docker://gone-"), encoding="utf-8")
    done, summary = run("verify", target, "-k", "health_endpoint")  # the URLs of the others still answer
    assert (done.returncode, summary["verdict"]) == (1, "UNKNOWN")
