"""A row of a runbook's table, and what a drill of it needs and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from drillbook.alerts import AlertSelector
from drillbook.evidence import Checked, Transcript
from drillbook.faults import Fault
from drillbook.judge import Expect
from drillbook.outcome import Outcome
from drillbook.site import Site

__all__ = ["DEFAULT_PACE", "Case", "Checks", "Pace", "Result"]


class Checks(Protocol):
    """Runs the checks of one runbook; the plugin has them run by pytest."""

    def verify(self, site: Site) -> list[Checked]:
        """Run every verification check once."""
        ...

    def diagnose(self, site: Site, transcript: Transcript) -> list[Checked]:
        """Run every diagnosis check on a transcript."""
        ...


_USUAL_START_S = 60.0
"""More than a healthy start takes on two cores; where they are emulated, ten times slower, it takes some 200 s."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a drill waits for what (float seconds).

    Attributes:
        ready_within_s: For the replica's services after its start.
        settle_within_s: For the first green round after the last change of one recovery, before the next one is tried;
            at least three times a healthy start.
        hold_rounds: Green rounds in a row, none of them red, that make "verified".
        hold_gap_s: Between the beginnings of two of these rounds, where one does not take longer.
        alert_slack_s: For an alert on top of the replica's own compressed waits.
        ask_every_s: Between the beginnings of two requests of the customer that keeps calling.
    """

    ready_within_s: float = 180.0
    settle_within_s: float = 10.0
    hold_rounds: int = 3
    hold_gap_s: float = 1.0
    alert_slack_s: float = 15.0
    ask_every_s: float = 0.1

    def on_machine(self, healthy_start_s: float) -> "Pace":
        """Return the pace for a machine on which the replica's services take so long to start.

        A deadline says what is hopeless, and that depends on the machine: services get three healthy starts to settle,
        and an alert two on top of its waits. Where a start takes more than a minute, the customer calls less often: its
        requests must not keep a processor busy that the services and their verification need.
        """
        return replace(
            self,
            settle_within_s=max(self.settle_within_s, 3 * healthy_start_s),
            alert_slack_s=max(self.alert_slack_s, 2 * healthy_start_s),
            ask_every_s=max(self.ask_every_s, (healthy_start_s - _USUAL_START_S) / 40),
        )


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Result:
    """How a drill ended.

    Attributes:
        outcome: PASSED, FAILED, UNKNOWN or NOT COVERED.
        reasons: Why, the gravest first; empty where it passed.
        took_s: From the replica's start to its removal.
        engine_s: Of these, what was spent by the engine itself and not by the system, its commands or waiting for it.
        never_red: Verification checks that were green in every round under the fault.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    took_s: float
    engine_s: float
    never_red: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a runbook's table: what is broken, and what is declared of it.

    Attributes:
        id: Name of the row.
        faults: None or more; injected in this order.
        alert: The alert that must fire, as Prometheus selects it: ``Name`` or, where several services share one,
            ``Name{label="value"}``. None: no alert fires (a finding about the alerts).
        cause: Beginning of the title of the scenario that must be named, or None: the document does not know it.
        heals: Beginning of the title of the scenario that heals it, or None: the document, as mended, does not.
        goes_around: True where that scenario leaves the fault where it is and serves customers in another way.
        loses: Ids of the commands that lose accepted work, as the document warns. Other losses fail the drill, and so
            does a command that is declared here and loses nothing.
        shows: What commands of the document must print in this drill: id -> regular expression, searched in each line
            of stdout and stderr. For what no check looks at: a backtrace that is read, a page that is put up.
        blind: True where the fault takes away what diagnosis looks through (kubectl's API server, say): no check of it
            can be judged, and no cause is named. Elsewhere such a drill is UNKNOWN.
        seed: For what is random in it.
    """

    id: str
    faults: tuple[Fault, ...]
    alert: str | None
    cause: str | None
    heals: str | None
    goes_around: bool = False
    loses: tuple[str, ...] = ()
    shows: Mapping[str, str] = field(default_factory=dict)
    blind: bool = False
    seed: int = 0

    @property
    def expect(self) -> Expect:
        """What is declared.

        Raises:
            UsageError: the alert is none that can be selected.
        """
        alert = AlertSelector.parse(self.alert, f"case {self.id}") if self.alert else None
        return Expect(alert, self.cause, self.heals, self.goes_around, self.loses, self.blind)
