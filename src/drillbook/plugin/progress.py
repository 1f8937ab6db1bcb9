"""What is happening now: one line that is rewritten on a terminal, plain lines elsewhere."""

from collections.abc import Callable

from drillbook.timeline import Event
from drillbook.units import format_duration

__all__ = ["Progress"]

_NOW = {
    "start": "starting the replica",
    "steady": "steady state: every check green, no alert, no cause named",
    "inject": "injecting the fault",
    "confirm": "waiting for an independent probe to see its effect",
    "detect": "waiting for the alert",
    "diagnose": "running the runbook's reading commands",
    "recover": "running the runbook's recovery",
    "verify": "verifying",
    "residue": "looking for what was left behind",
    "stop": "removing the replica",
}


class Progress:
    """Turns a drill's events into progress.

    Args:
        say: Writes a line that stays.
        show: Rewrites the current line; None where there is no terminal, then phases are said instead.
    """

    def __init__(self, say: Callable[[str], None], show: Callable[[str], None] | None) -> None:
        self._say = say
        self._show = show
        self._t0_s: float | None = None

    def __call__(self, event: Event) -> None:
        fields = event.fields
        if event.kind == "drill.begin":
            self._t0_s = None
            self._say(f"drill {fields['drill']}: {'; '.join(fields['faults'])}")
        elif event.kind == "t0":
            self._t0_s = event.at_s
        elif event.kind == "phase.begin":
            self._now(event, _NOW.get(fields["phase"], fields["phase"]))
        elif event.kind == "progress":
            self._now(event, fields["text"])
        elif event.kind == "command" and self._show and not fields["skipped"]:
            self._now(event, f"$ {fields['text'].splitlines()[0]}")
        elif event.kind in _SAID:
            self._say(self._stamp(event) + _SAID[event.kind](fields))

    def _stamp(self, event: Event) -> str:
        since = "" if self._t0_s is None else f"fault + {event.at_s - self._t0_s:4.1f} s"
        return f"  {since:15} "

    def _now(self, event: Event, what: str) -> None:
        if self._show:
            self._show(self._stamp(event) + what)
        else:
            self._say(self._stamp(event) + what)


def _still_red(red: list[str]) -> str:
    if not red:
        return "every check is green"
    more = f" and {len(red) - 1} more" if len(red) > 1 else ""
    return f"still red: {red[0]}{more}"


_SAID: dict[str, Callable[..., str]] = {
    "alert.fired": lambda it: f"alert {it['alert']} fires",
    "alert.none": lambda it: f"no alert fires within {format_duration(it['watched_s'])}",
    "cause.named": lambda it: "diagnosis names: " + (", ".join(it["causes"]) or "no cause that the runbook knows"),
    "route": lambda it: f"recovery: {it['scenario']} ({it['why']})",
    "route.end": lambda it: _still_red(it["red"]),
    "restored": lambda it: "verified: green in every round of the window",
    "drill.end": lambda it: "; ".join([f"{it['outcome']} in {format_duration(it['took_s'])}", *it["reasons"]]),
}
