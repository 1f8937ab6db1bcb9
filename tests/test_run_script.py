"""The script ``run``, in a folder of its own, with programs that only write down how they were called."""

import os
import pty
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = """
    bash cat chmod cmp cut dirname env grep id kill ls mkdir printf ps pwd rm sed seq setsid sh sleep tail touch tr
"""


@dataclass
class Place:
    """A clone with a made-up machine around it."""

    root: Path
    programs: Path
    log: Path
    env: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, body: str) -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)  # it may be a link to the machine's own program, which must not be written to
        path.write_text(f'#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"{self.log}"\n{body}\n')
        path.chmod(0o755)

    def install(self, kind: str = "dev") -> None:
        """Make the environment look installed; its Python writes down its arguments, one a line."""
        folder = self.root / ".venv" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("python", "drillbook"):
            (folder / name).write_text(f'#!/bin/bash\nprintf "<%s>\\n" "$@" >>"{self.log}"\nexit "${{ENDS_WITH:-0}}"\n')
            (folder / name).chmod(0o755)
        stamp = f"{self.root}\n{(self.root / 'pyproject.toml').read_text()}"
        (self.root / ".venv" / f"drillbook-{kind}").write_text(stamp)

    def run(
        self, *words: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "run"), *words],
            cwd=cwd or self.root,
            env={"PATH": str(self.programs), "HOME": str(self.root.parent), **self.env},
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root, programs = tmp_path / "a clone", tmp_path / "bin"
    (root / "chaos").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "run", root / "run")
    (root / "pyproject.toml").write_text("[project]\nname = 'drillbook'\n")
    for slug in ("inference_gateway", "other_service"):
        (root / "chaos" / f"test_{slug}.py").write_text("")
    for tool in TOOLS.split():
        if found := shutil.which(tool):
            (programs / tool).symlink_to(found)
    return Place(root, programs, tmp_path / "calls.log")


def test_a_made_up_program_leaves_the_machines_own_alone(place: Place) -> None:
    real = Path(shutil.which("id") or "")
    before = real.read_bytes()
    place.add("id", "echo 0")
    assert real.read_bytes() == before
    assert not (place.programs / "id").is_symlink()


@pytest.fixture
def docker(place: Place) -> Place:
    """A place where an engine answers."""
    place.add("docker", "echo unix:///var/run/docker.sock")
    return place


def pytest_words(place: Place) -> list[str]:
    return [line[1:-1] for line in place.calls() if line.startswith("<")]


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]])
def test_help_sets_nothing_up(place: Place, words: list[str]) -> None:
    done = place.run(*words)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./run ")
    assert not (place.root / ".venv").exists()


def test_an_unknown_command_names_the_valid_ones(place: Place) -> None:
    done = place.run("dril")
    assert done.returncode == 2
    assert done.stderr == (
        "./run: no such command: 'dril'.\nhint: valid are: drill verify diagnose test doctor soak down help\n"
    )


def test_an_unknown_slug_names_the_valid_ones_before_anything_is_set_up(place: Place) -> None:
    done = place.run("drill", "inference-gateway", "nonsense")
    assert done.returncode == 2
    assert "no drills for 'nonsense'" in done.stderr
    assert "valid are: all inference-gateway other-service" in done.stderr
    assert not (place.root / ".venv").exists()


def test_drill_alone_is_the_tour(docker: Place) -> None:
    docker.install("run")
    assert docker.run("drill").returncode == 0
    words = pytest_words(docker)
    assert words[:4] == ["-m", "pytest", "-m", "chaos"]
    assert "chaos/test_inference_gateway.py" in words
    assert "-k" in words


def test_slugs_become_files_and_the_rest_goes_to_pytest_as_it_is(docker: Place) -> None:
    docker.install("run")
    docker.run("drill", "other-service", "inference-gateway", "-k", "kill and not 'x'", "--yes", "-p", "a b")
    assert pytest_words(docker) == [
        *("-m", "pytest", "-m", "chaos", "chaos/test_other_service.py", "chaos/test_inference_gateway.py"),
        *("-k", "kill and not 'x'", "-p", "a b"),
    ]


def test_drill_all_is_the_folder(docker: Place) -> None:
    docker.install("run")
    docker.run("drill", "all")
    assert pytest_words(docker) == ["-m", "pytest", "-m", "chaos", "chaos"]


def test_pytest_s_exit_status_is_the_script_s(docker: Place) -> None:
    docker.install("run")
    docker.env["ENDS_WITH"] = "5"
    assert docker.run("drill", "all").returncode == 5


def test_a_failing_style_check_ends_the_tests_with_its_status(docker: Place) -> None:
    docker.install("dev")
    docker.env["ENDS_WITH"] = "3"
    done = docker.run("test")
    assert done.returncode == 3
    assert pytest_words(docker) == ["-m", "ruff", "check", "."]


def test_tests_are_style_types_and_pytest(docker: Place) -> None:
    docker.install("dev")
    docker.run("test", "-x", "tests/test_units.py")
    assert pytest_words(docker) == [
        *("-m", "ruff", "check", ".", "-m", "ruff", "format", "--check", ".", "-m", "mypy"),
        *("-m", "pytest", "-x", "tests/test_units.py"),
    ]


def test_verify_needs_no_docker_and_takes_a_name(place: Place) -> None:
    place.install("run")
    assert place.run("verify", "--target", "prod", "--wait", "5m").returncode == 0
    assert pytest_words(place) == ["-m", "pytest", "-m", "verify", "checks", "--target", "prod", "--wait", "5m"]


@pytest.mark.parametrize("form", ["two words", "one word"])
def test_a_target_file_is_meant_from_where_the_user_stands(place: Place, tmp_path: Path, form: str) -> None:
    place.install("run")
    file = tmp_path / "prod.toml"
    file.write_text("")
    place.run("verify", *(["--target", "prod.toml"] if form == "two words" else ["--target=prod.toml"]), cwd=tmp_path)
    assert str(file) in " ".join(pytest_words(place))


def test_the_second_time_nothing_is_installed(docker: Place) -> None:
    docker.install("run")
    docker.run("drill", "all")
    done = docker.run("drill", "all")
    assert done.stderr == ""
    assert not [call for call in docker.calls() if "pip" in call]


def test_a_changed_pyproject_is_installed_again(docker: Place) -> None:
    docker.install("run")
    (docker.root / ".venv" / "bin" / "pip").write_text("#!/bin/bash\n")
    (docker.root / ".venv" / "bin" / "pip").chmod(0o755)
    docker.add("python3", "exit 0")
    (docker.root / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert docker.run("drill", "all").returncode == 0
    assert pytest_words(docker)[:3] == ["-m", "pip", "install"]
    assert "name = 'other'" in (docker.root / ".venv" / "drillbook-run").read_text()


def test_a_moved_clone_is_installed_again(docker: Place) -> None:
    docker.install("run")
    (docker.root / ".venv" / "bin" / "pip").write_text("#!/bin/bash\n")
    (docker.root / ".venv" / "bin" / "pip").chmod(0o755)
    docker.add("python3", "exit 0")
    docker.root = docker.root.rename(docker.root.with_name("moved"))
    docker.run("drill", "all")
    assert "-m pip install" in " ".join(pytest_words(docker))


def test_a_pip_that_fails_leaves_no_stamp(docker: Place) -> None:
    docker.install("run")
    (docker.root / ".venv" / "bin" / "pip").write_text("#!/bin/bash\n")
    (docker.root / ".venv" / "bin" / "pip").chmod(0o755)
    docker.add("python3", "exit 0")
    docker.env["ENDS_WITH"] = "1"
    (docker.root / ".venv" / "drillbook-run").unlink()
    done = docker.run("drill", "all")
    assert done.returncode == 2
    assert "pip could not install drillbook's dependencies" in done.stderr
    assert not (docker.root / ".venv" / "drillbook-run").exists()


def test_a_python_that_is_too_old_is_told_with_what_is_needed(place: Place) -> None:
    place.add("python3", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    done = place.run("verify", "--target", "prod")
    assert done.returncode == 2
    assert done.stderr == (
        "./run: Python 3.11 or newer is needed, found Python 3.9.2.\n"
        "hint: install one so that python3.11, or a newer one, is in PATH\n"
    )


def test_no_docker_and_no_apt_is_one_error_with_what_to_do(place: Place) -> None:
    place.install("run")
    done = place.run("drill")
    assert done.returncode == 2
    assert done.stderr == (
        "./run: no Docker engine answers, and only on Debian and Ubuntu can it be installed from here.\n"
        "hint: install Docker Engine and start it; `docker version` must show a server\n"
    )
    assert pytest_words(place) == []


def test_a_docker_host_that_does_not_answer_is_never_replaced_by_an_engine_here(place: Place) -> None:
    place.install("run")
    place.add("docker", "exit 1")
    place.add("apt-get", "")
    place.env |= {"DOCKER_HOST": "tcp://build:2375", "CI": "true"}
    done = place.run("drill")
    assert done.returncode == 2
    assert "the Docker engine at tcp://build:2375 does not answer" in done.stderr
    assert "unset DOCKER_HOST" in done.stderr
    assert not [call for call in place.calls() if call.startswith("apt-get")]


def test_nothing_is_installed_unless_somebody_agreed(place: Place) -> None:
    place.install("run")
    place.add("id", 'if [ "$1" = -u ]; then echo 0; else echo root; fi')
    place.add("apt-get", "")
    done = place.run("drill")
    assert done.returncode == 2
    assert "drillbook needs to install docker.io docker-cli iptables debootstrap with apt-get" in done.stderr
    assert "./run --yes does it, or type: sudo apt-get install docker.io" in done.stderr
    assert not [call for call in place.calls() if call.startswith("apt-get")]


@pytest.mark.parametrize(("answer", "installs"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_it_asks_once_and_takes_only_yes_for_yes(bare: Place, answer: str, installs: bool) -> None:
    ours, terminal = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        done = bare.run("drill", "all", stdin=terminal)
    finally:
        os.close(ours)
        os.close(terminal)
        bare.run("down")
    assert done.returncode == (0 if installs else 2)
    assert done.stderr.count("Do it now? [y/N]") == 1
    assert any(call.startswith("apt-get install") for call in bare.calls()) is installs


def test_a_user_without_root_rights_gets_the_command_to_type(place: Place) -> None:
    place.install("run")
    place.add("id", 'if [ "$1" = -u ]; then echo 1000; else echo ann; fi')
    place.add("apt-get", "")
    done = place.run("--yes", "drill")
    assert done.returncode == 2
    assert "add ann to the group docker (its members can do what root can)" in done.stderr
    assert (
        "hint: sudo apt-get install docker.io docker-cli iptables debootstrap && sudo systemctl start docker"
        in done.stderr
    )


@pytest.fixture
def bare(place: Place) -> Place:
    """A Debian machine with root: apt-get brings an engine, which answers once it was started."""
    place.install("run")
    up = place.root.parent / "engine-is-up"
    client = f'#!/bin/bash\n[ -e "{up}" ] && echo unix:///var/run/docker.sock\n'
    daemon = f'#!/bin/bash\ntouch "{up}"\nexec sleep 300\n'
    brings = "".join(
        f"cat >'{place.programs / name}' <<'END'\n{text}END\nchmod +x '{place.programs / name}'\n"
        for name, text in (("docker", client), ("dockerd", daemon))
    )
    place.add("id", 'if [ "$1" = -u ]; then echo 0; else echo root; fi')
    place.add("apt-get", f'if [ "$1" = install ]; then {brings}fi')
    place.add("apt-cache", '[ "$2" != docker-cli ]')
    place.add("systemctl", f'if [ "$1" = start ]; then touch "{up}"; else rm -f "{up}"; fi')
    return place


def engine_pid(place: Place) -> int | None:
    started = place.root.parent / ".local/state/drillbook/docker-started"
    words = started.read_text().split() if started.exists() else []
    return int(words[2]) if words[:1] == ["dockerd"] else None


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_with_consent_docker_is_installed_started_and_stopped_by_down(bare: Place) -> None:
    done = bare.run("drill", "all", "--yes")
    pid = engine_pid(bare)
    try:
        assert done.returncode == 0, done.stderr
        assert pytest_words(bare) == ["-m", "pytest", "-m", "chaos", "chaos"]
        install = next(call for call in bare.calls() if call.startswith("apt-get install"))
        assert install.endswith("docker.io iptables debootstrap"), "packages that this release lacks are left out"
        assert pid is None or is_alive(pid)
        assert bare.run("down").returncode == 0
        assert pid is None or not is_alive(pid)
        assert not (bare.root.parent / ".local/state/drillbook/docker-started").exists()
    finally:
        if pid and is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_an_engine_that_was_up_is_not_stopped_by_down(docker: Place) -> None:
    docker.install("run")
    docker.add("systemctl", "")
    docker.run("drill", "all")
    assert docker.run("down").returncode == 0
    assert not [call for call in docker.calls() if call.startswith("systemctl")]


def test_ci_in_the_environment_agrees(bare: Place) -> None:
    bare.env["CI"] = "true"
    done = bare.run("drill", "all")
    bare.run("down")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", ["run", ".ci/run"])
def test_the_scripts_pass_shellcheck(script: str) -> None:
    done = subprocess.run(["shellcheck", str(ROOT / script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
