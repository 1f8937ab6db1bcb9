"""The transcript and what checks say."""

import pytest

from drillbook.errors import TargetUnreachable
from drillbook.evidence import Checked, Finding, Record, Transcript, expect
from drillbook.outcome import Outcome

SEEN = Record("look#1.1", "dmesg", "dmesg", 0, "first\noom-kill: shop\n", "warning\n")
SKIPPED = Record("look#1.2", "top", "", None, skipped="no value for <pid>")


def test_a_line_is_found_in_both_streams():
    transcript = Transcript([SEEN])
    assert transcript.find("oom-kill") == "oom-kill: shop"
    assert transcript.find("^warn") == "warning"
    assert transcript.find("absent") is None


def test_looking_among_commands_that_were_not_run_is_unknown_and_not_green():
    with pytest.raises(TargetUnreachable, match="no value for <pid>"):
        Transcript([SEEN, SKIPPED]).find("oom", among=["look#1.2"])
    with pytest.raises(TargetUnreachable, match="not in the transcript"):
        Transcript([SEEN])["look#9.9"]


def test_the_last_record_of_a_command_counts():
    again = Record("look#1.1", "dmesg", "dmesg", 0, "second")
    assert Transcript([SEEN, again])["look#1.1"] is again


@pytest.mark.parametrize(
    "said",
    [
        "cat: /var/log/shop.log: No such file or directory",
        "tail: cannot open '/var/log/shop.log' for reading: Permission denied",
        "bash: line 1: /var/log/shop.log: Permission denied",
        "dmesg: read kernel buffer failed: Operation not permitted",
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ],
)
def test_a_command_that_was_not_let_at_what_it_should_read_did_not_find_nothing(said: str):
    looked = Transcript([Record("look#1.1", "cat /var/log/shop.log", "cat /var/log/shop.log", 1, "", said + "\n")])
    with pytest.raises(TargetUnreachable, match="could not look"):
        looked.find("oom", among=["look#1.1"])


@pytest.mark.parametrize(
    "said",
    [
        'Error from server (Forbidden): nodes is forbidden: User "dev" cannot list resource "nodes"',
        'Error from server (Forbidden): pods "web-0" is forbidden: User "dev" cannot create resource "pods/exec"',
        "error: You must be logged in to the server (Unauthorized)",
        "error: unable to upgrade connection: Forbidden (user=dev, verb=create, resource=nodes, subresource=proxy)",
        "Unable to connect to the server: getting credentials: exec: executable aws failed with exit code 255",
    ],
)
@pytest.mark.parametrize("exit_status", [1, 0])
def test_whom_a_cluster_does_not_let_look_has_seen_nothing(said: str, exit_status: int):
    command = "kubectl describe nodes | tail" if not exit_status else "kubectl describe nodes"
    looked = Transcript([Record("look#1.1", command, command, exit_status, "", said + "\n")])
    with pytest.raises(TargetUnreachable, match=r"was refused: (Error|error|Unable)"):
        looked["look#1.1"]
    with pytest.raises(TargetUnreachable, match="was refused"):
        looked.find("NotReady", among=["look#1.1"])
    into_one = Transcript([Record("look#1.1", command, f"{command} 2>&1", exit_status, said + "\n")])
    with pytest.raises(TargetUnreachable, match="was refused"):
        into_one["look#1.1"]


def test_what_a_cluster_shows_in_part_may_lack_what_was_looked_for():
    said = 'Error from server (Forbidden): persistentvolumes is forbidden: User "dev" cannot list resource'
    part = Transcript([Record("look#1.1", "kubectl get pv,pvc", "kubectl get pv,pvc", 1, "data-0   Bound\n", said)])
    assert part["look#1.1"].out == "data-0   Bound\n"
    assert part.find("Bound", among=["look#1.1"])
    with pytest.raises(TargetUnreachable, match="was refused in part"):
        part.find("Pending", among=["look#1.1"])


@pytest.mark.parametrize(
    "said",
    [
        "",
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
        'psql: error: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
        "Error response from daemon: container 4f is not running",
        "ls: cannot access 'backup.dump': No such file or directory",
    ],
)
def test_what_a_command_says_of_a_system_that_is_down_is_evidence(said: str):
    looked = Transcript([Record("look#1.1", "psql", "psql", 2, "", said)])
    assert looked.find("too many clients", among=["look#1.1"]) is None


def test_what_was_not_kept_may_hold_what_was_looked_for():
    cut = Transcript([Record("look#1.1", "dmesg", "dmesg", 0, "first\nlast", dropped_bytes=10)])
    assert cut.find("last", among=["look#1.1"]) == "last"
    for among in (["look#1.1"], []):
        with pytest.raises(TargetUnreachable, match="10 bytes more than are kept"):
            cut.find("oom", among=among)
    with pytest.raises(TargetUnreachable, match="not all that it said is known"):
        cut["look#1.1"]


def test_a_finding_says_what_was_expected_and_seen():
    expect(True, "a sale", "nothing")
    with pytest.raises(Finding) as found:
        expect([], "a sale", "nothing", "call the shop")
    assert (found.value.expected, found.value.seen, found.value.hint) == ("a sale", "nothing", "call the shop")
    assert str(found.value) == "expected a sale; saw nothing"


@pytest.mark.parametrize(
    ("outcome", "green"),
    [(Outcome.PASSED, True), (Outcome.NOT_CHECKED, True), (Outcome.FAILED, False), (Outcome.UNKNOWN, False)],
)
def test_only_what_passed_or_was_not_asked_is_green(outcome, green):
    assert Checked("test_x", "verify", "X.", outcome=outcome).is_green is green


def test_silence_where_a_command_has_no_output_is_unknown_and_not_green():
    with pytest.raises(TargetUnreachable, match="no value for <pid>"):
        Transcript([SEEN, SKIPPED]).find("absent")
    assert Transcript([SEEN, SKIPPED]).find("oom-kill") == "oom-kill: shop"


def test_a_container_that_ends_while_a_program_is_started_in_it_is_no_program_that_is_missing():
    said = (
        "OCI runtime exec failed: exec failed: unable to start container process: error executing setns process: "
        "exit status 1: unknown"
    )
    ended = Record("look#1.1", "docker exec shop python check", "docker exec shop python check", 126, "", said)
    assert Transcript([ended])["look#1.1"] is ended


def test_a_program_that_is_not_there_has_no_output():
    missing = Record("look#1.1", "lsof -i", "lsof -i", 127, "", "bash: lsof: command not found")
    with pytest.raises(TargetUnreachable, match="lsof: command not found"):
        Transcript([missing])["look#1.1"]


@pytest.mark.parametrize(
    "record",
    [
        Record("look#1.1", "git log", "git log", 128, "", "fatal: not a git repository"),
        Record("look#1.1", "dmesg | tail", "dmesg | tail", 0, "", "dmesg: read kernel buffer failed"),
    ],
    ids=["exit-status", "behind-a-pipe"],
)
def test_a_command_that_failed_has_told_nothing(record):
    with pytest.raises(TargetUnreachable, match="failed with exit status"):
        Transcript([record]).told("look#1.1")
    assert Transcript([SEEN]).told("look#1.1") is SEEN
