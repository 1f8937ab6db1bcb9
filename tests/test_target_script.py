"""The text that goes to the shell, as far as it can be judged without one."""

import signal
import subprocess
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.target import script


@pytest.mark.parametrize("leader", [1, 0, -1])
def test_process_one_and_process_groups_of_everybody_are_never_killed(leader: int) -> None:
    with pytest.raises(ValueError, match="never a command's"):
        script.kill_group(leader, 10, "4711", bash=True)


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("same", [True, False])
def test_a_command_is_killed_only_where_the_shell_of_the_session_is(shell: str, same: bool) -> None:
    with subprocess.Popen(["sleep", "60"]) as other, subprocess.Popen(["sleep", "60"], start_new_session=True) as hangs:
        try:
            started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
            text = script.kill_group(hangs.pid, other.pid, started if same else f"{started}1", bash=True)
            said = subprocess.run([shell], input=text, capture_output=True, text=True, timeout=20, check=True).stdout
            assert said.split() == (["KILLED"] if same else ["KILLED", "elsewhere"])
            assert other.poll() is None
            assert hangs.wait(5) == -signal.SIGKILL if same else hangs.poll() is None
        finally:
            other.kill()
            hangs.kill()


@pytest.mark.parametrize("name", ["A B", "1A", "A;reboot", "", "A=B", "é"])
def test_a_variable_that_is_no_shell_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected a name of letters, digits and _"):
        script.for_bash("n", "true", {name: "x"})


def test_no_argument_of_a_plain_sh_is_longer_than_linux_allows() -> None:
    words = script.for_sh("n", "x" * 200_000, {}).split()
    assert max(len(word) for word in words) < 128 * 1024
