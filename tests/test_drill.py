"""A drill against a fake system: what it concludes, and that nothing stays behind."""

from dataclasses import replace

import pytest
from fakes import FakeChecks, FakeClock, FakeFault, FakeReplica, command, shop_runbook

from drillbook.alerts import Alert
from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.drill import Drill
from drillbook.errors import ReplicaError, RunbookError, TargetUnreachable, UsageError
from drillbook.evidence import Checked
from drillbook.model import Effect, Step
from drillbook.outcome import Outcome
from drillbook.replica import Reply
from drillbook.timeline import Timeline

RESTART = Case("restart", (FakeFault(),), alert="ShopDown", cause=None, heals="Strategy 1")
FIX = "fix/strategy-1#1.1"


class Stage:
    """A fake system with everything that a drill needs."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.replica = FakeReplica(self.clock)
        self.checks = FakeChecks(self.replica)
        self.timeline = Timeline(self.clock)

    def run(self, case: Case = RESTART, *steps: Step, **more):
        """Drill a case; ``steps`` stand in for those of the shop's runbook that have their ids."""
        runbook = shop_runbook()
        instead = {step.id: step for step in steps}
        runbook = replace(runbook, steps=tuple(instead.get(step.id, step) for step in runbook.steps))
        return Drill(case, runbook, lambda: self.replica, self.checks, self.timeline, self.clock, **more).run()

    def kinds(self):
        return [event.kind for event in self.timeline.events]

    def of(self, kind):
        return [event.fields for event in self.timeline.events if event.kind == kind]


def step(at: int, text: str, effect: Effect = Effect.READ) -> Step:
    """Return a step of the shop's runbook with another command, its only one."""
    was = shop_runbook().steps[at]
    return replace(was, commands=(command(was.commands[0].id, text, effect, was.line),))


@pytest.fixture
def stage():
    return Stage()


def test_a_fault_that_a_restart_heals_passes_and_leaves_nothing(stage):
    result = stage.run()
    assert (result.outcome, result.reasons) == (Outcome.PASSED, ())
    assert not stage.replica.running
    assert [event["phase"] for event in stage.of("phase.begin")] == [
        "start", "steady", "inject", "confirm", "detect", "diagnose", "recover", "verify", "residue", "stop",
    ]  # fmt: skip


def test_the_named_recovery_is_run_and_not_that_of_the_injected_fault(stage):
    case = Case("oom", (FakeFault(sticky=True),), alert="ShopDown", cause="Strategy 4", heals="Strategy 4")
    assert stage.run(case).outcome is Outcome.PASSED
    assert stage.of("cause.named")[0]["evidence"] == ["oom shop"]
    assert "restart shop" not in stage.replica.operator.asked
    assert stage.of("residue")[0]["changes"] == [{"key": "limit", "before": "128", "after": "256", "declared": True}]


def test_the_effect_is_seen_absent_present_absent(stage):
    stage.run()
    assert [(event["when"], event["present"]) for event in stage.of("fault")] == [
        ("before", False),
        ("injected", True),
        ("diagnosed", True),
        ("recovered", False),
        ("reverted", False),
    ]


def test_a_fault_without_effect_is_unknown_and_no_recovery_is_run(stage):
    case = Case("idle", (FakeFault(works=False),), alert="ShopDown", cause=None, heals="Strategy 1")
    assert stage.run(case).outcome is Outcome.UNKNOWN
    assert "route" not in stage.kinds()


def test_verification_that_stays_green_under_the_fault_is_blind(stage):
    stage.checks.blind = True
    result = stage.run()
    assert result.outcome is Outcome.FAILED
    assert "blind" in result.reasons[0]
    assert result.never_red == ("test_sells",)


def test_an_alert_that_does_not_fire_fails(stage):
    stage.replica.alert_names = []
    result = stage.run()
    assert result.outcome is Outcome.FAILED
    assert "ShopDown did not fire" in result.reasons[0]


def test_what_no_recovery_heals_is_reverted_and_not_covered(stage):
    fault = FakeFault(sticky=True)
    stage.replica.operator.answer = lambda command: ""
    result = stage.run(Case("stuck", (fault,), alert="ShopDown", cause=None, heals=None))
    assert result.outcome is Outcome.NOT_COVERED
    assert not stage.replica.broken
    assert fault.reverted


def test_something_left_behind_fails(stage):
    original = stage.replica.operator.answer

    def leave(command):
        stage.replica.state["port/9999"] = "socat"
        return original(command)

    stage.replica.operator.answer = leave
    # The control reading happens before the first snapshot, so the change must come later than it.
    stage.checks.verify = _after_first(stage, stage.checks.verify)
    result = stage.run()
    assert result.outcome is Outcome.FAILED
    assert "port/9999" in result.reasons[0]


@pytest.mark.parametrize(("lasts_s", "outcome"), [(8, Outcome.PASSED), (20, Outcome.FAILED)])
def test_what_a_recovery_began_has_as_long_to_settle_as_the_recovery_had(stage, lasts_s, outcome):
    usual, begins = stage.replica.snapshot, []

    def snapshot():
        if "residue" not in [event["phase"] for event in stage.of("phase.begin")]:
            return usual()
        begins.append(stage.clock.now_s)
        settling = stage.clock.now_s < begins[0] + lasts_s
        return {**usual(), **({"pods/metrics": "0 of 1 ready"} if settling else {})}

    stage.replica.snapshot = snapshot
    assert stage.run().outcome is outcome


def _after_first(stage, verify):
    def wrapped(site):
        stage.replica.state.pop("port/9999", None)
        return verify(site)

    first = [True]

    def once(site):
        if first:
            first.clear()
            stage.replica.operator.answer, kept = (lambda command: ""), stage.replica.operator.answer
            stage.restore = kept
            return wrapped(site)
        stage.replica.operator.answer = stage.restore
        return verify(site)

    return once


def test_a_replica_that_is_not_well_before_the_fault_is_unknown_and_says_what_its_parts_say(stage):
    stage.replica.broken = True
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert "not healthy before the fault" in result.reasons[0]
    assert stage.of("unhealthy")[0]["evidence"] == ["the shop is closed"]


def test_a_replica_that_goes_away_is_unknown_with_its_message(stage):
    def gone(command):
        raise TargetUnreachable("replica", "did not answer")

    case = Case("gone", (FakeFault(),), alert="ShopDown", cause=None, heals="Strategy 1")
    stage.replica.alerts = lambda: (
        (_ for _ in ()).throw(TargetUnreachable("replica", "did not answer")) if (stage.replica.broken) else []
    )
    result = stage.run(case)
    assert result.outcome is Outcome.UNKNOWN
    assert "did not answer" in result.reasons[0]
    assert not stage.replica.running


def test_an_interrupt_reverts_and_removes_and_goes_on(stage):
    fault = FakeFault()

    diagnose = stage.checks.diagnose

    def interrupt(site, transcript):
        if stage.replica.broken:
            raise KeyboardInterrupt
        return diagnose(site, transcript)

    stage.checks.diagnose = interrupt
    with pytest.raises(KeyboardInterrupt):
        stage.run(Case("interrupted", (fault,), alert="ShopDown", cause=None, heals="Strategy 1"))
    assert fault.reverted
    assert not stage.replica.running
    assert stage.of("drill.end")[0]["outcome"] == Outcome.UNKNOWN


def test_budgets_are_in_production_seconds_and_quote_the_document(stage):
    stage.run(budgets=[Budget(Milestone.RESTORED, "Service not restored within 15 minutes")])
    budget = stage.of("budget")[0]
    assert (budget["limit_s"], budget["line"], budget["met"]) == (900.0, 5, True)
    assert budget["spent_s"] > budget["drill_s"] + 54.0  # the alert's own 60 s stand in the drill for 6 s


def test_a_limit_for_the_alert_counts_what_production_would_have_waited_for_it(stage):
    stage.run(budgets=[Budget(Milestone.DETECTED, "Service not restored within 15 minutes")])
    budget = stage.of("budget")[0]
    assert (budget["name"], budget["met"]) == ("detected", True)
    assert budget["drill_s"] == pytest.approx(stage.of("alert.fired")[0]["since_t0_s"], abs=0.1)
    assert budget["spent_s"] >= budget["drill_s"] + 54.0


def test_a_budget_that_the_document_does_not_state_is_an_error_before_anything_starts(stage):
    with pytest.raises(RunbookError, match="within 7 minutes"):
        stage.run(budgets=[Budget(Milestone.RESTORED, "within 7 minutes")])
    assert stage.kinds() == []


def test_a_sleep_of_the_document_ends_when_the_customer_is_served(stage):
    stage.run()
    sleep = next(event for event in stage.of("wait") if event["what"] == "sleep 30")
    assert sleep["production_s"] == 30.0
    assert sleep["drill_s"] < 1.0
    assert "sleep 30" not in stage.replica.operator.asked


def test_what_went_wrong_first_is_told_before_a_replica_that_cannot_be_removed(stage):
    def gone():
        raise ReplicaError("alerts", "expected the list of alerts, got ConnectError")

    def stuck():
        raise ReplicaError("replica", "the Docker engine does not answer any more")

    stage.replica.alerts, stage.replica.stop = gone, stuck
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert ["alerts:" in result.reasons[0], "any more" in result.reasons[1]] == [True, True]


def test_an_interruption_stays_one_where_the_replica_cannot_be_removed(stage):
    def interrupted(site):
        raise KeyboardInterrupt

    def stuck():
        raise ReplicaError("replica", "the Docker engine does not answer any more")

    stage.checks.verify, stage.replica.stop = interrupted, stuck
    with pytest.raises(KeyboardInterrupt):
        stage.run()
    assert stage.of("drill.end")[0]["outcome"] == "UNKNOWN"


def test_a_fault_that_goes_away_by_itself_is_not_put_down_to_the_recovery(stage):
    diagnose = stage.checks.diagnose

    def diagnose_late(site, transcript):
        stage.replica.broken = False
        return diagnose(site, transcript)

    stage.checks.diagnose = diagnose_late
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert "gone before any recovery" in result.reasons[0]
    assert "route" not in stage.kinds()


class Lingering(FakeFault):
    """What customers feel goes with the recovery; the fault's own probe still sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.on = False

    def inject(self, replica):
        super().inject(replica)
        self.on = True

    def is_present(self, replica):
        return self.on

    def revert(self, replica):
        super().revert(replica)
        self.on = False


def test_a_recovery_that_leaves_the_fault_where_it_is_must_be_declared_to_go_around_it(stage):
    case = Case("around", (Lingering(),), alert="ShopDown", cause=None, heals="Strategy 1")
    result = stage.run(case)
    assert result.outcome is Outcome.FAILED
    assert "the fault was still there" in result.reasons[0]


def test_a_declared_way_around_passes(stage):
    case = Case("around", (Lingering(),), alert="ShopDown", cause=None, heals="Strategy 1", goes_around=True)
    assert stage.run(case).outcome is Outcome.PASSED


def test_customers_without_answers_before_the_fault_prove_nothing(stage):
    stage.replica.ask_as_customer = lambda key="": Reply(served=False)
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert "a customer gets no right answer" in result.reasons[0]


def test_a_check_that_skips_itself_proves_nothing(stage):
    verify = stage.checks.verify

    def skip(site):
        return [*verify(site), Checked("test_idle", "verify", "Idle.", outcome=Outcome.NOT_CHECKED, seen="not today")]

    stage.checks.verify = skip
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert "test_idle" in result.reasons[0]


def test_a_check_that_is_missing_after_the_recovery_proves_nothing(stage):
    verify = stage.checks.verify

    def fewer(site):
        also = [] if "route" in stage.kinds() else [Checked("test_more", "verify", "More.")]
        return [*verify(site), *also]

    stage.checks.verify = fewer
    result = stage.run()
    assert result.outcome is Outcome.UNKNOWN
    assert "test_more" in result.reasons[0]


def test_alerts_of_one_name_that_begin_together_are_all_recorded(stage):
    both = [Alert("ShopDown", {"service": service}, "2026-01-31T03:12:45Z") for service in ("web", "db")]
    stage.replica.alerts = lambda: both if stage.replica.broken else []
    assert stage.run(replace(RESTART, alert='ShopDown{service="db"}')).outcome is Outcome.PASSED
    assert [event["labels"]["service"] for event in stage.of("alert.fired")] == ["web", "db"]
    assert [event["labels"] for event in stage.of("alert.resolved")] == [{"service": "db"}]


def test_what_selects_no_alert_is_refused_before_anything_starts(stage):
    with pytest.raises(UsageError, match="case restart: alert must be"):
        stage.run(replace(RESTART, alert="ShopDown{service!='db'}"))
    assert stage.kinds() == []


def test_an_alert_that_the_recovery_sets_off_fails(stage):
    stage.replica.alerts = lambda: [Alert("ShopDown")] if "t0" in stage.kinds() else []
    result = stage.run()
    assert result.outcome is Outcome.FAILED
    assert "still fires" in result.reasons[0]


@pytest.mark.parametrize("job", ["verify", "diagnose"])
def test_no_checks_at_all_are_an_error_and_not_green(stage, job):
    setattr(stage.checks, job, lambda *_: [])
    with pytest.raises(UsageError, match="there is no"):
        stage.run()


def test_a_diagnosis_check_that_could_name_nothing_is_an_error(stage):
    stage.checks.diagnose = lambda site, transcript: [Checked("test_idle", "diagnose", "Idle.", ("look#1",))]
    with pytest.raises(UsageError, match="covers no scenario"):
        stage.run()


@pytest.mark.parametrize("wrong", [{"cause": "Strategy"}, {"cause": ""}, {"heals": "Strategy 9"}])
def test_a_row_that_names_no_single_scenario_is_an_error_before_anything_starts(stage, wrong):
    with pytest.raises(UsageError, match="one scenario's title"):
        stage.run(replace(RESTART, **wrong))
    assert stage.kinds() == []


def test_silence_is_watched_for_where_no_wait_is_stated(stage):
    stage.replica.waits = ()
    stage.replica.alert_names = []
    stage.run(replace(RESTART, alert=None))
    assert stage.of("alert.none")[0]["watched_s"] > 0


def test_what_the_document_posts_ends_in_the_sink_and_in_the_record(stage):
    stage.run()
    assert stage.of("posted") == [{"path": "/incidents", "body": "the shop is back"}]


def test_the_record_holds_the_document_and_what_its_commands_leave_behind_while_all_is_well(stage):
    stage.run()
    (document,) = stage.of("document")
    assert document["runbook"] == shop_runbook().slug
    texts = {row["id"]: row["text"] for row in document["rows"]}
    assert texts["look#1.1"] == shop_runbook().find("look#1.1").text
    (rehearsed,) = stage.of("rehearsal")
    assert (rehearsed["id"], rehearsed["exit_status"], rehearsed["skipped"]) == ("look#1.1", 0, None)
    kinds = stage.kinds()
    assert kinds.index("document") < kinds.index("rehearsal") < kinds.index("t0")


def test_a_route_of_which_nothing_can_be_run_is_not_put_down_as_tried(stage):
    case = Case("kill", (FakeFault(),), alert="ShopDown", cause=None, heals=None)
    result = stage.run(case, step(1, "restart <deployment>", Effect.CHANGE))
    assert (result.outcome, result.reasons[0]) == (
        Outcome.NOT_COVERED,
        (
            "no recovery of the document heals this fault "
            "(tried: nothing; nothing could be run of: Strategy 1: restart), as declared"
        ),
    )
    assert "Strategy 1: restart: nothing of it could be run" in str(stage.of("note"))


def test_the_labels_of_an_alert_that_has_gone_again_still_fill_in(stage):
    fired = Alert("ShopDown", {"service_name": "till"}, "2026-01-31T03:00:00Z")

    def alerts():
        """It fires while it is looked for, and has gone when the document is read."""
        begun = [event["phase"] for event in stage.of("phase.begin")]
        return [fired] if begun[-1] == "detect" else []

    stage.replica.alerts = alerts
    stage.replica.sample_labels = {"service_name": "desk"}
    stage.run(RESTART, step(0, "dmesg -T <service-name>"))
    assert next(event for event in stage.of("command") if event["id"] == "look#1.1")["ran"] == "dmesg -T till"


def test_an_alert_that_comes_late_is_no_silence(stage):
    case = Case("quiet", (FakeFault(),), alert=None, cause=None, heals="Strategy 1")
    late = Alert("ShopDown", {}, "2026-01-31T03:00:00Z")
    stage.replica.alerts = lambda: [late] if stage.kinds().count("command") and stage.replica.broken else []
    result = stage.run(case)
    assert (result.outcome, result.reasons[0]) == (Outcome.FAILED, "declared that no alert fires, ShopDown fired")


@pytest.mark.parametrize(("is_declared", "outcome"), [(False, Outcome.UNKNOWN), (True, Outcome.PASSED)])
def test_a_diagnosis_that_cannot_look_is_unknown_unless_it_is_declared(stage, is_declared, outcome):
    def diagnose(site, transcript):
        said = Outcome.UNKNOWN if stage.replica.broken else Outcome.PASSED
        return [Checked("test_oom", "diagnose", "", ("fix/strategy-4#1",), said)]

    stage.checks.diagnose = diagnose
    assert stage.run(replace(RESTART, blind=is_declared)).outcome is outcome


def test_what_an_alert_names_is_tried_on_the_system_that_is_well_with_a_sample_of_its_labels(stage):
    stage.replica.sample_labels = {"service_name": "till"}
    stage.run(RESTART, step(0, "dmesg -T <service-name>"))
    (rehearsed,) = stage.of("rehearsal")
    assert rehearsed["ran"] == "dmesg -T till"
    under_fault = next(event for event in stage.of("command") if event["id"] == "look#1.1")
    assert under_fault["skipped"] == "no value for <service-name>", "under the fault only what really fires counts"


def test_work_that_a_command_of_the_document_loses_is_laid_to_it(stage):
    answer = stage.replica.operator.answer
    stage.replica.done = {}

    def lose(command):
        if command.startswith("restart"):
            stage.replica.done.clear()
        return answer(command)

    stage.replica.operator.answer = lose
    # The client's thread may get nothing in before the fault; what a wait asks for is handed in too.
    result = stage.run()
    assert result.outcome is Outcome.FAILED
    assert f"lost, by {FIX}" in result.reasons[0]
    account = stage.of("work")[0]
    assert account["lost"] == account["losses"][0]["count"] > 0
    assert stage.run(replace(RESTART, loses=(FIX,))).outcome is Outcome.PASSED


def test_work_that_comes_out_is_accounted_for(stage):
    stage.replica.done = {}
    assert stage.run().outcome is Outcome.PASSED
    account = stage.of("work")[0]
    assert account["accepted"] == account["done"] > 0
    assert [look["after"] for look in stage.of("work.look")] == [None, FIX, "tell#1.1", None]


def test_what_a_command_must_show_is_looked_for_in_what_it_printed(stage):
    answer = stage.replica.operator.answer

    def say(command):
        return answer(command) + ("restarted in 2 s\n" if command.startswith("restart") else "")

    stage.replica.operator.answer = say
    assert stage.run(replace(RESTART, shows={FIX: r"restarted in \d+ s"})).outcome is Outcome.PASSED
    assert stage.of("shown") == [{"id": FIX, "pattern": r"restarted in \d+ s", "line": "restarted in 2 s"}]
    result = stage.run(replace(RESTART, shows={FIX: "rotated"}))
    assert result.outcome is Outcome.FAILED
    assert result.reasons == (f"declared that {FIX} shows 'rotated', it printed restarted in 2 s",)


def test_a_command_that_was_not_run_shows_nothing(stage):
    case = Case("oom", (FakeFault(sticky=True),), "ShopDown", "Strategy 4", "Strategy 4", shows={FIX: "."})
    assert stage.run(case).reasons == (f"declared that {FIX} shows '.', it printed nothing",)


@pytest.mark.parametrize(
    ("shows", "said"), [({"strategy-9#1.1": "."}, "no step or command"), ({FIX: "("}, "regular expressions")]
)
def test_what_is_shown_is_declared_by_command_and_regular_expression(stage, shows, said):
    with pytest.raises(UsageError, match=said):
        stage.run(replace(RESTART, shows=shows))


@pytest.mark.parametrize(
    ("id_", "said"), [("strategy-9#1.1", "no step or command"), ("fix/strategy-1#1", "of commands")]
)
def test_a_loss_is_declared_by_the_id_of_a_command(stage, id_, said):
    with pytest.raises(UsageError, match=said):
        stage.run(replace(RESTART, loses=(id_,)))
