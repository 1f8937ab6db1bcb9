"""The operator: runs the document's commands where they belong and writes down what came back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile

from drillbook.effects import shows_secret
from drillbook.errors import CommandRefused, CommandTimeout
from drillbook.evidence import Finding, Record, Transcript
from drillbook.found import found_in
from drillbook.model import Command, Effect, Phase, Runbook, Step
from drillbook.placeholders import assigned, bind
from drillbook.redact import REDACTED
from drillbook.rewrite import Rewritten, rewrite, typed_into
from drillbook.site import Site
from drillbook.target import Output
from drillbook.timeline import Timeline

__all__ = ["Operator", "reading_commands"]

READ_DEADLINE_S = 15.0
CHANGE_DEADLINE_S = 120.0
"""A restart waits for a graceful stop (10 s a container by default) and for an image that may have to be pulled."""


def reading_commands(runbook: Runbook) -> Iterator[tuple[Step, Command]]:
    """Yield what diagnosis reads: alert, triage and diagnosis sections, and each scenario up to its first change."""
    for step, command in runbook.commands():
        if step.phase in {Phase.DETECT, Phase.DIAGNOSE} and step.scenario is None and command.effect is Effect.READ:
            yield step, command
    for title in runbook.scenarios():
        of_scenario = [(step, command) for step in runbook.of_scenario(title) for command in step.commands]
        yield from takewhile(lambda pair: pair[1].effect is Effect.READ, of_scenario)


class Operator:
    """Runs commands of one document on one site, in the operator's shell, and keeps the transcript.

    Args:
        site: Where they run.
        timeline: Gets one event a command.
        wait_until_ready: Called with seconds where the document sleeps; returns the seconds that it took. None skips
            the sleep (diagnosis on a real system does not wait).
        vouched: True where the target file vouches for what is run.
        kind: Of the events: ``command``, or ``rehearsal`` on a system that is well.
        when_changed: Called with each command that may have changed something, when it has ended.
    """

    def __init__(
        self,
        site: Site,
        timeline: Timeline,
        wait_until_ready: Callable[[float], float] | None = None,
        *,
        vouched: bool = False,
        kind: str = "command",
        when_changed: Callable[[Command], None] | None = None,
    ) -> None:
        self.site = site
        self.transcript = Transcript()
        self.last_change_s = timeline.now_s()
        self._timeline = timeline
        self._wait_until_ready = wait_until_ready
        self._vouched = vouched
        self._kind = kind
        self._when_changed = when_changed
        self._variables: dict[str, str] = dict(site.variables)
        self._found: dict[str, str] = {}
        self._assigned: set[str] = set()

    def bind(self, variables: Mapping[str, str]) -> None:
        """Add values for placeholders (labels of the alert, say); earlier values stay."""
        self._variables = {**variables, **self._variables}

    def read_all(self) -> Transcript:
        """Run every reading command of the document's diagnosis, in order, and return the transcript.

        Nothing comes between them, so what a command printed is taken for a later one with the very same text, too.
        """
        read: dict[str, Record] = {}
        for step, command in reading_commands(self.site.runbook):
            same = read.get(command.text) if not command.inside else None
            if same and not same.skipped:
                record = replace(same, id=command.id, phase=step.phase)
                self.transcript.append(record)
                self._tell(step, command, record, (), 0.0, same_as=same.id)
            else:
                read[command.text] = self.run(step, command)
        return self.transcript

    def run(self, step: Step, command: Command, *, is_patient: bool = False) -> Record:
        """Run one command, or write down why it is not run.

        Args:
            step: Where it stands.
            command: What is run.
            is_patient: Give it the time of one that changes something: in a recovery, what reads also waits.

        Raises:
            TargetUnreachable: The operator's host does not answer.
        """
        known = {**self._found, **self._variables}
        bound = bind(command.text, known, self._assigned)
        if bound.unbound:
            return self._skip(step, command, f"no value for {', '.join(bound.unbound)}")
        openers = [bind(opener.text, known, self._assigned) for opener in self._openers(command)]
        if unbound := [name for opener in openers for name in opener.unbound]:
            return self._skip(step, command, f"no value for {', '.join(unbound)}")
        self._assigned |= assigned(bound.text)
        changed = typed_into([opener.text for opener in openers], bound.text) if openers else rewrite(bound.text)
        if changed.wait_s:
            waited = self._wait(step, command, changed)
            if not changed.text:
                return waited
        vouched = self._vouched or command.id in self.site.reads
        usual_s = READ_DEADLINE_S if command.effect is Effect.READ and not is_patient else CHANGE_DEADLINE_S
        deadline_s = max(usual_s, self.site.deadline_s)
        try:
            output = self.site.host_for("operator", vouched=vouched).run(changed.text, deadline_s=deadline_s)
        except CommandTimeout:
            record = self._skip(step, command, f"did not end within {deadline_s:.0f} s", ran=changed.text)
        except CommandRefused as refused:
            return self._skip(step, command, refused.problem)
        else:
            record = self._record(step, command, changed, output)
        if command.effect is not Effect.READ:
            self.last_change_s = self._timeline.now_s()
            if self._when_changed:
                self._when_changed(command)
        return record

    def _openers(self, command: Command) -> list[Command]:
        """Return what opens the clients that a command is typed into, outermost first."""
        openers: list[Command] = []
        inside = command.inside
        while inside:
            opener = self.site.runbook.find(inside)
            assert isinstance(opener, Command)
            openers.insert(0, opener)
            inside = opener.inside
        return openers

    def run_or_raise(self, step: Step, command: Command) -> Record:
        """Run one command for a check.

        Raises:
            TargetUnreachable: The operator's host does not answer, a placeholder has no value, or more was printed than
                is kept.
            CommandRefused: The read-only guard does not let it through.
            Finding: It did not come to an end in time.
        """
        record = self.run(step, command)
        if record.exit_status is not None:
            return record.whole()
        if record.ran:
            raise Finding(f"`{command.text}` to come to an end", record.skipped or "")
        raise CommandRefused(f"{self.site.runbook.path.name}:{command.line}", f"was not run: {record.skipped}")

    def note_done(self, step: Step, did: str | None, why: str = "") -> None:
        """Write down what was done by hand, or why it was not."""
        self._timeline.add("hand", step=step.id, line=step.line, instruction=step.hand, did=did, why=why)

    def skip(self, step: Step, command: Command, why: str, *, ran: str = "") -> Record:
        """Write down why a command has no output (not run, or ``ran`` in vain); it does not enter the transcript."""
        record = Record(command.id, command.text, ran, None, skipped=why, phase=step.phase)
        self._tell(step, command, record, (), 0.0)
        return record

    def _skip(self, step: Step, command: Command, why: str, *, ran: str = "") -> Record:
        record = self.skip(step, command, why, ran=ran)
        self.transcript.append(record)
        return record

    def _wait(self, step: Step, command: Command, changed: Rewritten) -> Record:
        took_s = self._wait_until_ready(changed.wait_s) if self._wait_until_ready else 0.0
        if self._wait_until_ready:
            self._timeline.add("wait", what=command.text, production_s=changed.wait_s, drill_s=round(took_s, 3))
        record = Record(command.id, command.text, f"until ready: {took_s:.1f} s", 0, phase=step.phase)
        self.transcript.append(record)
        self._tell(step, command, record, changed.rules, took_s)
        return record

    def _record(self, step: Step, command: Command, changed: Rewritten, output: Output) -> Record:
        record = Record(
            command.id,
            command.text,
            changed.text,
            output.exit_status,
            output.out,
            output.err,
            phase=step.phase,
            dropped_bytes=output.dropped_bytes,
        )
        self.transcript.append(record)
        self._found.update(found_in([record]))
        self._tell(step, command, record, changed.rules, output.took_s)
        return record

    def _tell(
        self,
        step: Step,
        command: Command,
        record: Record,
        rules: tuple[str, ...],
        took_s: float,
        **more: str,
    ) -> None:
        self._timeline.add(
            self._kind,
            id=command.id,
            step=step.id,
            line=command.line,
            phase=step.phase,
            scenario=step.scenario,
            text=command.text,
            ran=record.ran,
            rules=list(rules),
            exit_status=record.exit_status,
            stdout=REDACTED if record.out and shows_secret(record.ran) else record.out,
            stderr=record.err,
            dropped_bytes=record.dropped_bytes,
            took_s=round(took_s, 4),
            skipped=record.skipped,
            **more,
        )
