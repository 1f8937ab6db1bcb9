"""What a run amounts to: FAILED beats UNKNOWN beats NOT COVERED beats PASSED, and nothing is green by omission."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.outcome import Outcome
from drillbook.verdict import combine, deciding_checks, interrupted_at, never_red, outcome_of, verdict_of

NOW = datetime(2026, 1, 31, 3, 14, 7, tzinfo=UTC)
OUTCOMES = st.sampled_from(list(Outcome))
ORDER = [Outcome.NOT_CHECKED, Outcome.PASSED, Outcome.NOT_COVERED, Outcome.UNKNOWN, Outcome.FAILED]


def check(item: str, outcome: str = "PASSED", round_: int = 1, **more: Any) -> dict[str, Any]:
    event = {"kind": "check", "job": "verify", "item": item, "outcome": outcome, "round": round_, "during": "target"}
    return event | {"utc": "2026-01-31T03:14:07.000Z", "at_s": 10.0 * round_} | more


def rounds(*outcomes: dict[str, str]) -> list[dict[str, Any]]:
    return [check(item, outcome, n) for n, each in enumerate(outcomes, 1) for item, outcome in each.items()]


def drill(name: str, outcome: str | None, *reasons: str) -> list[dict[str, Any]]:
    begin = {"kind": "drill.begin", "drill": name}
    end = {"kind": "drill.end", "drill": name, "outcome": outcome, "reasons": list(reasons)}
    return [begin, {"kind": "phase.begin", "drill": name, "phase": "recover"}] if outcome is None else [begin, end]


NINE = {f"test_{number}": "PASSED" for number in range(9)}
END = {"kind": "run.end", "utc": "2026-01-31T03:14:07.000Z", "exit_status": 0}


@given(OUTCOMES, OUTCOMES, OUTCOMES)
def test_combining_is_associative(one: Outcome, two: Outcome, three: Outcome) -> None:
    assert combine([combine([one, two]), three]) == combine([one, combine([two, three])]) == combine([one, two, three])


@given(st.lists(OUTCOMES), st.randoms())
def test_combining_is_commutative(outcomes: list[Outcome], random: Any) -> None:
    shuffled = random.sample(outcomes, len(outcomes))
    assert combine(shuffled) == combine(outcomes)


@given(st.lists(OUTCOMES), OUTCOMES)
def test_one_more_outcome_never_makes_it_better(outcomes: list[Outcome], more: Outcome) -> None:
    assert ORDER.index(combine([*outcomes, more])) >= ORDER.index(combine(outcomes))


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["PASSED", "FAILED", "UNKNOWN", "NOT COVERED"], Outcome.FAILED),
        (["PASSED", "UNKNOWN", "NOT COVERED"], Outcome.UNKNOWN),
        (["PASSED", "ERROR", "NOT COVERED"], Outcome.UNKNOWN),
        (["PASSED", "NOT COVERED", "NOT CHECKED"], Outcome.NOT_COVERED),
        (["PASSED", "NOT CHECKED"], Outcome.PASSED),
        ([], Outcome.NOT_CHECKED),
    ],
)
def test_the_gravest_outcome_wins(outcomes: list[str], expected: Outcome) -> None:
    assert combine(Outcome(each) for each in outcomes) is expected


def test_an_outcome_that_nobody_knows_is_unknown() -> None:
    assert outcome_of("GREEN") is outcome_of(None) is Outcome.UNKNOWN


def test_all_green_in_two_rounds_is_verified() -> None:
    verdict = verdict_of(rounds(NINE, NINE), NOW)
    assert verdict.words == "Verified at 03:14:07 UTC: 9 of 9 checks green in 2 rounds."
    assert (verdict.outcome, verdict.rounds, verdict.held_s, verdict.reasons) == (Outcome.PASSED, 2, 10.0, ())


def test_green_once_is_not_verified() -> None:
    verdict = verdict_of(rounds(NINE), NOW)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "in one round only" in verdict.words


def test_red_checks_are_named() -> None:
    red = {**NINE, "test_3": "FAILED", "test_5": "FAILED"}
    verdict = verdict_of([*rounds(NINE, red), check("test_w", "NOT CHECKED", 2)], NOW)
    assert verdict.words == "NOT verified at 03:14:07 UTC: 2 of 9 checks red: test_3, test_5, 1 not checked."
    assert verdict.outcome is Outcome.FAILED
    assert (verdict.checks.ran, verdict.checks.total, verdict.rounds) == (9, 10, 0)


def test_what_was_not_checked_is_said() -> None:
    green = {**NINE, "test_writes": "NOT CHECKED"}
    words = verdict_of(rounds(green, green), NOW).words
    assert words == "Verified at 03:14:07 UTC: 9 of 9 checks green in 2 rounds, 1 not checked."


@pytest.mark.parametrize("outcome", ["UNKNOWN", "ERROR", "something else"])
def test_what_could_not_be_judged_is_unknown(outcome: str) -> None:
    verdict = verdict_of(rounds(NINE, {**NINE, "test_2": outcome}), NOW)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.words.startswith("UNKNOWN at 03:14:07 UTC: 1 of 9 checks could not be judged: test_2; 8 green")


def test_a_red_round_before_the_window_does_not_count() -> None:
    verdict = verdict_of(rounds({**NINE, "test_1": "FAILED"}, NINE, NINE, NINE), NOW)
    assert (verdict.outcome, verdict.rounds, verdict.held_s) == (Outcome.PASSED, 3, 20.0)


def test_a_red_round_in_the_window_breaks_it() -> None:
    verdict = verdict_of(rounds(NINE, NINE, {**NINE, "test_1": "FAILED"}), NOW)
    assert (verdict.outcome, verdict.rounds, verdict.held_s) == (Outcome.FAILED, 0, None)


def test_nothing_checked_proves_nothing() -> None:
    assert verdict_of([], NOW).outcome is Outcome.UNKNOWN
    assert "none of 1 checks was run" in verdict_of([check("test_w", "NOT CHECKED")], NOW).words


def test_an_implicated_cause_is_named() -> None:
    checks = [
        check("test_oom", "FAILED", job="diagnose", seen="Out of memory:\nKilled 42"),
        check("test_port", job="diagnose"),
    ]
    verdict = verdict_of(checks, NOW)
    assert verdict.words == "Diagnosis at 03:14:07 UTC: 1 of 2 checks implicate a cause: test_oom."
    assert verdict.reasons == ("test_oom: Out of memory: Killed 42",)
    assert "no cause is implicated, 1 of 1 checks green" in verdict_of(checks[1:], NOW).words


@pytest.mark.parametrize(
    ("outcomes", "outcome", "words"),
    [
        (["PASSED"] * 3, "PASSED", "PASSED at 03:14:07 UTC: 3 of 3 drills passed."),
        (["PASSED", "FAILED", "UNKNOWN"], "FAILED", "FAILED at 03:14:07 UTC: 1 of 3 drills failed: gw/1; 1 passed."),
        (["PASSED", "UNKNOWN"], "UNKNOWN", "UNKNOWN at 03:14:07 UTC: 1 of 2 drills proved nothing: gw/1; 1 passed."),
        (
            ["NOT COVERED"],
            "NOT COVERED",
            "NOT COVERED at 03:14:07 UTC: 1 of 1 drill healed by no recovery of the document, as declared: gw/0.",
        ),
    ],
)
def test_drills_are_counted_in_words(outcomes: list[str], outcome: str, words: str) -> None:
    events = [event for number, each in enumerate(outcomes) for event in drill(f"gw/{number}", each)]
    verdict = verdict_of(events, NOW)
    assert (verdict.outcome, verdict.words) == (outcome, words)


def test_checks_of_a_drill_are_no_checks_of_a_real_system() -> None:
    events = [*drill("gw/kill", "PASSED"), check("test_1", "FAILED", drill="gw/kill", during="fault")]
    assert verdict_of(events, NOW).outcome is Outcome.PASSED
    assert deciding_checks(events) == []


def test_a_killed_run_says_what_was_running() -> None:
    events = [
        {**event, "utc": "2026-01-31T03:12:45.123Z"} for event in [*drill("gw/kill", "PASSED"), *drill("gw/oom", None)]
    ]
    assert interrupted_at(events) == "drill gw/oom, phase recover"
    verdict = verdict_of(events)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.words == (
        "UNKNOWN at 03:12:45 UTC: the run did not come to its end (running was: drill gw/oom, phase recover); "
        "1 of 2 drills proved nothing: gw/oom; 1 passed."
    )


def test_a_killed_run_is_never_verified_and_stays_failed() -> None:
    assert verdict_of(rounds(NINE, NINE)).outcome is Outcome.UNKNOWN
    assert verdict_of(rounds({"test_1": "FAILED"})).outcome is Outcome.FAILED
    assert verdict_of([*rounds(NINE, NINE), END]).outcome is Outcome.PASSED


@pytest.mark.parametrize(("status", "words"), [(2, "was interrupted"), (3, "internal error"), (4, "not be started")])
def test_a_run_that_pytest_gave_up_is_unknown(status: int, words: str) -> None:
    verdict = verdict_of([*rounds(NINE, NINE), {**END, "exit_status": status}])
    assert verdict.outcome is Outcome.UNKNOWN
    assert words in verdict.words


def test_a_failure_that_is_not_in_the_record_is_not_passed_over() -> None:
    verdict = verdict_of([*rounds(NINE, NINE), {**END, "exit_status": 1}])
    assert verdict.outcome is Outcome.UNKNOWN
    assert "a failure that the record does not hold" in verdict.words


def test_a_long_list_of_names_is_cut() -> None:
    words = verdict_of(rounds({f"test_{number}": "FAILED" for number in range(12)}), NOW).words
    assert words.endswith("test_4 and 7 more.")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
KINDS = st.sampled_from(
    ["check", "drill.begin", "drill.end", "phase.begin", "phase.end", "run.begin", "run.end", "t0", ""]
)
FIELDS = st.sampled_from(
    ["item", "outcome", "round", "utc", "at_s", "drill", "phase", "reasons", "job", "exit_status", "seen"]
)


@given(st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, VALUES)).map(lambda pair: {**pair[1], "kind": pair[0]})))
def test_whatever_a_record_holds_has_a_verdict_of_one_line(events: list[dict[str, Any]]) -> None:
    verdict = verdict_of(events)
    assert verdict.outcome in {Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_COVERED}
    assert verdict.words.isprintable()
    assert len(verdict.words) < 6000


@given(st.integers(min_value=0, max_value=18))
def test_no_cut_of_a_green_record_is_verified(kept: int) -> None:
    assert verdict_of(rounds(NINE, NINE)[:kept]).outcome is Outcome.UNKNOWN


def test_a_run_that_ends_with_more_failures_than_its_record_is_unknown() -> None:
    assert verdict_of(drill("a/x", "PASSED"), NOW).outcome is Outcome.PASSED
    assert verdict_of(drill("a/x", "PASSED"), NOW, exit_status=1).outcome is Outcome.UNKNOWN


def test_an_interrupted_run_does_not_end_with_what_passed_so_far() -> None:
    assert verdict_of(drill("a/x", "PASSED"), NOW, exit_status=2).outcome is Outcome.UNKNOWN


def test_a_drill_that_ran_twice_is_as_good_as_its_graver_end() -> None:
    verdict = verdict_of([*drill("a/x", "FAILED", "red"), *drill("a/x", "PASSED")], NOW)
    assert (verdict.outcome, verdict.drills.total) == (Outcome.FAILED, 1)


def test_a_diagnosis_that_was_skipped_implicates_nobody_and_clears_nobody() -> None:
    skipped = check("test_memory", "NOT CHECKED", job="diagnose")
    assert verdict_of([skipped], NOW).outcome is Outcome.UNKNOWN
    one_more = verdict_of([skipped, check("test_port", job="diagnose")], NOW)
    assert (one_more.outcome, "1 not checked" in one_more.words) == (Outcome.PASSED, True)


def test_a_check_is_blind_where_no_drill_that_came_so_far_made_it_red() -> None:
    def end(name: str, outcome: str, *items: str) -> dict[str, Any]:
        return {"kind": "drill.end", "drill": name, "outcome": outcome, "reasons": [], "never_red": list(items)}

    both = [end("a/x", "PASSED", "test_up", "test_log"), end("a/y", "FAILED", "test_log")]
    assert never_red([*both, end("a/z", "UNKNOWN")]) == ["test_log"]
