"""The recovery of a document: the named scenario first, then the document's general routes, in its own order."""

from collections.abc import Iterator, Sequence, Set

from drillbook.model import Phase, Runbook, Step, is_titled
from drillbook.operator import Operator, reading_commands
from drillbook.replica import Replica

__all__ = ["Recovery"]


class Recovery:
    """Carries out scenarios on a replica, hand steps included, and knows what they may change there."""

    def __init__(self, runbook: Runbook, replica: Replica, operator: Operator) -> None:
        self._runbook = runbook
        self._replica = replica
        self._operator = operator
        self._by_hand = {hand.step: hand for hand in replica.hand_steps}
        self._read_already = {command.id for _, command in reading_commands(runbook)}
        self._tried: list[str] = []

    def plan(self, causes: Sequence[str], judged: Set[str | None]) -> Iterator[tuple[str, str]]:
        """Yield scenario titles with the reason, lazily, in the order in which they are tried.

        Args:
            causes: Titles that diagnosis named.
            judged: Titles that have a diagnosis check; the other recovering scenarios are routes, open to every cause.
        """
        for title in causes:
            yield title, "named by diagnosis"
        for title in self._runbook.scenarios():
            recovers = any(step.phase is Phase.RECOVER for step in self._runbook.of_scenario(title))
            if recovers and title not in judged:
                yield title, "general route: " + ("what was named did not heal it" if causes else "no cause was named")

    def carry_out(self, title: str) -> bool:
        """Run one scenario's steps in the document's order; False where nothing of it could be run."""
        has_run = False
        for step in self._runbook.of_scenario(title):
            if step.hand:
                has_run |= self._by_person(step)
            for command in step.commands:
                if command.id in self._read_already:
                    self._operator.skip(step, command, "read already, before the recovery")
                else:
                    has_run |= bool(self._operator.run(step, command, is_patient=True).ran)
        if has_run:
            self._tried.append(title)
        return has_run

    def _by_person(self, step: Step) -> bool:
        hand = self._by_hand.get(step.id)
        if hand is None:
            self._operator.note_done(step, None, "only a person can do this; the drill went on without it")
            return False
        try:
            did = hand.does(self._replica, self._operator.transcript.text())
        except LookupError as nothing:
            self._operator.note_done(step, None, str(nothing.args[0] if nothing.args else nothing))
            return False
        self._operator.note_done(step, did)
        return True

    def may_change(self) -> list[str]:
        """Return the patterns of snapshot keys that the scenarios carried out so far declare."""
        return [
            pattern
            for scenario, patterns in self._replica.changes.items()
            for pattern in patterns
            if any(is_titled(title, scenario) for title in self._tried)
        ]
