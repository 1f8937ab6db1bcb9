"""The account of accepted work, from hand-written records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.client import Call
from drillbook.replica import Holdings
from drillbook.work import Look, Loss, reconcile

FLUSH, RESTART = "scenario-4#1.5", "scenario-4#1.3"


def handed_in(*keys: str, at_s: float = 0.0) -> list[Call]:
    return [Call(at_s, 0.1, ok=True, key=key, accepted=f"content of {key}") for key in keys]


def look(at_s, done=(), waiting=(), after="", unread=()):
    return Look(at_s, Holdings({key: [f"content of {key}"] for key in done}, frozenset(waiting), tuple(unread)), after)


def test_what_is_there_with_its_content_is_done():
    work = reconcile(handed_in("a", "b"), [look(9.0, done="ab")])
    assert (work.accepted, work.done, work.lost, work.is_at_rest) == (2, 2, 0, True)


def test_what_was_not_acknowledged_need_not_be_there_and_may_be():
    refused = Call(1.0, 0.1, ok=False, key="b")
    assert reconcile([*handed_in("a"), refused], [look(9.0, done="ab")]) == reconcile(
        [*handed_in("a"), refused], [look(9.0, done="a")]
    )


def test_what_waits_is_neither_done_nor_lost():
    work = reconcile(handed_in("a", "b"), [look(9.0, done="a", waiting="b")])
    assert (work.done, work.waiting, work.lost, work.is_at_rest) == (1, ("b",), 0, False)


def test_done_and_queued_again_counts_as_done():
    assert reconcile(handed_in("a"), [look(9.0, done="a", waiting="a")]).is_at_rest


def test_a_loss_is_laid_to_the_command_between_seen_and_missed():
    looks = [look(1.0, waiting="ab"), look(2.0, waiting="ab", after=RESTART), look(3.0, done="a", after=FLUSH)]
    assert reconcile(handed_in("a", "b"), [*looks, look(9.0, done="a")]).losses == (Loss(("b",), (FLUSH,)),)


def test_a_loss_is_laid_to_all_that_ran_while_a_store_could_not_be_read():
    looks = [look(1.0, waiting="a"), look(2.0, after=FLUSH, unread=["redis"]), look(3.0, after=RESTART)]
    assert reconcile(handed_in("a"), [*looks, look(9.0)]).losses == (Loss(("a",), (FLUSH, RESTART)),)


def test_what_was_missing_before_any_command_ran_was_lost_by_the_fault():
    looks = [look(1.0), look(2.0, after=FLUSH)]
    assert reconcile(handed_in("a"), [*looks, look(9.0)]).losses == (Loss(("a",), ()),)


def test_a_loss_is_laid_to_all_that_ran_while_the_answer_was_on_its_way():
    """The queue was flushed after the piece was in it and before the client heard so."""
    slow = Call(5.0, 2.0, ok=False, key="a", accepted="content of a")
    looks = [look(1.0, after=RESTART), look(6.0, after=FLUSH), look(8.0, after="scenario-4#1.6")]
    assert reconcile([slow], [*looks, look(9.0)]).losses == (Loss(("a",), (FLUSH, "scenario-4#1.6")),)


def test_a_command_is_not_blamed_for_what_was_accepted_after_it():
    looks = [look(1.0, after=RESTART), look(6.0, after=FLUSH)]
    assert reconcile(handed_in("a", at_s=5.0), [*looks, look(9.0)]).losses == (Loss(("a",), (FLUSH,)),)


def test_what_was_accepted_while_a_look_was_taken_is_not_missed_by_it():
    """The command before the look may have taken it, and so may the one behind it."""
    during = handed_in("a", at_s=1.95)
    looks = [look(2.0, after=RESTART), look(3.0, after=FLUSH), look(4.0, after="scenario-4#1.6"), look(9.0)]
    assert reconcile(during, looks).losses == (Loss(("a",), (RESTART, FLUSH)),)


def test_twice_is_told_and_so_is_other_content():
    holdings = Holdings({"a": ["content of a", "content of a"], "b": ["content of c"]})
    work = reconcile(handed_in("a", "b"), [Look(9.0, holdings)])
    assert (work.duplicated, work.wrong, work.done) == (("a",), ("b",), 1)


def test_nothing_is_lost_while_a_store_cannot_be_read():
    work = reconcile(handed_in("a", "b"), [look(1.0, done="a", waiting="b"), look(9.0, done="a", unread=["redis"])])
    assert (work.losses, work.unseen, work.unread, work.is_at_rest) == ((), ("b",), ("redis",), False)


def test_without_a_look_nothing_is_said():
    with pytest.raises(ValueError, match="look"):
        reconcile(handed_in("a"), [])


KEYS = st.sets(st.sampled_from("abcdefgh"))


@given(KEYS, st.lists(st.tuples(KEYS, KEYS, st.booleans()), min_size=1, max_size=5))
def test_each_accepted_piece_is_accounted_for_once(keys, seen):
    looks = [
        look(float(number), done, waiting, f"c{number}", ["redis"] if unread else [])
        for number, (done, waiting, unread) in enumerate(seen)
    ]
    work = reconcile(handed_in(*sorted(keys)), looks)
    assert work.done + len(work.waiting) + work.lost + len(work.unseen) == work.accepted == len(keys)
