"""testinfra's words on our sessions: a check that could not look never passes, negated or not."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drillbook.errors import CommandRefused, CommandTimeout, ProgramMissing, TargetError, TargetUnreachable
from drillbook.target import infra
from drillbook.target.connect import connect
from drillbook.target.session import ShellSession

IMAGE = "drillbook/base:trixie"
pytestmark = pytest.mark.docker


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture(scope="module")
def minimal() -> Iterator[str]:
    """A container without ps, ss and systemctl."""
    name = f"drillbook-test-target-{uuid.uuid4().hex[:8]}"
    docker(
        "run", "-d", "--name", name, "--label", "drillbook.task=target", "--network", "none", IMAGE, "sleep", "infinity"
    )
    yield name
    docker("rm", "-f", "-v", name)


@pytest.fixture
def session(minimal: str) -> Iterator[ShellSession]:
    with connect(f"docker://{minimal}") as session:
        yield session


@pytest.fixture
def host(session: ShellSession) -> Any:
    return infra.testinfra_host(session)


def test_what_needs_no_special_program_is_judged(host: Any) -> None:
    passwd = host.file("/etc/passwd")
    assert passwd.exists
    assert not host.file("/nope").exists
    assert (passwd.mode, passwd.user, passwd.is_file, passwd.is_directory) == (0o644, "root", True, False)
    assert passwd.contains("root:x:0:0")
    assert "root:x:0:0" in passwd.content_string
    assert host.file("/bin/sh").linked_to == "/usr/bin/dash"
    assert host.package("bash").is_installed
    assert not host.package("redis").is_installed
    assert host.user("root").exists
    assert not host.user("nobody-at-all").exists
    assert host.exists("bash")
    assert not host.exists("redis-server")
    assert host.system_info.distribution == "debian"
    assert host.check_output("echo %s", "a b; 'c'") == "a b; 'c'"


LOOKS: list[tuple[str, Callable[[Any], object]]] = [
    ("process", lambda host: host.process.filter(comm="redis-server")),
    ("process of a pid", lambda host: host.process.get(pid=1)),
    ("listening", lambda host: host.socket("tcp://0.0.0.0:6379").is_listening),
    ("service", lambda host: host.service("redis").is_running),
    ("interface", lambda host: host.interface("eth0").exists),
    ("sysctl", lambda host: host.sysctl("kernel.hostname")),
    ("own command", lambda host: host.run("redis-cli ping").rc),
    ("find_command", lambda host: host.find_command("redis-cli")),
    ("docker", lambda host: host.docker("web").is_running),
]


@pytest.mark.parametrize("look", [look for _, look in LOOKS], ids=[name for name, _ in LOOKS])
def test_what_needs_a_program_that_is_not_there_is_an_error_and_never_a_no(
    host: Any, look: Callable[[Any], object]
) -> None:
    with pytest.raises(ProgramMissing) as caught:
        look(host)
    assert "hint: " in str(caught.value)


def test_systemctl_without_systemd_is_no_answer_about_a_service(minimal: str, session: ShellSession) -> None:
    words = "System has not been booted with systemd as init system (PID 1). Can\\047t operate."
    script = f'#!/bin/sh\nprintf "{words}\\n" >&2\nexit 1\n'
    session.run(
        f"cat >/usr/bin/systemctl <<'EOF'\n{script}EOF\nchmod +x /usr/bin/systemctl; mkdir -p /run/systemd/system"
    )
    try:
        with pytest.raises(ProgramMissing, match="service manager"):
            assert infra.testinfra_host(session).service("redis").is_running
    finally:
        session.run("rm -r /usr/bin/systemctl /run/systemd")


def test_a_service_that_its_init_script_reports_as_dead_is_not_running(session: ShellSession) -> None:
    session.run(
        "mkdir -p /etc/init.d\n"
        "printf '#!/bin/sh\\necho redis is not running; exit 3\\n' >/etc/init.d/redis\n"
        "chmod +x /etc/init.d/redis"
    )
    try:
        assert not infra.testinfra_host(session).service("redis").is_running
    finally:
        session.run("rm /etc/init.d/redis")


def test_an_ss_that_fails_is_no_empty_list_of_ports(session: ShellSession) -> None:
    session.run(
        "printf '#!/bin/sh\\necho cannot open netlink socket >&2; exit 1\\n' >/usr/bin/ss; chmod +x /usr/bin/ss"
    )
    try:
        with pytest.raises(TargetError, match="cannot open netlink"):
            assert not infra.testinfra_host(session).socket("tcp://0.0.0.0:80").is_listening
    finally:
        session.run("rm /usr/bin/ss")


def test_output_that_is_no_utf_8_is_bytes_and_readable_text(host: Any) -> None:
    result = host.run("printf 'a\\377b'; printf '\\376' >&2")
    assert (result.stdout_bytes, result.stdout, result.stderr) == (b"a\xffb", "a\ufffdb", "\ufffd")


def test_output_that_was_not_kept_whole_judges_nothing(host: Any) -> None:
    with pytest.raises(TargetError, match="bytes in the middle"):
        assert "ERROR" not in host.run("head -c 20000000 /dev/zero").stdout


def test_a_check_that_hangs_ends_at_the_deadline(session: ShellSession) -> None:
    with pytest.raises(CommandTimeout):
        infra.testinfra_host(session, deadline_s=0.3).run("sleep 60")


def test_testinfras_own_commands_pass_the_guard(minimal: str) -> None:
    seen: list[str] = []

    def guard(command: str) -> str | None:
        seen.append(command)
        return "no looking at shadow" if "/etc/shadow" in command else None

    with connect(f"docker://{minimal}", guard=guard) as session:
        host = infra.testinfra_host(session)
        assert host.file("/etc/passwd").exists
        with pytest.raises(CommandRefused, match="no looking at shadow"):
            assert not host.file("/etc/shadow").exists
    assert {"test -e /etc/passwd", "test -e /etc/shadow"} < set(seen)


NEGATED: list[Callable[[Any], bool]] = [
    lambda host: not host.file("/nope").exists,
    lambda host: not host.package("redis").is_installed,
    lambda host: not host.service("redis").is_running,
    lambda host: not host.process.filter(comm="redis-server"),
    lambda host: not host.socket("tcp://6379").is_listening,
    lambda host: not host.exists("redis-server"),
    lambda host: not host.user("intruder").exists,
    lambda host: host.run("pgrep redis").rc != 0,
    lambda host: not host.addr("localhost").is_reachable,
]


@pytest.mark.parametrize("state", ["kill", "pause"])
def test_a_negated_check_on_a_target_that_does_not_answer_never_passes(state: str) -> None:
    name = f"drillbook-test-target-{uuid.uuid4().hex[:8]}"
    docker("run", "-d", "--name", name, "--network", "none", IMAGE, "sleep", "infinity")
    try:
        way = ["docker", "exec", "-i", name, "sh"]
        with ShellSession(name, way, answer_within_s=1.0).open() as session:
            fresh = infra.testinfra_host(session)
            used = infra.testinfra_host(session)
            assert not used.file("/nope").exists
            docker(state, name)
            for host in (fresh, used):
                for check in NEGATED:
                    with pytest.raises(TargetUnreachable):
                        check(host)
    finally:
        subprocess.run(["docker", "unpause", name], capture_output=True)
        docker("rm", "-f", name)
