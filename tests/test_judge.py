"""Every way to a verdict, from hand-written facts."""

from dataclasses import fields, replace

import pytest

from drillbook.alerts import Alert, AlertSelector
from drillbook.judge import Expect, Facts, judge
from drillbook.outcome import Outcome
from drillbook.work import Loss, Work

HEALS = Expect(alert=AlertSelector("Down"), cause="Strategy 4", heals="Strategy 4")
OPEN = Expect(alert=AlertSelector("Down"), cause=None, heals=None)


def good() -> Facts:
    return Facts(
        effect_seen=True,
        effect_stayed=True,
        alerts=[Alert("Down")],
        red_under_fault=["test_health"],
        causes=["Strategy 4: memory"],
        healed_by="Strategy 4: memory",
        routes=["Strategy 4: memory"],
        recovery_ended=True,
        still_there=False,
        client_failures=0,
        gone_after_revert=True,
        alert_resolved=True,
    )


def not_healed() -> Facts:
    return replace(good(), causes=[], healed_by=None, green_after_revert=True, alert_resolved=None)


def test_everything_as_declared_passes():
    assert judge(HEALS, good()) == (Outcome.PASSED, [])


def test_what_the_document_does_not_heal_is_not_covered_and_never_passed():
    outcome, reasons = judge(OPEN, not_healed())
    assert outcome is Outcome.NOT_COVERED
    assert "Strategy 4: memory" in reasons[0]


@pytest.mark.parametrize(
    ("fact", "word"),
    [
        ({"alerts": []}, "did not fire"),
        ({"alerts": [Alert("Other")]}, "firing: Other"),
        ({"red_under_fault": []}, "blind"),
        ({"causes": []}, "named nothing"),
        ({"causes": ["Strategy 4: memory", "Strategy 5: config"]}, "Strategy 5"),
        ({"healed_by": None}, "stays red"),
        ({"healed_by": "Strategy 1: restart"}, "Strategy 1: restart did"),
        ({"alert_resolved": False}, "still fires"),
        ({"undeclared": ["port/8000"]}, "port/8000"),
        ({"missed_budgets": ["within 15 minutes"]}, "over budget"),
        ({"false_alarms": ["test_memory"]}, "healthy replica"),
    ],
)
def test_what_differs_from_the_declaration_fails(fact, word):
    outcome, reasons = judge(HEALS, replace(good(), **fact))
    assert outcome is Outcome.FAILED
    assert any(word in reason for reason in reasons)


@pytest.mark.parametrize(
    ("fact", "word"),
    [
        ({"trouble": "replica: did not answer"}, "did not answer"),
        ({"unhealthy_before": ["test_health: red"], "effect_seen": None, "recovery_ended": False}, "before the fault"),
        ({"gone_after_revert": False}, "still there"),
    ],
)
def test_what_could_not_be_seen_is_unknown(fact, word):
    outcome, reasons = judge(HEALS, replace(good(), **fact))
    assert outcome is Outcome.UNKNOWN
    assert any(word in reason for reason in reasons)


def test_an_effect_that_no_probe_saw_is_unknown_although_all_checks_are_green():
    outcome, reasons = judge(HEALS, Facts(effect_seen=False))
    assert outcome is Outcome.UNKNOWN
    assert "independent probe" in reasons[0]


def test_a_drill_that_ended_early_is_unknown():
    assert judge(HEALS, Facts())[0] is Outcome.UNKNOWN


def test_failed_beats_unknown():
    outcome, reasons = judge(HEALS, replace(good(), causes=[], trouble="Docker went away"))
    assert outcome is Outcome.FAILED
    assert reasons[-1] == "Docker went away"


def test_declared_as_not_covered_and_yet_healed_fails():
    assert judge(OPEN, replace(good(), causes=[]))[0] is Outcome.FAILED


def test_an_alert_where_none_is_declared_fails():
    silent = replace(HEALS, alert=None)
    assert judge(silent, replace(good(), alert_resolved=None))[0] is Outcome.FAILED
    assert judge(silent, replace(good(), alerts=[]))[0] is Outcome.PASSED


def test_an_alert_of_another_service_is_not_the_declared_one():
    of_db = replace(HEALS, alert=AlertSelector("Down", {"service": "db"}))
    assert judge(of_db, replace(good(), alerts=[Alert("Down", {"service": "db"})]))[0] is Outcome.PASSED
    outcome, reasons = judge(of_db, replace(good(), alerts=[Alert("Down", {"service": "backend"})]))
    assert outcome is Outcome.FAILED
    assert reasons == ['alert Down{service="db"} did not fire (firing: Down{service="backend"})']


def test_not_covered_needs_verification_green_once_the_fault_is_gone():
    assert judge(OPEN, replace(not_healed(), green_after_revert=False))[0] is Outcome.UNKNOWN


def test_strategy_1_is_not_strategy_10():
    ten = "Strategy 10: fail over"
    one = Expect(alert=AlertSelector("Down"), cause="Strategy 1", heals="Strategy 1")
    reasons = judge(one, replace(good(), causes=[ten], healed_by=ten))[1]
    assert any("had to name Strategy 1" in reason for reason in reasons)
    assert any("declared that Strategy 1 heals it" in reason for reason in reasons)


def test_verified_while_the_fault_is_still_there_fails_unless_the_recovery_goes_around_it():
    there = replace(good(), still_there=True)
    assert judge(HEALS, there)[0] is Outcome.FAILED
    assert judge(replace(HEALS, goes_around=True), there)[0] is Outcome.PASSED


def test_verified_while_customers_get_no_answer_fails():
    outcome, reasons = judge(HEALS, replace(good(), client_failures=7))
    assert outcome is Outcome.FAILED
    assert "7 requests of the client" in reasons[0]


def test_a_fault_that_goes_away_by_itself_proves_nothing():
    assert judge(HEALS, replace(good(), effect_stayed=False))[0] is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "fact", [field.name for field in fields(Facts) if getattr(good(), field.name) not in (None, ())]
)
def test_what_was_not_looked_at_is_never_passed(fact):
    """Each fact of a good drill, taken away."""
    nothing = getattr(Facts(), fact)
    outcome, _ = judge(HEALS, replace(good(), **{fact: nothing}))
    assert (outcome is Outcome.PASSED) is (fact in {"routes", "passed_over"})


def test_what_was_passed_over_is_told():
    reasons = judge(OPEN, replace(not_healed(), passed_over=["Restart"]))[1]
    assert reasons[0].endswith("; nothing could be run of: Restart), as declared")


def test_a_diagnosis_that_was_declared_to_see_nothing_must_see_nothing():
    blind = replace(OPEN, cause=None, blind=True)
    seen = replace(not_healed(), causes=[])
    assert judge(blind, replace(seen, blind=True))[0] is Outcome.NOT_COVERED
    assert "declared that diagnosis can see nothing" in judge(blind, replace(seen, blind=False))[1][0]


@pytest.mark.parametrize("fact", ["green_after_revert", "gone_after_revert", "effect_stayed", "red_under_fault"])
def test_what_was_not_looked_at_is_never_not_covered(fact):
    assert judge(OPEN, replace(not_healed(), **{fact: None}))[0] is Outcome.UNKNOWN


FLUSH = "scenario-4#1.5"
LOST = Work(accepted=5, done=3, losses=(Loss(("a", "b"), ("scenario-4#1.4", FLUSH)),))


@pytest.mark.parametrize(
    ("work", "word"),
    [
        (LOST, f"2 accepted pieces of work are lost, by scenario-4#1.4, {FLUSH}: a, b"),
        (Work(accepted=1, done=0, losses=(Loss(("a",)),)), "by the fault itself"),
        (Work(accepted=1, done=0, waiting=("a",)), "still wait"),
        (Work(accepted=1, done=1, duplicated=("a",)), "twice"),
        (Work(accepted=1, done=0, wrong=("a",)), "done wrong"),
    ],
)
def test_accepted_work_that_did_not_come_out_once_and_right_fails(work, word):
    outcome, reasons = judge(HEALS, replace(good(), work=work))
    assert outcome is Outcome.FAILED
    assert any(word in reason for reason in reasons)


def test_a_loss_that_the_document_warns_of_passes_and_one_beside_it_does_not():
    warned = replace(HEALS, loses=(FLUSH,))
    assert judge(warned, replace(good(), work=LOST))[0] is Outcome.PASSED
    beside = replace(LOST, losses=(*LOST.losses, Loss(("c",))))
    assert judge(warned, replace(good(), work=beside))[0] is Outcome.FAILED


def test_a_loss_is_not_declared_where_no_account_of_work_is_kept():
    outcome, reasons = judge(replace(HEALS, loses=("strategy-4#1.1",)), good())
    assert outcome is Outcome.FAILED
    assert "keeps no account" in reasons[0]


def test_a_declared_loss_that_does_not_happen_fails():
    outcome, reasons = judge(replace(HEALS, loses=(FLUSH,)), replace(good(), work=Work(accepted=5, done=5)))
    assert outcome is Outcome.FAILED
    assert f"declared that {FLUSH} loses accepted work, it lost none" in reasons


def test_work_in_a_store_that_cannot_be_read_is_unknown():
    work = Work(accepted=5, done=3, unread=("redis",), unseen=("a", "b"))
    outcome, reasons = judge(HEALS, replace(good(), work=work))
    assert outcome is Outcome.UNKNOWN
    assert "redis cannot be read" in reasons[0]
