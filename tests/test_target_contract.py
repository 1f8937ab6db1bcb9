"""What holds for every kind of target."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import HOPELESS_S, comes, on_this_machine

from drillbook.errors import CommandRefused, CommandTimeout, TargetUnreachable, UsageError
from drillbook.target.connect import connect, docker_argv
from drillbook.target.session import ShellSession

IMAGE = "drillbook/base:trixie"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True, timeout=HOPELESS_S
    ).stdout.strip()


@pytest.fixture(scope="module")
def container() -> Iterator[Callable[..., str]]:
    names: list[str] = []

    def start(*options: str, script: str = "exec sleep infinity") -> str:
        names.append(f"drillbook-test-target-{uuid.uuid4().hex[:8]}")
        label = ("--label", "drillbook.task=target")
        docker("run", "-d", "--name", names[-1], *label, "--network", "none", *options, IMAGE, "sh", "-c", script)
        return names[-1]

    yield start
    for name in names:
        docker("rm", "-f", "-v", name)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An sshd on a high port that lets in this user by a key of its own, and an ssh that is configured for it."""
    if not SSHD:
        pytest.skip("no sshd here: apt install openssh-server")
    folder = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True, timeout=HOPELESS_S
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nLogLevel ERROR\n",
        encoding="utf-8",
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "ssh_config").write_text(
        f"Host drillbook-web\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder}/user\n IdentitiesOnly yes\n"
        f" StrictHostKeyChecking no\n UserKnownHostsFile {folder}/known\n LogLevel ERROR\n",
        encoding="utf-8",
    )
    ours = folder / "bin" / "ssh"
    ours.parent.mkdir()
    ours.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n', encoding="utf-8")
    ours.chmod(0o755)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert comes(listens), "sshd does not listen"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{ours.parent}:{os.environ['PATH']}")
        yield f"ssh://{getpass.getuser()}@drillbook-web"
    server.terminate()
    server.wait(10)


KINDS = [
    "local",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("docker-without-bash", marks=pytest.mark.docker),
    pytest.param("inside", marks=pytest.mark.docker),
    pytest.param("ssh", marks=pytest.mark.ssh),
    pytest.param("ssh-become", marks=pytest.mark.ssh),
    pytest.param("stateful", marks=pytest.mark.docker),
]


@pytest.fixture(scope="module", params=KINDS)
def opened(request: pytest.FixtureRequest) -> Callable[..., ShellSession]:
    kind = request.param
    if kind == "local":
        return lambda **options: connect("local:", **options)
    if kind.startswith("ssh"):
        uri = request.getfixturevalue("sshd")
        if kind == "ssh-become" and not shutil.which("sudo"):
            pytest.skip("no sudo here: apt install sudo")
        if kind == "ssh-become" and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
            pytest.skip("this user may not use sudo without a password")
        return lambda **options: connect(uri, become=kind == "ssh-become", **options)
    start = request.getfixturevalue("container")
    if kind == "inside":
        # A container with a docker client on this engine looks, from here, like a replica with an engine of its own.
        client = shutil.which("docker")
        engine = ("-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", f"{client}:/usr/bin/docker:ro")
        outer, inner = start(*engine), start()
        argv = (*docker_argv(), "exec", "-i", outer, "docker", "exec", "-i", inner, "sh")
        return lambda **options: ShellSession(inner, argv, **options).open()
    name = start(
        script="rm /usr/bin/bash; exec sleep infinity" if kind == "docker-without-bash" else "exec sleep infinity"
    )
    if kind == "docker-without-bash":
        comes(lambda: not docker("exec", name, "sh", "-c", "command -v bash || :"))
    if kind == "stateful":
        return lambda **options: connect(f"docker://{name}", role="stateful", stateful=True, **options)
    return lambda **options: connect(f"docker://{name}", **options)


@pytest.fixture(scope="module")
def shared(opened: Callable[..., ShellSession]) -> Iterator[ShellSession]:
    with opened() as session:
        yield session


@pytest.fixture
def session(opened: Callable[..., ShellSession], shared: ShellSession) -> Iterator[ShellSession]:
    """One session for all tests of a kind: each leaves it usable. Only one with state is opened for every test."""
    if not shared.name.startswith("stateful"):
        yield shared
        return
    with opened() as session:
        yield session


def running(session: ShellSession, mark: str) -> list[str]:
    """Return the target's processes whose command line has the mark, without the one that looks."""
    look = f"cd /proc; grep -las -- '{mark[:-1]}[{mark[-1]}]' [0-9]*/cmdline"
    return [line.partition("/")[0] for line in session.run(look, deadline_s=HOPELESS_S).out.split()]


def gone(session: ShellSession, mark: str) -> bool:
    return bool(comes(lambda: not running(session, mark)))


def mark() -> str:
    """Return seconds for a sleep that nothing else on this machine sleeps."""
    return f"9{uuid.uuid4().int % 10**8:08}"


def test_output_and_exit_status_are_the_commands_own(session: ShellSession) -> None:
    output = session.run("echo out; echo err >&2; exit 3")
    assert (output.exit_status, output.stdout, output.stderr) == (3, b"out\n", b"err\n")
    assert output.command == "echo out; echo err >&2; exit 3"
    assert 0 < output.took_s < 10
    assert session.run("true").exit_status == 0


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("printf 'no newline'", b"no newline"),
        ("printf '\\n\\n'", b"\n\n"),
        ("", b""),
        ("# only a comment", b""),
        ("cat <<'EOF'\n$HOME \"x\" 'y' `z`\nEOF", b"$HOME \"x\" 'y' `z`\n"),
        ("cat <<EOF\nlast line is the delimiter\nEOF\n", b"last line is the delimiter\n"),
        ("echo \"it's\" 'a \"b\"' \\\n  c", b"it's a \"b\" c\n"),
        ("echo a; echo b\necho c &&\n echo d", b"a\nb\nc\nd\n"),
        ("printf '\\377\\376\\000x'", b"\xff\xfe\0x"),
        ("echo 'Grüße ✓'", "Grüße ✓\n".encode()),
        ("for i in 1 2; do\n  echo $i\ndone", b"1\n2\n"),
        ("echo '!x' \\$HOME", b"!x $HOME\n"),
        ("set -e; false; echo not reached", b""),
        ("f() { return 4; }; f; echo $?", b"4\n"),
        ("echo Babc 1; echo Eabc 0 0; echo B E N", b"Babc 1\nEabc 0 0\nB E N\n"),
    ],
)  # fmt: skip
def test_text_runs_verbatim(session: ShellSession, command: str, out: bytes) -> None:
    assert session.run(command).stdout == out
    assert session.run("echo next").stdout == b"next\n"


@pytest.mark.parametrize("command", ["if then", "echo 'unclosed", "(", "cat <<EOF\nno end", "done", "echo $(", "}"])
def test_a_syntax_error_is_a_result_and_the_session_goes_on(session: ShellSession, command: str) -> None:
    output = session.run(command)
    assert output.exit_status != 0 or "EOF" in command
    assert session.run("echo next").stdout == b"next\n"


@pytest.mark.parametrize("command", ["cat", 'read x; echo "$x"', "head -c 1", "sh -c 'cat >&2'"])
def test_standard_input_is_empty(session: ShellSession, command: str) -> None:
    assert session.run(command, deadline_s=5).out.strip() == ""
    assert session.run("echo next").stdout == b"next\n"


@pytest.mark.parametrize(
    "command", ["exec >&-; exec 2>&-; true", "exec true", "exec >/dev/null; echo x", "kill -KILL $(sh -c 'echo $PPID')"]
)
def test_a_command_that_closes_or_replaces_its_own_shell_ends_alone(session: ShellSession, command: str) -> None:
    session.run(command)
    assert session.run("echo next").stdout == b"next\n"


def test_fifty_megabytes_are_cut_in_the_middle_and_counted(session: ShellSession) -> None:
    output = session.run("echo first; head -c 50000000 /dev/zero; echo; echo last", deadline_s=HOPELESS_S)
    assert output.exit_status == 0
    assert output.stdout.startswith(b"first\n")
    assert output.stdout.endswith(b"\nlast\n")
    assert len(output.stdout) < 9_000_000
    note = len(f"\n[{output.dropped_bytes} bytes not kept]\n")
    assert output.dropped_bytes + len(output.stdout) - note == 50_000_000 + len("first\n\nlast\n")


def test_both_streams_may_be_big_at_once(session: ShellSession) -> None:
    output = session.run("head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait", deadline_s=HOPELESS_S)
    assert (len(output.stdout), len(output.stderr)) == (3_000_000, 3_000_000)


def test_a_command_of_200_kb_runs(session: ShellSession) -> None:
    text = "x" * 200_000
    assert session.run(f"echo {text}", deadline_s=HOPELESS_S).stdout == text.encode() + b"\n"
    assert session.run(f"echo '{text}é' | wc -c", deadline_s=HOPELESS_S).out.strip() == "200003"


def test_variables_are_for_one_command_only(session: ShellSession) -> None:
    odd = "a 'b' \"c\" $HOME\n`d` é"
    assert session.run('printf %s "$ODD"', variables={"ODD": odd}).stdout == odd.encode()
    assert session.run("sh -c 'printf %s \"$ODD\"'", variables={"ODD": odd}).stdout == odd.encode()
    assert session.run("echo ${ODD-unset}").stdout == b"unset\n"


@pytest.mark.parametrize(
    "template",
    [
        "sleep {0}",
        "sh -c 'sleep {0}; true'; true",
        "sh -c 'trap \"\" TERM HUP INT; sleep {0}; sleep {0}'",
        "sleep {0} & wait",
        "timeout 1000 sleep {0}",
        "sh -c 'sleep {0} & exec sleep {0}'",
        "setsid sleep {0} & sleep {0}",
        "sleep {0} | cat",
        "echo $(sleep {0})",
        "while :; do sleep {0}; done",
    ],
)
def test_a_hung_command_is_killed_at_its_deadline_with_all_that_belongs_to_it(
    session: ShellSession, template: str
) -> None:
    seconds = mark()
    begin_s = time.monotonic()
    with pytest.raises(CommandTimeout) as caught:
        session.run("echo before; " + template.format(seconds), deadline_s=0.5)
    assert time.monotonic() - begin_s < on_this_machine(15)
    text = str(caught.value)
    assert f"{session.name}: expected an end within 0.5 s, got none: killed `echo before; " in text
    assert "  | before" in text
    assert "hint: " in text
    assert session.run("echo next").stdout == b"next\n"
    assert gone(session, seconds)


def test_a_command_that_is_only_stopped_has_not_ended(session: ShellSession) -> None:
    output = session.run("exec sh -c '(sleep 1; kill -CONT $$) & kill -STOP $$; echo went on; exit 5'", deadline_s=10)
    assert (output.stdout, output.exit_status) == (b"went on\n", 5)


def test_a_background_process_keeps_running_and_its_late_output_is_nobodys(session: ShellSession) -> None:
    seconds = mark()
    begin_s = time.monotonic()
    output = session.run(f"(sleep 0.5; echo late; echo late >&2; exec sleep {seconds}) & echo started")
    assert output.stdout == b"started\n"
    assert time.monotonic() - begin_s < on_this_machine(15)
    assert comes(lambda: running(session, seconds))
    output = session.run("sleep 0.2; echo mine")
    assert (output.stdout, output.stderr) == (b"mine\n", b"")
    session.run(f"kill {' '.join(running(session, seconds))}")


def test_a_process_that_left_its_group_does_not_spill_into_the_next_command(session: ShellSession) -> None:
    session.run("setsid sh -c 'sleep 0.5; echo late' & sleep 0.2; echo started")
    assert session.run("sleep 1; echo mine").stdout == b"mine\n"


def test_what_a_command_left_behind_hears_that_the_session_was_closed(opened: Callable[..., ShellSession]) -> None:
    seconds = mark()
    with opened() as session:
        session.run(f"sleep {seconds} & echo started")
        assert running(session, seconds)
    with opened() as session:
        assert gone(session, seconds)


def test_a_closed_session_leaves_no_shell_behind(opened: Callable[..., ShellSession]) -> None:
    with opened() as watcher:
        session = opened()
        pid = session._shell.pid if session._shell else 0
        assert watcher.run(f"test -d /proc/{pid}").exit_status == 0
        session.close()
        alive = f"grep -qv '^State:.Z' /proc/{pid}/status 2>/dev/null && ! grep -q '^State:.Z' /proc/{pid}/status"
        assert comes(lambda: watcher.run(alive).exit_status != 0)


def test_closing_twice_is_harmless_and_a_closed_session_answers_nothing(opened: Callable[..., ShellSession]) -> None:
    session = opened()
    session.close()
    session.close()
    with pytest.raises(TargetUnreachable, match="closed"):
        session.run("true")


def test_a_session_whose_shell_was_killed_is_opened_anew(session: ShellSession) -> None:
    assert session._shell
    killed = session._shell.pid
    with pytest.raises(TargetUnreachable, match="the session ended while"):
        session.run(f"kill -KILL {killed}; sleep 1")
    assert session.run("echo next").stdout == b"next\n"
    assert session._shell.pid != killed


def test_a_refused_command_never_reaches_the_target(opened: Callable[..., ShellSession]) -> None:
    guard = {"rm -rf /tmp/x": "rm changes files"}.get
    with opened(guard=guard) as session:
        assert session.run("echo ok").out == "ok\n"
        with pytest.raises(CommandRefused) as caught:
            session.run("rm -rf /tmp/x")
    text = str(caught.value)
    assert "rm changes files" in text
    assert "hint: where it only reads, list its id under `reads`" in text


def test_a_nul_byte_is_refused(session: ShellSession) -> None:
    with pytest.raises(UsageError, match="NUL"):
        session.run("echo a\0b")


def test_threads_may_share_a_session(session: ShellSession) -> None:
    wrong: list[str] = []

    def ask(number: int) -> None:
        for round_ in range(5):
            out = session.run(f"echo {number} {round_}").out
            if out != f"{number} {round_}\n":
                wrong.append(out)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_children_do_not_inherit_the_ignoring_of_interrupts(session: ShellSession) -> None:
    ignored = session.run("sh -c 'grep SigIgn /proc/$$/status'").out.split()[1]
    assert int(ignored, 16) & 0b110 == 0


def test_an_interrupt_at_the_keyboard_kills_what_runs_in_the_target(
    session: ShellSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = mark()
    session.run("true")
    assert session._shell
    connection = session._shell.connection
    real = connection.exchange

    def interrupted(text: str, *frames: object) -> bool:
        assert not real(text, frames[0], frames[1], 0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(connection, "exchange", interrupted)
    monkeypatch.setattr("drillbook.target.session._FRESH_S", 100.0)
    with pytest.raises(KeyboardInterrupt):
        session.run(f"sleep {seconds}")
    assert gone(session, seconds)


def test_nothing_is_written_into_the_target(session: ShellSession) -> None:
    before = session.run("ls -a /tmp | wc -l").out
    session.run("echo x; cat <<EOF\ny\nEOF")
    assert session.run("ls -a /tmp | wc -l").out == before
