"""The client's record and what it says about the impact."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.client import Call, Client, failed_again, impact
from drillbook.clock import SystemClock
from drillbook.replica import Reply
from drillbook.site import Slo

NINES = Slo(0.999, 30 * 86400.0)


def calls(*answers: bool) -> list[Call]:
    return [Call(float(second), 0.01, ok) for second, ok in enumerate(answers)]


def test_failures_are_counted_between_fault_and_restoration_only():
    felt = impact(calls(False, True, False, False, True, False), 1.0, 4.0, NINES)
    assert (felt.requests, felt.failed, felt.failed_ratio) == (4, 2, 0.5)


def test_down_lasts_from_the_first_failure_to_the_first_answer_after_the_last():
    assert impact(calls(True, False, True, False, True), 0.0, 4.0, NINES).down_s == 3.0


def test_a_system_can_be_half_down():
    looks = [(True, True), (False, True), (False, None), (False, False), (True, True)]
    felt = impact(
        [
            Call(float(at_s), 0.01, False, parts={"site": site} | ({} if orders is None else {"orders": orders}))
            for at_s, (site, orders) in enumerate(looks)
        ],
        0.0,
        4.0,
        NINES,
    )
    assert felt.down_by_s == {"site": 3.0, "orders": 1.0}, "a part that a request did not come to says nothing"


def test_the_error_budget_counts_production_seconds():
    felt = impact(calls(False, False, True), 0.0, 2.0, NINES, compressed_s=58.0)
    assert felt.budget_ratio == pytest.approx(60.0 * (2 / 3) / 2592.0)


def test_nothing_failed_costs_nothing_although_waits_were_compressed():
    assert impact(calls(True, True), 0.0, 1.0, NINES, compressed_s=100.0).budget_ratio == 0.0


@given(st.lists(st.booleans(), max_size=30), st.floats(0, 20), st.floats(0, 20))
def test_ratios_stay_ratios(answers, begin_s, more_s):
    felt = impact(calls(*answers), begin_s, begin_s + more_s, NINES)
    assert 0.0 <= felt.failed_ratio <= 1.0
    assert 0 <= felt.failed <= felt.requests
    assert felt.down_s >= 0.0


def test_a_client_calls_until_it_is_stopped():
    asked = threading.Event()

    def ask(key: str) -> Reply:
        asked.set()
        return Reply(served=True, accepted=f"content of {key}")

    client = Client(ask, SystemClock())
    client.start(every_s=0.001)
    assert asked.wait(5)
    client.stop()
    client.stop()
    count = len(client.calls)
    assert count
    assert all(call.ok for call in client.calls)
    assert len(client.calls) == count


def test_each_request_hands_in_a_piece_of_its_own_those_made_aside_too():
    client = Client(lambda key: Reply(served=True, accepted=f"content of {key}"), SystemClock())
    client.start(every_s=0.001)
    assert all(client.ask() for _ in range(20))
    client.stop()
    made = [*client.calls, *client.asides]
    assert len(client.asides) == 20
    assert len({call.key for call in made}) == len(made) > 20
    assert all(call.accepted == f"content of {call.key}" for call in made)


def test_a_broken_request_function_is_told_and_not_swallowed():
    client = Client(lambda key: Reply(served=1 / 0 > 0), SystemClock())
    client.start(every_s=0.1)
    with pytest.raises(ZeroDivisionError):
        client.stop()


def test_two_failures_in_a_row_are_an_outage_and_one_is_chance():
    assert failed_again(calls(False, False, True, False, True), 2.0) == 0
    assert failed_again(calls(True, True, False, False, False, True), 1.0) == 2


def test_every_other_failure_is_an_outage_too():
    assert failed_again(calls(*([True, False] * 3)), 0.0) == 3
    assert failed_again(calls(*([True] * 30 + [False]) * 3), 0.0) == 0
