"""``pytest -m verify`` over sshd into a systemd host gives what it gives through the replica."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from patience import HOPELESS_S, READY_S, RUN_S, comes

from drillbook.clock import SystemClock
from drillbook.operator import Operator
from drillbook.parser import parse_runbook
from drillbook.plugin.nested import PytestChecks
from drillbook.replica.loader import load_replica
from drillbook.replica.systemd_host import SystemdReplica
from drillbook.site import Site
from drillbook.timeline import Timeline, read_events

ROOT = Path(__file__).parent.parent
SLUG = "microdiff-matdesign"
HOME = f"/opt/{SLUG}"
VALIDATE = "common-causes-and-solutions/4-configuration-issues#1"
READS = (f"{VALIDATE}.1", f"{VALIDATE}.2", "advanced-diagnostics/1-core-dump-analysis#1.4")

pytestmark = [pytest.mark.docker, pytest.mark.ssh, pytest.mark.xdist_group("replica")]


def is_scraped(replica: SystemdReplica) -> bool:
    """Tell whether Prometheus has looked at the service at least once."""
    asked = httpx.get(f"{replica.urls['prometheus']}/api/v1/query", params={"query": f'up{{job="{SLUG}"}}'}, timeout=5)
    return bool(asked.json()["data"]["result"])


@pytest.fixture(scope="module")
def system() -> Iterator[SystemdReplica]:
    """A running host, looked at from outside as a user looks at production."""
    replica = load_replica(ROOT, SLUG)
    assert isinstance(replica, SystemdReplica)
    try:
        replica.start()
        replica.wait_until_ready(READY_S)
        assert comes(lambda: is_scraped(replica))
        yield replica
    finally:
        replica.stop()


@pytest.fixture(scope="module")
def by_ssh(system: SystemdReplica, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of the host, which lets this user in as root by a key of its own; our ssh is configured for it."""
    folder = tmp_path_factory.mktemp("ssh")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True, timeout=HOPELESS_S
    )
    key = (folder / "key.pub").read_text(encoding="utf-8").strip()
    assert system.host("machine").run(f"echo '{key}' >/root/.ssh/authorized_keys").exit_status == 0
    address, port = system.urls["ssh"].removeprefix("http://").split(":")
    (folder / "config").write_text(
        f"Host matdesign\n HostName {address}\n Port {port}\n User root\n IdentityFile {folder}/key\n"
        f" IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile {folder}/known\n LogLevel ERROR\n",
        encoding="utf-8",
    )
    ours = folder / "bin" / "ssh"
    ours.parent.mkdir()
    ours.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n', encoding="utf-8")
    ours.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{ours.parent}:{os.environ['PATH']}")
        yield f"ssh://matdesign{HOME}"


@pytest.fixture
def target(system: SystemdReplica, by_ssh: str, tmp_path: Path) -> Path:
    path = tmp_path / "prod.toml"
    urls = "\n".join(f'{name} = "{url}"' for name, url in system.urls.items())
    path.write_text(
        f'runbook = "{SLUG}"\nfunctional = ["test_designs_follow_their_question"]\nreads = {json.dumps(READS)}\n'
        f'[hosts.operator]\nconnect = ["{by_ssh}"]\n[urls]\n{urls}\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def through_the_replica(system: SystemdReplica, request: pytest.FixtureRequest) -> Callable[[str], dict[str, str]]:
    """Run the checks of a job as a drill does, and return what each said."""
    book = parse_runbook(ROOT / "runbooks" / f"{SLUG}.md")
    site = Site("replica", book, system.host, urls=system.urls, variables=system.variables, is_replica=True)
    checks = PytestChecks(request.config, ROOT / "checks" / f"test_{SLUG.replace('-', '_')}.py")

    def check(job: str) -> dict[str, str]:
        if job == "verify":
            said = checks.verify(site)
        else:
            said = checks.diagnose(site, Operator(site, Timeline(SystemClock())).read_all())
        return {checked.item: str(checked.outcome) for checked in said}

    return check


def run(job: str, target: Path) -> tuple[str, str, dict[str, str]]:
    """Return the verdict, what was printed, and what each check said at last."""
    command = [sys.executable, "-m", "pytest", "checks", "-m", job, "--target", str(target)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=RUN_S, env=dict(os.environ, CI="true")
    )
    told = re.search(r"^report: (.*)$", done.stdout, re.MULTILINE)
    assert told, done.stdout + done.stderr
    folder = Path(told[1]).parent
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    checked = [event for event in read_events(folder / "run.jsonl") if event["kind"] == "check"]
    return str(summary["verdict"]), done.stdout, {event["item"]: event["outcome"] for event in checked}


@pytest.mark.parametrize("job", ["verify", "diagnose"])
def test_a_host_that_is_well_is_green_over_ssh_as_through_the_replica(
    job: str, target: Path, through_the_replica: Callable[[str], dict[str, str]]
) -> None:
    verdict, said, checked = run(job, target)
    assert verdict == "PASSED", said
    assert checked == through_the_replica(job)
    assert set(checked.values()) == {"PASSED"}


def test_a_database_that_is_down_is_named_over_ssh_as_through_the_replica(
    system: SystemdReplica, target: Path, through_the_replica: Callable[[str], dict[str, str]]
) -> None:
    database = system.unit("postgresql")
    database.stop()
    try:
        assert comes(lambda: bool(system.alerts()))  # a check asks for them
        verdict, said, checked = run("verify", target)
        assert verdict == "FAILED", said
        assert checked["test_units_run[postgresql@17-main]"] == "FAILED"
        assert checked == through_the_replica("verify")
        verdict, said, checked = run("diagnose", target)
        assert verdict == "FAILED", said
        assert "2. Database Connection Issues" in said
        assert checked == through_the_replica("diagnose")
    finally:
        database.start()
    assert comes(lambda: system.ask_as_customer("after").served)
