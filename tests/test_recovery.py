"""What is tried in which order, and what stands for a person."""

from dataclasses import replace

import pytest
from fakes import FakeClock, FakeReplica, FakeTarget, command, shop_runbook

from drillbook.errors import CommandTimeout
from drillbook.model import Effect, Phase, Step
from drillbook.operator import Operator
from drillbook.recovery import Recovery
from drillbook.replica import HandStep
from drillbook.site import Site
from drillbook.timeline import Timeline

RESTART, LIMIT = "Strategy 1: restart", "Strategy 4: more memory"


@pytest.fixture
def target():
    return FakeTarget()


@pytest.fixture
def timeline():
    return Timeline(FakeClock())


@pytest.fixture
def replica():
    return FakeReplica(FakeClock())


def recovery(target, timeline, replica, runbook=None):
    runbook = runbook or shop_runbook()
    return Recovery(runbook, replica, Operator(Site("fake", runbook, lambda role: target), timeline))


def with_hand_step():
    runbook = shop_runbook()
    hand = Step("fix/strategy-4#0", 7, Phase.RECOVER, LIMIT, ("Fix", LIMIT), hand="Edit the limit")
    return replace(runbook, steps=(runbook.steps[0], hand, *runbook.steps[1:]))


def test_the_named_scenario_comes_first_then_the_routes(target, timeline, replica):
    plan = list(recovery(target, timeline, replica).plan([LIMIT], {LIMIT}))
    assert [title for title, _ in plan] == [LIMIT, RESTART]


def test_without_a_named_cause_only_the_routes_are_tried(target, timeline, replica):
    plan = list(recovery(target, timeline, replica).plan([], {LIMIT}))
    assert plan == [(RESTART, "general route: no cause was named")]


def test_a_scenario_of_which_nothing_can_be_run_has_not_been_tried(target, timeline, replica):
    runbook = shop_runbook()
    steps = [
        replace(step, commands=(command(step.commands[0].id, "restart <deployment>", Effect.CHANGE),))
        if step.scenario == RESTART
        else step
        for step in runbook.steps
    ]
    tried = recovery(target, timeline, replica, replace(runbook, steps=tuple(steps)))
    assert tried.carry_out(RESTART) is False
    assert tried.carry_out(LIMIT) is True
    assert target.asked == ["raise limit"]


def test_a_command_that_hangs_has_been_run(timeline, replica):
    def hangs(asked):
        raise CommandTimeout("fake", "hangs")

    assert recovery(FakeTarget(hangs), timeline, replica).carry_out(LIMIT) is True


def test_what_a_person_edits_is_done_by_its_function_and_listed(target, timeline, replica):
    replica.hand_steps = [HandStep("fix/strategy-4#0", lambda replica, transcript: "limit doubled")]
    recovery(target, timeline, replica, with_hand_step()).carry_out(LIMIT)
    hand = next(event.fields for event in timeline.events if event.kind == "hand")
    assert (hand["did"], hand["instruction"], hand["line"]) == ("limit doubled", "Edit the limit", 7)


def test_a_person_who_finds_nothing_to_go_by_is_listed_as_such(target, timeline, replica):
    def lost(replica, transcript):
        raise LookupError("the transcript names no process")

    replica.hand_steps = [HandStep("fix/strategy-4#0", lost)]
    recovery(target, timeline, replica, with_hand_step()).carry_out(LIMIT)
    hand = next(event.fields for event in timeline.events if event.kind == "hand")
    assert (hand["did"], hand["why"]) == (None, "the transcript names no process")


def test_an_instruction_that_nobody_does_is_listed_as_not_done(target, timeline, replica):
    recovery(target, timeline, replica, with_hand_step()).carry_out(LIMIT)
    hand = next(event.fields for event in timeline.events if event.kind == "hand")
    assert hand["did"] is None
    assert "only a person" in hand["why"]


def test_what_was_read_before_the_recovery_is_not_read_again(target, timeline, replica):
    runbook = shop_runbook()
    first = Step(
        "fix/strategy-4#0", 7, Phase.RECOVER, LIMIT, ("Fix", LIMIT), commands=(command("fix/strategy-4#0.1", "lsof"),)
    )
    recovery(target, timeline, replica, replace(runbook, steps=(first, *runbook.steps))).carry_out(LIMIT)
    assert target.asked == ["raise limit"]
    skipped = next(event.fields for event in timeline.events if event.kind == "command")
    assert "read already" in skipped["skipped"]


def test_only_scenarios_that_were_carried_out_may_change_what_they_declare(target, timeline, replica):
    tried = recovery(target, timeline, replica)
    tried.carry_out(RESTART)
    assert tried.may_change() == []
    tried.carry_out(LIMIT)
    assert tried.may_change() == ["limit"]


def test_what_strategy_1_may_change_is_not_what_strategy_10_may_change(target, timeline, replica):
    replica.changes = {"Strategy": (), "Strategy 1": ("limit",)}
    tried = recovery(target, timeline, replica)
    tried.carry_out("Strategy 10: fail over")
    assert tried.may_change() == []
