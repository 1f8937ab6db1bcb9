"""One drill: break a replica, let its alert and its runbook find and heal it, and see whether they did."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import TracebackType

from drillbook.aftermath import reckon_budgets, reckon_impact, reckon_residue
from drillbook.alerts import Alert, AlertSelector
from drillbook.budget import Budget
from drillbook.case import DEFAULT_PACE, Case, Checks, Pace, Result
from drillbook.client import Client, failed_again
from drillbook.clock import Clock, poll
from drillbook.course import Course
from drillbook.custody import Custody
from drillbook.errors import DrillbookError, EvidenceError, RunbookError, UsageError
from drillbook.evidence import Checked
from drillbook.faults import Fault, confirm
from drillbook.judge import Expect, judge
from drillbook.ledger.rows import rows_of
from drillbook.model import Command, Phase, Runbook, is_titled
from drillbook.operator import Operator
from drillbook.recovery import Recovery
from drillbook.replica import Replica, Snapshot
from drillbook.site import Site
from drillbook.target import DEFAULT_DEADLINE_S
from drillbook.timeline import Timeline
from drillbook.verification import Verification

__all__ = ["Drill"]


@dataclass(frozen=True, slots=True)
class Drill:
    """Runbook x replica x faults x seed, and what the table declares of them.

    Args:
        case: Faults, what is declared of them, and the seed, which is in the record so that a drill can be repeated.
        runbook: The document under test.
        make_replica: Returns a fresh replica, not yet started.
        checks: Runs the runbook's checks.
        timeline: Gets every event.
        clock: Where time comes from.
        budgets: Limits that the document states.
        pace: How long to wait for what.
    """

    case: Case
    runbook: Runbook
    make_replica: Callable[[], Replica]
    checks: Checks
    timeline: Timeline
    clock: Clock
    budgets: Sequence[Budget] = ()
    pace: Pace = DEFAULT_PACE

    def run(self) -> Result:
        """Run the drill to its end; nothing is left behind, whatever happens.

        Raises:
            UsageError: The table declares something that cannot be.
            RunbookError: The document is not what the table says it is.
        """
        self._must_be_scenario("cause", self.case.cause)
        self._must_be_scenario("heals", self.case.heals)
        self._must_be_commands("loses", self.case.loses)
        self._must_be_commands("shows", self.case.shows)
        self._must_be_patterns(self.case.shows.values())
        expect = self.case.expect
        lines = {budget: budget.line(self.runbook) for budget in self.budgets}
        replica = self.make_replica()
        replica.progress = self._tell
        course = Course(self.timeline, began_s=self.timeline.now_s())
        self._begin(replica)
        try:
            _Drilling(self, expect, replica, course).run(lines)
        except (UsageError, RunbookError):
            course.facts.trouble = "the table, the checks or the document are wrong"
            raise
        except DrillbookError as error:
            course.facts.trouble = str(error)
        except BaseException as error:
            course.facts.trouble = f"the drill was ended by {type(error).__name__}"
            raise
        finally:
            result = self._conclude(expect, course)
        return result

    def _tell(self, line: str) -> None:
        self.timeline.add("progress", text=line)

    def _must_be_scenario(self, field: str, beginning: str | None) -> None:
        titles = self.runbook.scenarios()
        if beginning is not None and sum(is_titled(title, beginning) for title in titles) != 1:
            problem = f"{field} must be the beginning of one scenario's title, got {beginning!r}"
            raise UsageError(f"case {self.case.id}", problem, hint=f"scenarios: {'; '.join(titles)}")

    def _must_be_commands(self, field: str, ids: Iterable[str]) -> None:
        for id_ in ids:
            if not isinstance(self.runbook.find(id_), Command):
                hint = f"drillbook steps {self.runbook.path} lists them"
                raise UsageError(f"case {self.case.id}", f"{field} must be ids of commands, got {id_!r}", hint=hint)

    def _must_be_patterns(self, patterns: Iterable[str]) -> None:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                problem = f"shows must be regular expressions, got {pattern!r}: {error}"
                raise UsageError(f"case {self.case.id}", problem) from error

    def _begin(self, replica: Replica) -> None:
        self.timeline.add("document", runbook=self.runbook.slug, rows=[row.to_event() for row in rows_of(self.runbook)])
        self.timeline.add(
            "drill.begin",
            runbook=self.runbook.slug,
            title=self.runbook.title,
            path=f"runbooks/{self.runbook.path.name}",
            faults=[fault.describe() for fault in self.case.faults],
            seed=self.case.seed,
            expected={
                "alert": self.case.alert,
                "cause": self.case.cause,
                "heals": self.case.heals,
                "loses": list(self.case.loses),
                "shows": dict(self.case.shows),
            },
            time_factor=replica.time_factor,
        )

    def _conclude(self, expect: Expect, course: Course) -> Result:
        outcome, reasons = judge(expect, course.facts)
        took_s = self.timeline.now_s() - course.began_s
        engine_s = max(0.0, took_s - course.outside_s)
        never_red = tuple(sorted(course.all_checks - course.ever_red))
        restored_s = None if course.restored_s is None else course.since_t0_s(course.restored_s)
        self.timeline.add(
            "drill.end",
            outcome=outcome,
            reasons=reasons,
            took_s=round(took_s, 3),
            engine_s=round(engine_s, 3),
            production_s=None if restored_s is None else round(restored_s + course.compressed_s(course.restored_s), 1),
            never_red=list(never_red),
        )
        return Result(outcome, tuple(reasons), took_s, engine_s, never_red)


class _Drilling:
    """The phases of one drill, in their order."""

    def __init__(self, drill: Drill, expect: Expect, replica: Replica, course: Course) -> None:
        self.case = drill.case
        self.expect = expect
        self.runbook = drill.runbook
        self.checks = drill.checks
        self.clock = drill.clock
        self.pace = drill.pace
        self.timeline = drill.timeline
        self.replica = replica
        self.course = course
        self.facts = course.facts
        self.client = Client(replica.ask_as_customer, drill.clock)
        self.custody = Custody(replica, self.client, course, drill.clock)
        self._alerts: list[Alert] = []
        """Those that have fired, the first look first; one that has gone again still called somebody."""

    @cached_property
    def site(self) -> Site:
        """The replica as checks and the operator see it; it has URLs only once it is started."""
        return Site(
            "replica",
            self.runbook,
            self.replica.host,
            urls=self.replica.urls,
            variables=self.replica.variables,
            slo=self.replica.slo,
            is_replica=True,
            deadline_s=max(DEFAULT_DEADLINE_S, self.replica.healthy_start_s),
        )

    @cached_property
    def verification(self) -> Verification:
        """Rounds of checks; their pace is that of a replica that has started."""
        return Verification(self.checks, self.site, self.course, self.pace, self.clock)

    def run(self, lines: dict[Budget, int]) -> None:
        client, custody = self.client, self.custody
        with ExitStack() as cleanup:
            cleanup.push(self._stop)
            with self.course.phase("start"), self.course.outside():
                self.replica.start()
                self.replica.wait_until_ready(self.pace.ready_within_s)
            self.pace = self.pace.on_machine(self.replica.healthy_start_s)
            cleanup.callback(client.stop)
            client.start(self.pace.ask_every_s)
            before = self._steady()
            if self.facts.unhealthy_before or self.facts.false_alarms:
                return
            cleanup.callback(self._revert_on_the_way_out)
            if not self._inject():
                return
            self._detect()
            operator = Operator(self.site, self.timeline, self._until_ready, when_changed=custody.look)
            judged = self._diagnose(operator)
            if not self._has_stayed():
                return
            recovery = self._recover(operator, judged)
            with self.course.phase("verify"):
                self._after_recovery(operator, client)
            reckon_budgets(self.course, lines)
            with self.course.phase("residue"), self.course.outside():
                within_s = self.pace.settle_within_s
                reckon_residue(self.course, self.replica, before, recovery.may_change(), self.clock, within_s)

    def _steady(self) -> Snapshot:
        """See that everything is well, and that diagnosis names nothing while it is."""
        with self.course.phase("steady"):
            red = self.verification.until_steady()
            self.facts.unhealthy_before = [f"{check.item}: {check.seen}" for check in red]
            control = Operator(self.site, self.timeline, kind="rehearsal")
            control.bind(self.replica.sample_labels)
            with self.course.outside():
                control.read_all()
            diagnosis = self.verification.checked(self.checks.diagnose(self.site, control.transcript), "steady")
            self._must_name_scenarios(diagnosis)
            self.facts.false_alarms = [f"{check.item}: {check.seen}" for check in diagnosis if not check.is_green]
            with self.course.outside():
                firing = self._firing()
                if firing:
                    self.facts.unhealthy_before = [*self.facts.unhealthy_before, f"alerts fire: {', '.join(firing)}"]
                if not self._serves():
                    self.facts.unhealthy_before = [*self.facts.unhealthy_before, "a customer gets no right answer"]
                if self.facts.unhealthy_before:
                    self.timeline.add("unhealthy", evidence=list(self.replica.evidence()))
                return dict(self.replica.snapshot())

    def _serves(self) -> bool:
        return poll(self.client.ask, within_s=self.pace.settle_within_s, clock=self.clock)

    def _must_name_scenarios(self, diagnosis: list[Checked]) -> None:
        """See that each diagnosis check can name something; one that cannot would be red and name no cause."""
        if not diagnosis:
            raise UsageError(self.runbook.slug, "there is no diagnosis check, so no cause could be named")
        for check in diagnosis:
            if not any(self.runbook.scenario_of(id_) for id_ in check.covers):
                hint = "mark it with covers(…) and the id of a scenario's section or step"
                raise UsageError(check.item, "this diagnosis check covers no scenario that it could name", hint=hint)

    def _inject(self) -> bool:
        """Inject every fault and see its effect; False where it was there before, or is not seen."""
        with self.course.phase("inject"), self.course.outside():
            present_before = [self._sees(fault, "before") for fault in self.case.faults]
            if any(present_before):
                self.facts.effect_seen = False
                return False
            for fault in self.case.faults:
                fault.inject(self.replica)
        with self.course.phase("confirm"), self.course.outside():
            seen = [confirm(fault, self.replica, self.clock) for fault in self.case.faults]
            for fault, present in zip(self.case.faults, seen, strict=True):
                self.timeline.add("fault", fault=fault.describe(), present=present, when="injected")
            self.facts.effect_seen = all(seen)
        if self.facts.effect_seen:
            self.course.t0_s = self.timeline.now_s()
            self.timeline.add("t0")
        return self.facts.effect_seen

    def _has_stayed(self) -> bool:
        """See that the faults are still on: what goes away by itself would be put down to the recovery."""
        with self.course.outside():
            for fault in self.case.faults:
                present = self._comes_to(True, fault, "diagnosed")
                self.facts.effect_stayed = present and self.facts.effect_stayed is not False
        return bool(self.facts.effect_stayed)

    def _comes_to(self, wanted: bool, fault: Fault, when: str) -> bool:
        """Look until a fault's effect is there, or is not; return what was seen last. Probes may be slow."""

        def as_wanted() -> bool:
            return fault.is_present(self.replica) is wanted

        present = wanted if poll(as_wanted, within_s=fault.effect_within_s, clock=self.clock) else not wanted
        self.timeline.add("fault", fault=fault.describe(), present=present, when=when)
        return present

    def _sees(self, fault: Fault, when: str) -> bool:
        present = fault.is_present(self.replica)
        self.timeline.add("fault", fault=fault.describe(), present=present, when=when)
        return present

    def _firing(self) -> list[str]:
        return [alert.name for alert in self.replica.alerts()]

    def _detect(self) -> None:
        """Wait for the declared alert; where none is declared, watch twice as long as one would take."""
        waits_s = sum(wait.drill_s for wait in self.replica.waits)
        wanted = self.expect.alert
        within_s = waits_s + self.pace.alert_slack_s if wanted else waits_s * 2 or self.pace.alert_slack_s
        with self.course.phase("detect"), self.course.outside():
            has_heard = poll(lambda: self._has_heard(wanted), within_s=within_s, clock=self.clock)
            if not self._alerts:
                self.timeline.add("alert.none", watched_s=within_s)
                return
            for wait in self.replica.waits:
                self.timeline.add("wait", what=wait.what, production_s=wait.production_s, drill_s=wait.drill_s)
                self.course.compress(wait.production_s - wait.drill_s)
            if wanted and has_heard:
                self.course.detected_s = self.timeline.now_s()

    def _has_heard(self, wanted: AlertSelector | None = None) -> bool:
        """Take down which alerts fire now; return whether the wanted one has fired, or any where none is."""
        for alert in self.replica.alerts():
            if alert not in self._alerts:
                labels = dict(alert.labels)
                self.timeline.add("alert.fired", alert=alert.name, labels=labels, since_t0_s=self.course.since_t0_s())
                self._alerts.append(alert)
        self.facts.alerts = self._alerts
        return wanted.is_among(self._alerts) if wanted else bool(self._alerts)

    def _diagnose(self, operator: Operator) -> set[str | None]:
        """Read everything, name the cause blind, and return the scenarios that have a diagnosis check."""
        with self.course.phase("diagnose"):
            self.facts.red_under_fault = self.verification.red("fault", 1)
            with self.course.outside():
                operator.bind(self._known_from_alerts())
                operator.read_all()
                if not self.case.alert:
                    self._has_heard()  # nobody is told at all, not only for the moment that was watched
            diagnosis = self.checks.diagnose(self.site, operator.transcript)
            self.facts.blind = not any(check.is_judged for check in diagnosis)
            if self.case.blind and self.facts.blind:
                self.verification.record(diagnosis, "fault")
            else:
                self.verification.checked(diagnosis, "fault")
            judged = {self.runbook.scenario_of(id_) for check in diagnosis for id_ in check.covers}
            blamed = {
                self.runbook.scenario_of(id_): check.seen
                for check in diagnosis
                if check.is_judged and not check.is_green
                for id_ in check.covers
            }
            self.facts.causes = [title for title in self.runbook.scenarios() if title in blamed]
            self.course.named_s = self.timeline.now_s()
            self.timeline.add(
                "cause.named",
                causes=list(self.facts.causes),
                evidence=[blamed[title] for title in self.facts.causes],
                since_t0_s=self.course.since_t0_s(),
            )
        return judged

    def _known_from_alerts(self) -> dict[str, str]:
        """Return what the alert gives for placeholders: its labels, and the time before the outage.

        Of several it is the one that fired first: it is what somebody is called for, and labels of two mixed would name
        a service that none of them is about.
        """
        alerts = (*self._alerts, *self.replica.alerts())
        alert = min(alerts, key=lambda alert: (alert.since_utc, alert.name), default=None)
        if alert is None:
            return {}
        known = dict(alert.labels)
        if alert.since_utc:
            waits_s = sum(wait.drill_s for wait in self.replica.waits)
            before = datetime.fromisoformat(alert.since_utc) - timedelta(seconds=waits_s)
            known["utc-before-outage"] = before.strftime("%Y-%m-%dT%H:%M:%SZ")
        return known

    def _recover(self, operator: Operator, judged: set[str | None]) -> Recovery:
        recovery = Recovery(self.runbook, self.replica, operator)
        with self.course.phase("recover"):
            with self.course.outside():
                self.custody.look()
            for title, why in recovery.plan(self.facts.causes or (), judged):
                self.timeline.add("route", scenario=title, why=why)
                with self.course.outside():
                    has_run = recovery.carry_out(title)
                if not has_run:
                    text = f"{title}: nothing of it could be run, so nothing came of it"
                    self.timeline.add("note", text=text, passed_over=title)
                    self.facts.passed_over.append(title)
                    continue
                self.facts.routes.append(title)
                red = self.verification.red_until_verified("recovery", operator.last_change_s)
                self.timeline.add("route.end", scenario=title, red=red)
                if not red:
                    self.facts.healed_by = title
                    break
            with self.course.outside():
                # A replica that is gone must not be taken for a recovery that failed.
                self.replica.host("operator").run("true")
            self.facts.recovery_ended = True
        return recovery

    def _after_recovery(self, operator: Operator, client: Client) -> None:
        if self.facts.healed_by:
            self.timeline.add("restored", since_t0_s=self.course.since_t0_s(self.course.restored_s))
            with self.course.outside():
                self._resolve_alert()
                self._rest_of_document(operator)
        with self.course.outside():
            client.stop()
            if self.course.held_s is not None:
                origin_s = self.clock.monotonic_s() - self.timeline.now_s()
                self.facts.client_failures = failed_again(client.calls, origin_s + self.course.held_s)
            self.facts.gone_after_revert = self._revert()
        if not self.facts.healed_by:
            # One green round says that nothing else is broken; that it holds is not what was declared.
            left = self.verification.red_until_verified("reverted", self.timeline.now_s(), rounds=1)
            self.facts.green_after_revert = not left
        self._look_at_what_was_shown(operator)
        with self.course.outside():
            self.custody.settle(self.pace.settle_within_s)
        reckon_impact(self.course, client, self.site.slo, self.clock)

    def _look_at_what_was_shown(self, operator: Operator) -> None:
        """See that commands printed what the row declares; a command that ran is not yet one that did something."""
        not_shown: list[str] = []
        for id_, pattern in self.case.shows.items():
            lines = [line for record in operator.transcript if record.id == id_ for line in record.lines()]
            line = next((line for line in lines if re.search(pattern, line)), None)
            self.timeline.add("shown", id=id_, pattern=pattern, line=line)
            if line is None:
                last = lines[-1].strip()[-200:] if lines else "nothing"
                not_shown.append(f"declared that {id_} shows {pattern!r}, it printed {last}")
        self.facts.not_shown = not_shown

    def _resolve_alert(self) -> None:
        """None fired before the fault, so none may fire after the recovery, also none that the recovery set off."""
        within_s = self.pace.alert_slack_s
        self.facts.alert_resolved = poll(lambda: not self._firing(), within_s=within_s, clock=self.clock)
        if self.facts.alert_resolved and (alert := self.expect.alert):
            labels = dict(alert.labels)
            self.timeline.add("alert.resolved", alert=alert.name, labels=labels, since_t0_s=self.course.since_t0_s())

    def _rest_of_document(self, operator: Operator) -> None:
        """Run what the document says after the recovery: verification as it stands there, messages, the impact."""
        for step, command in self.runbook.commands():
            if step.phase in {Phase.VERIFY, Phase.COMMUNICATE, Phase.ESCALATE}:
                operator.run(step, command)
        for post in self.replica.posted():
            self.timeline.add("posted", path=post["path"], body=post["body"])

    def _revert(self) -> bool:
        """Take the faults back and return whether all of them are gone."""
        gone = True
        self.facts.still_there = False
        for fault in reversed(self.case.faults):
            if self._sees(fault, "recovered") and self.facts.healed_by:
                self.facts.still_there = True
                self.timeline.add("note", text=f"{self.facts.healed_by} goes around the fault, which was still there")
            fault.revert(self.replica)
            gone = not self._comes_to(False, fault, "reverted") and gone
        return gone

    def _revert_on_the_way_out(self) -> None:
        """Take back what was not taken back yet; a fault that resists goes with its replica."""
        for fault in reversed(self.case.faults):
            try:
                fault.revert(self.replica)
            except DrillbookError as error:
                self.timeline.add("note", text=f"revert on the way out: {error}")

    def _until_ready(self, wait_s: float) -> float:
        """Stand in for a ``sleep`` of the document: until a customer is served, at most its compressed seconds."""
        begin_s = self.timeline.now_s()
        limit_s = max(wait_s / self.replica.time_factor, 2 * self.replica.healthy_start_s)
        poll(self.client.ask, within_s=limit_s, clock=self.clock)
        took_s = self.timeline.now_s() - begin_s
        self.course.compress(wait_s - took_s)
        return took_s

    def _stop(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the replica; where that fails after something else did, what came first is what is told."""
        try:
            with self.course.phase("stop"), self.course.outside():
                self.replica.stop()
        except (EvidenceError, OSError):
            self.replica.stop()  # also where nothing can be written down or shown any more
            raise
        except DrillbookError as later:
            self.facts.not_removed = str(later)
            if error is None:
                raise
