"""The DMARC dashboard's database: is it really back, and if not, which cause does its runbook name?"""

import json
import re

import pytest

from drillbook.evidence import expect

RUNNING = "diagnosis/step-1-is-it-running#1"
REACHED = "diagnosis/step-2-can-it-be-reached#1"
ROOM = "diagnosis/step-3-is-there-room#1"
STOPPED = "resolution/scenario-1-database-stopped"
CUT_OFF = "resolution/scenario-2-cut-off-or-its-name-is-lost"
SESSIONS = "resolution/scenario-3-no-sessions-left"
PASSWORD = "resolution/scenario-4-password-refused"  # noqa: S105 (a scenario's id)
DISK = "resolution/scenario-5-disk-full"
VERIFICATION = "verification"

BACKLOG = 2


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.1")
def test_service_says_that_it_is_connected(runs):
    """The service says in its body that it is connected to the database, whatever its code is."""
    answer = runs(f"{VERIFICATION}#1.1")
    expect(answer.exit_status == 0, '"database": "connected"', answer.out or answer.err or "nothing of the kind")


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.2")
def test_domains_are_listed(runs):
    """The API lists domains, each with its reports counted."""
    answer = runs(f"{VERIFICATION}#1.2")
    expect(answer.exit_status == 0, "a list of domains", answer.err or answer.out or "nothing")
    uncounted = [domain for domain in json.loads(answer.out) if domain["report_count"] < 1]
    expect(not uncounted, "at least one report of each domain that is listed", uncounted)


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}#1.3")
def test_the_reports_that_waited_come_out(runs):
    """Nothing piles up in the queue."""
    answer = runs(f"{VERIFICATION}#1.3")
    expect(answer.exit_status == 0, "the length of the queue", answer.err or answer.out)
    expect(int(answer.out) <= BACKLOG, f"at most {BACKLOG} tasks that wait", answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{RUNNING}.1", f"{RUNNING}.3", f"{STOPPED}#1.2", f"{SESSIONS}#3.2", f"{DISK}#1.4")
def test_database_accepts_connections(runs):
    """The database's container is up, and the database accepts connections."""
    container = runs(f"{RUNNING}.1")
    expect(re.search(r"\bUp\b", container.out), "db up", container.out or container.err)
    answer = runs(f"{RUNNING}.3")
    expect("accepting connections" in answer.out, "accepting connections", answer.out or answer.err)


@pytest.mark.verify
@pytest.mark.covers(f"{CUT_OFF}#1.3", f"{CUT_OFF}#1.2")
def test_its_name_resolves(runs):
    """The backend looks the database's name up and gets an address."""
    answer = runs(f"{CUT_OFF}#1.3")
    expect(answer.exit_status == 0 and answer.out.split(), "an address for db", answer.err or "none")


@pytest.mark.verify
@pytest.mark.covers(f"{ROOM}.3")
def test_its_disk_has_room(runs):
    """The database's disk is less than 95 % full."""
    answer = runs(f"{ROOM}.3")
    used = re.search(r"(\d+)%", answer.out)
    expect(used and int(used[1]) < 95, "less than 95 % in use", answer.out or answer.err)


@pytest.mark.verify(writes=True)
@pytest.mark.covers(f"{VERIFICATION}#2")
def test_a_report_comes_out(dmarc_report_comes_out):
    """A report that is handed in now is processed, and its domain counts one more in /api/domains."""
    dmarc_report_comes_out()


@pytest.mark.diagnose
@pytest.mark.covers(STOPPED)
def test_database_runs(transcript):
    """The database's container is up, unless it is its disk that keeps it down."""
    transcript.told(f"{RUNNING}.1")
    line = transcript.find(r"^dmarc-db\s", among=[f"{RUNNING}.1"]) or "no container"
    expect(re.search(r"\bUp\b", line) or full_disk(transcript), "db up", line)


@pytest.mark.diagnose
@pytest.mark.covers(CUT_OFF)
def test_database_is_in_reach(transcript):
    """A database that runs is attached to a network under its name."""
    if not re.search(r"\bUp\b", transcript[f"{RUNNING}.1"].out):
        return  # a container that is down is in no network
    transcript.told(f"{REACHED}.2")
    networks = transcript[f"{REACHED}.2"].out.strip()
    expect(networks, "a network that db is attached to", "db is attached to no network")
    name = transcript[f"{REACHED}.1"]
    expect(name.exit_status == 0, "an address for db", name.err or f"none; attached to {networks}")


@pytest.mark.diagnose
@pytest.mark.covers(SESSIONS)
def test_sessions_are_left(transcript):
    """A session can be opened: none is refused for want of room."""
    transcript.told(f"{REACHED}.3")
    refused = transcript.find(
        r"too many clients|connection slots are reserved|too many connections", among=[f"{REACHED}.3"]
    )
    expect(not refused, "a session for the backend", refused)


@pytest.mark.diagnose
@pytest.mark.covers(PASSWORD)
def test_password_is_taken(transcript):
    """The database takes the password that the services have."""
    transcript.told(f"{REACHED}.3")
    refused = transcript.find(r"password authentication failed", among=[f"{REACHED}.3"])
    expect(not refused, "a password that is taken", refused)


@pytest.mark.diagnose
@pytest.mark.covers(DISK)
def test_disk_is_not_full(transcript):
    """There is room on the database's disk."""
    transcript.told(f"{ROOM}.3")
    full = full_disk(transcript)
    expect(not full, "room on the database's disk", full)


def full_disk(transcript):
    """Return the line that says that nothing is left on the database's disk, or None."""
    return transcript.find(r"\s100%\s", among=[f"{ROOM}.3"])
