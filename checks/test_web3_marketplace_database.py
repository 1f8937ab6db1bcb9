"""The marketplace's database: is it really back, and if not, which cause does its runbook name?"""

import json
import re

import pytest

from drillbook.evidence import expect

THERE = "diagnosis/step-1-is-it-there#1"
GETS_IN = "diagnosis/step-2-does-the-backend-get-in#1"
ROOM = "diagnosis/step-3-is-there-room-and-does-the-standby-follow#1"
NO_POD = "resolution/scenario-1-it-has-no-pod"
POLICY = "resolution/scenario-2-a-network-policy-shuts-it-off"
SESSIONS = "resolution/scenario-3-no-sessions-left"
PASSWORD = "resolution/scenario-4-the-password-is-refused"  # noqa: S105 (a scenario's id)
DISK = "resolution/scenario-5-its-disk-is-full"
STANDBY = "resolution/scenario-6-the-standby-does-not-follow"
VERIFICATION = "verification#1"

IN_REPOSITORY = {"postgres-primary-ingress", "redis-master-ingress"}
LAG_BYTES = 65536
"""An order writes some 2 kB of log; a standby that is well is behind by one or two of them."""


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}.1")
def test_api_says_that_it_is_connected(runs):
    """The API answers 200, with its database connected."""
    answer = runs(f"{VERIFICATION}.1")
    expect(answer.exit_status == 0, "HTTP 200 from the API", answer.err or answer.out)
    expect(json.loads(answer.out)["database"] == "connected", "database connected", answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}.2")
def test_listings_come_out(runs):
    """The API lists what is in the database."""
    answer = runs(f"{VERIFICATION}.2")
    expect(answer.exit_status == 0, "at least one listing", answer.err or answer.out or "none")


@pytest.mark.verify
@pytest.mark.covers(f"{VERIFICATION}.3")
def test_orders_are_settled(runs):
    """No accepted order waits for longer than 10 seconds."""
    answer = runs(f"{VERIFICATION}.3")
    expect(answer.exit_status == 0 and answer.out.strip() == "0", "0 orders that wait", answer.err or answer.out)


@pytest.mark.verify
@pytest.mark.covers(f"{THERE}.1")
def test_database_and_standby_have_their_pods(runs):
    """Both StatefulSets have the one pod that they should have, ready."""
    said = runs(f"{THERE}.1")
    for name in ("postgres-primary", "postgres-replica"):
        expect(re.search(rf"^{name}\s+1/1\s", said.out, re.MULTILINE), f"{name} 1/1", said.out or said.err)


@pytest.mark.verify
@pytest.mark.covers(f"{GETS_IN}.1", f"{POLICY}#1.2")
def test_backend_gets_in(runs):
    """The backend's own login works."""
    answer = runs(f"{GETS_IN}.1")
    expect(answer.exit_status == 0 and answer.out.strip() == "1", "1 for SELECT 1", answer.err or "no answer in time")


@pytest.mark.verify
@pytest.mark.covers(f"{ROOM}.2", f"{ROOM}.3", f"{STANDBY}#1.2")
def test_room_and_standby(runs):
    """Its disk is less than 95 % full, and the standby applies what it is sent."""
    disk = runs(f"{ROOM}.2")
    used = re.search(r"(\d+)%", disk.out)
    expect(used and int(used[1]) < 95, "less than 95 % in use", disk.out or disk.err)
    standby = runs(f"{ROOM}.3")
    expect("streaming" in standby.out, "a standby that is streaming", standby.out or standby.err or "none")
    expect(bytes_behind(standby) < LAG_BYTES, f"less than {LAG_BYTES} bytes behind", standby.out)


@pytest.mark.diagnose
@pytest.mark.covers(NO_POD)
def test_database_has_its_pod(transcript):
    """The StatefulSet of the database wants a pod."""
    said = transcript.told(f"{THERE}.1")
    line = transcript.find(r"^postgres-primary\s", among=[f"{THERE}.1"])
    expect(line and not re.search(r"\s0/0\s", line), "a pod for postgres-primary", line or said.out)


@pytest.mark.diagnose
@pytest.mark.covers(POLICY)
def test_policies_are_the_repositorys(transcript):
    """There is no network policy that the repository does not have."""
    strange = strange_policies(transcript)
    expect(not strange, "the two policies of the repository", "\n".join(strange))


@pytest.mark.diagnose
@pytest.mark.covers(SESSIONS)
def test_sessions_are_left(transcript):
    """A session can be opened: none is refused for want of room."""
    refused = transcript.find(r"too many clients|connection slots|too many connections", among=[f"{GETS_IN}.1"])
    expect(not refused, "a session for the backend", refused)


@pytest.mark.diagnose
@pytest.mark.covers(PASSWORD)
def test_password_is_taken(transcript):
    """The database takes the backend's password."""
    refused = transcript.find(r"password authentication failed", among=[f"{GETS_IN}.1"])
    expect(not refused, "a password that is taken", refused)


@pytest.mark.diagnose
@pytest.mark.covers(DISK)
def test_disk_is_not_full(transcript):
    """There is room on the database's disk, and its log does not say otherwise."""
    full = transcript.find(r"\s100%\s", among=[f"{ROOM}.2"]) or transcript.find(
        r"No space left on device", among=[f"{THERE}.3"]
    )
    expect(not full, "room on the database's disk", full)


@pytest.mark.diagnose
@pytest.mark.covers(STANDBY)
def test_standby_follows(transcript):
    """What was sent to the standby is applied by it, as far as the database can be asked, and nobody shuts it off."""
    if any(re.search(r"\s(?:app=postgres-primary|<none>)\s", row) for row in strange_policies(transcript)):
        return  # what keeps the backend out keeps the standby out, too
    standby = transcript[f"{ROOM}.3"]
    if standby.exit_status:
        return
    expect("streaming" in standby.out, "a standby that is streaming", standby.out or "none")
    behind = bytes_behind(standby)
    expect(behind < LAG_BYTES, f"less than {LAG_BYTES} bytes behind", f"{behind} bytes")


def strange_policies(transcript):
    """Return the rows of policies that the repository does not have."""
    said = transcript[f"{GETS_IN}.2"]
    if "No resources found" not in said.err:
        said = transcript.told(f"{GETS_IN}.2")
    return [row for row in said.out.splitlines()[1:] if row.split()[0] not in IN_REPOSITORY]


def bytes_behind(answer):
    """Return the most that a standby has received and not applied, in bytes; 0 where there is none."""
    return max([0, *(int(figure) for figure in re.findall(r"\|(\d+)$", answer.out, re.MULTILINE))])
