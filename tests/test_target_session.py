"""What trips others: targets that die, freeze, restart or lack things while a session is open."""

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from patience import on_this_machine

from drillbook.clock import SystemClock, poll
from drillbook.errors import CommandTimeout, ProgramMissing, TargetUnreachable
from drillbook.target.connect import connect
from drillbook.target.session import ShellSession

IMAGE = "drillbook/base:trixie"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def container() -> Iterator[str]:
    name = f"drillbook-test-target-{uuid.uuid4().hex[:8]}"
    docker(
        "run", "-d", "--name", name, "--label", "drillbook.task=target", "--network", "none", IMAGE, "sleep", "infinity"
    )
    yield name
    subprocess.run(["docker", "unpause", name], capture_output=True)
    docker("rm", "-f", "-v", name)


@pytest.fixture
def session(container: str) -> Iterator[ShellSession]:
    with connect(f"docker://{container}") as session:
        yield session


@pytest.fixture
def terminal() -> Iterator[ShellSession]:
    with connect("local:", stateful=True) as session:
        yield session


@pytest.mark.docker
def test_a_dead_container_is_unreachable_in_dockers_own_words(session: ShellSession, container: str) -> None:
    session.run("true")
    docker("kill", container)
    for _ in range(2):
        with pytest.raises(TargetUnreachable) as caught:
            session.run("test -e /nope")
        assert "is not running" in str(caught.value)
        assert f"`docker start {container}` starts it" in str(caught.value)


@pytest.mark.docker
def test_a_container_that_dies_under_a_running_command_is_unreachable(session: ShellSession, container: str) -> None:
    killer = threading.Timer(0.5, docker, ("kill", container))
    killer.start()
    with pytest.raises(TargetUnreachable) as caught:
        session.run("echo begun; sleep 60", deadline_s=30)
    killer.join()
    assert "the session ended while `echo begun; sleep 60` was running" in str(caught.value)
    assert "  | begun" in str(caught.value)


@pytest.mark.docker
def test_a_container_that_ends_with_status_0_is_unreachable_too() -> None:
    name = f"drillbook-test-target-{uuid.uuid4().hex[:8]}"
    docker(
        "run",
        "-d",
        "--rm",
        "--name",
        name,
        "--network",
        "none",
        IMAGE,
        "sh",
        "-c",
        "until test -e /stop; do sleep 0.1; done",
    )
    with connect(f"docker://{name}") as session, pytest.raises(TargetUnreachable):
        session.run("touch /stop; sleep 30")


@pytest.mark.docker
def test_a_paused_container_is_unreachable_and_never_gets_the_command(session: ShellSession, container: str) -> None:
    session.run("true")
    docker("pause", container)
    begin_s = time.monotonic()
    poll(lambda: time.monotonic() - begin_s > 0.1, within_s=1, clock=SystemClock())
    with pytest.raises(TargetUnreachable) as caught:
        session.run("touch /late")
    assert time.monotonic() - begin_s < on_this_machine(20)
    assert "is paused" in str(caught.value)
    assert f"`docker unpause {container}` lets it go on" in str(caught.value)
    docker("unpause", container)
    assert session.run("test -e /late").exit_status == 1


@pytest.mark.docker
def test_a_container_paused_under_a_running_command_is_unreachable_not_timed_out(
    session: ShellSession, container: str
) -> None:
    pauser = threading.Timer(0.5, docker, ("pause", container))
    pauser.start()
    with pytest.raises(TargetUnreachable, match="is paused"):
        session.run("sleep 30", deadline_s=2)
    pauser.join()
    docker("unpause", container)
    assert session.run("echo next").out == "next\n"


@pytest.mark.docker
def test_a_container_restarted_under_an_open_session_answers_as_what_it_is_now(
    session: ShellSession, container: str
) -> None:
    session.run("touch /run/before; touch /tmp/before")
    begun = session.run("cat /proc/1/stat | cut -d' ' -f22").out
    docker("restart", "-t", "0", container)
    assert session.run("cat /proc/1/stat | cut -d' ' -f22").out != begun
    assert session.run("test -e /tmp/before").exit_status == 0


@pytest.mark.docker
def test_a_container_made_anew_under_the_same_name_answers_as_what_it_is_now(
    session: ShellSession, container: str
) -> None:
    session.run("touch /before")
    docker("rm", "-f", container)
    docker("run", "-d", "--name", container, "--network", "none", IMAGE, "sleep", "infinity")
    assert session.run("test -e /before").exit_status == 1


@pytest.mark.docker
def test_a_container_without_a_shell_says_so() -> None:
    name = f"drillbook-test-target-{uuid.uuid4().hex[:8]}"
    docker("run", "-d", "--rm", "--name", name, "--network", "none", IMAGE, "sleep", "infinity")
    try:
        docker("exec", name, "rm", "/bin/sh")
        with pytest.raises(TargetUnreachable, match=f"there is no sh in {name}"):
            connect(f"docker://{name}")
    finally:
        docker("rm", "-f", name)


@pytest.mark.docker
def test_a_session_with_state_needs_bash(container: str) -> None:
    docker("exec", container, "rm", "/usr/bin/bash")
    with pytest.raises(ProgramMissing, match="install bash there"):
        connect(f"docker://{container}", stateful=True)


@pytest.mark.docker
def test_without_bash_and_setsid_a_hung_command_still_dies(container: str) -> None:
    docker("exec", container, "rm", "/usr/bin/setsid", "/usr/bin/perl", "/usr/bin/bash")
    with connect(f"docker://{container}") as session:
        with pytest.raises(CommandTimeout):
            session.run("sh -c 'sleep 9871 & sleep 9871'", deadline_s=0.5)
        assert session.run("echo next").out == "next\n"
        assert session.run("grep -las '987[1]' /proc/[0-9]*/cmdline").out == ""


@pytest.mark.docker
def test_a_hung_session_takes_no_longer_than_told(container: str) -> None:
    frozen = ["docker", "exec", "-i", container, "sh", "-c", "kill -STOP $$; exec sh"]
    with ShellSession("frozen", frozen, open_within_s=0.5) as session:
        begin_s = time.monotonic()
        with pytest.raises(TargetUnreachable, match=r"frozen: expected a shell within 0\.5 s, got none"):
            session.open()
    assert time.monotonic() - begin_s < on_this_machine(5)
    docker("exec", container, "sh", "-c", "kill -CONT -1 || :")


def test_a_program_that_is_no_shell_is_unreachable_with_its_words() -> None:
    with (
        ShellSession("x", [sys.executable, "-c", "import sys; sys.exit('no access today')"]) as session,
        pytest.raises(TargetUnreachable, match="no access today"),
    ):
        session.run("true")


def test_a_greeting_before_the_shell_is_no_output() -> None:
    with ShellSession("x", ["sh", "-c", "echo Welcome to x; echo Have fun >&2; exec sh"]) as session:
        output = session.run("echo mine; echo err >&2")
    assert (output.stdout, output.stderr) == (b"mine\n", b"err\n")


def test_less_is_kept_where_less_is_asked_for() -> None:
    with ShellSession("x", ["sh"], keep_bytes=100) as session:
        output = session.run("seq 1000")
    assert output.stdout.startswith(b"1\n2\n3\n")
    assert output.stdout.endswith(b"999\n1000\n")
    assert output.dropped_bytes == 3893 - 100


def ran(terminal: ShellSession, *commands: str) -> str:
    """Run commands one after the other; return what the last one printed."""
    return [terminal.run(command) for command in commands][-1].out


@pytest.mark.parametrize(
    ("commands", "out"),
    [
        (("cd /usr/bin", "pwd"), "/usr/bin\n"),
        (("cd /usr/bin", "cd /etc", "cd - >/dev/null", "pwd"), "/usr/bin\n"),
        (("x='a  b'", 'echo "$x"'), "a  b\n"),
        (("x=5", "sh -c 'echo ${x-unset}'"), "unset\n"),
        (("export X=5", "sh -c 'echo $X'"), "5\n"),
        (("export X=5", "unset X", "echo ${X-unset}"), "unset\n"),
        (("unset HOME", "echo ${HOME-unset}"), "unset\n"),
        (("f() { echo \"f $1\"; }", "f x"), "f x\n"),
        (("a=(1 'b c')", 'echo "${a[1]}"'), "b c\n"),
        (("declare -A m=([k]='v w')", 'echo "${m[k]}"'), "v w\n"),
        (("readonly R=1", "echo $R"), "1\n"),
        (("x=$'a\\n\\'b\\' é $HOME `c`'", 'printf %s "$x"'), "a\n'b' é $HOME `c`"),
        (("set -o pipefail", "false | true; echo $?"), "1\n"),
        (("shopt -s nullglob", "echo /nope*"), "\n"),
        (("umask 027", "umask"), "0027\n"),
        (("alias greet='echo hi'", "greet"), "hi\n"),
        (("false", "echo $?"), "1\n"),
        (("sh -c 'exit 7'", "echo $?", "echo $?"), "0\n"),
        (("cd /usr; exit 3", "pwd"), "/usr\n"),
        (("x=1", "x=2; set -e; false; x=3", "echo $x"), "2\n"),
        (("x=1", "if then", "echo $x"), "1\n"),
        (("x=1", "exec true", "echo $x"), "1\n"),
        (("x=1; trap 'echo bye' EXIT", "echo $x"), "1\n"),
        (("x=1", "kill -KILL $BASHPID", "echo $x"), "1\n"),
        (("IFS=,", "x=a,b; set -- $x; echo $1", "x=c,d; set -- $x; echo $2"), "d\n"),
        (("name=n names=m functions=f", "echo $name $names $functions"), "n m f\n"),
        (("x=1; sleep 0.2 & echo bg", "echo $x"), "1\n"),
        (("set -u; x=1", "echo $x"), "1\n"),
        (("set -f; x=1", "echo /* $x | wc -w"), "2\n"),
    ],
)  # fmt: skip
def test_a_session_with_state_is_as_one_terminal(terminal: ShellSession, commands: tuple[str, ...], out: str) -> None:
    assert ran(terminal, *commands) == out


def test_a_command_that_is_killed_loses_no_state(terminal: ShellSession) -> None:
    terminal.run("cd /usr; x=1")
    with pytest.raises(CommandTimeout):
        terminal.run("cd /etc; x=2; sleep 60", deadline_s=0.3)
    assert terminal.run("echo $PWD $x").out == "/usr 1\n"


def test_variables_of_one_command_leave_the_state_alone(terminal: ShellSession) -> None:
    terminal.run("A=old")
    assert terminal.run("echo $A $B; C=3", variables={"A": "new", "B": "2"}).out == "new 2\n"
    assert terminal.run("echo $A ${B-unset} $C").out == "old unset 3\n"
    assert terminal.run("sh -c 'echo ${A-unset}'").out == "unset\n"


def test_a_directory_that_is_gone_is_told_once_before_anything_runs(terminal: ShellSession) -> None:
    name = f"/tmp/drillbook-{uuid.uuid4().hex}"
    terminal.run(f"mkdir {name}; cd {name}; rmdir {name}")
    output = terminal.run("echo ran")
    assert (output.exit_status, output.out) == (1, "")
    assert f"the working directory {name} is gone; now in /" in output.err
    assert terminal.run("pwd").out == "/\n"


def test_the_sessions_own_names_do_not_break_a_look_at_all_variables(terminal: ShellSession) -> None:
    for command in ("set", "declare -p", "declare -f", "trap -p", "env"):
        assert terminal.run(command).exit_status == 0
    assert terminal.run("echo next").out == "next\n"


@pytest.mark.docker
def test_state_outlives_the_shell_that_held_it(container: str) -> None:
    with connect(f"docker://{container}", stateful=True) as session:
        session.run("cd /usr; export X=1")
        docker("restart", "-t", "0", container)
        assert session.run("echo $PWD; sh -c 'echo $X'").out == "/usr\n1\n"


def test_a_command_costs_milliseconds() -> None:
    with connect("local:") as session:
        took = sorted(_timed(lambda: session.run("test -e /etc/passwd")) for _ in range(50))
    assert took[25] < on_this_machine(0.05)


def _timed(act: Callable[[], object]) -> float:
    begin_s = time.monotonic()
    act()
    return time.monotonic() - begin_s
