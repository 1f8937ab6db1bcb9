import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from drillbook.replica.ownership import LEASE, OWNER_LABEL, RUN_LABEL, Owner, is_abandoned, new_run_id

NOW = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)


def labels(owner: Owner) -> dict[str, str]:
    return {RUN_LABEL: "abc", OWNER_LABEL: owner.label}


def test_an_owner_survives_its_label() -> None:
    me = Owner.me()
    assert Owner.parse(me.label) == me
    assert me.pid == os.getpid()


def test_this_process_is_alive() -> None:
    assert Owner.me().is_alive() is True
    assert not is_abandoned(labels(Owner.me()), NOW - 10 * LEASE, NOW)


def test_a_process_that_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = Owner(process.pid, *(Owner.me().started, Owner.me().space))
        process.communicate(b"\n")
    assert owner.is_alive() is False
    assert is_abandoned(labels(owner), NOW, NOW)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    me = Owner.me()
    assert Owner(me.pid, "1", me.space).is_alive() is False


def test_an_owner_elsewhere_has_a_lease() -> None:
    owner = Owner(1, "1", "another-boot/pid:[1]")
    assert owner.is_alive() is None
    assert not is_abandoned(labels(owner), NOW - LEASE + timedelta(minutes=1), NOW)
    assert is_abandoned(labels(owner), NOW - LEASE - timedelta(minutes=1), NOW)


def test_an_unreadable_owner_has_a_lease_too() -> None:
    assert Owner.parse("what is this") is None
    assert not is_abandoned({RUN_LABEL: "abc"}, NOW, NOW)
    assert is_abandoned({RUN_LABEL: "abc", OWNER_LABEL: "x"}, NOW - 2 * LEASE, NOW)


def test_what_drillbook_did_not_make_is_never_abandoned() -> None:
    assert not is_abandoned({"com.example": "x"}, NOW - 100 * LEASE, NOW)


def test_run_ids_differ() -> None:
    assert len({new_run_id() for _ in range(100)}) == 100
