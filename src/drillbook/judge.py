"""What a drill's facts amount to; pure, so that every way to a verdict can be tested by hand-written facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from drillbook.alerts import Alert, AlertSelector
from drillbook.model import is_titled
from drillbook.outcome import Outcome
from drillbook.work import Loss, Work

__all__ = ["Expect", "Facts", "judge"]


@dataclass(frozen=True, slots=True)
class Expect:
    """What a fault's row in the table declares.

    Attributes:
        alert: The alert that must fire, or None: no alert fires (a finding about the alerts).
        cause: Beginning of the title of the scenario that diagnosis must name, or None: the document does not know it.
        heals: Beginning of the title of the scenario after which verification is green, or None: the document, as
            mended, does not heal this fault.
        goes_around: True where the healing scenario leaves the fault where it is.
        loses: Ids of the commands that lose accepted work, as the document warns.
        blind: True where the fault takes away what diagnosis looks through, so that no check of it can be judged.
    """

    alert: AlertSelector | None
    cause: str | None
    heals: str | None
    goes_around: bool = False
    loses: tuple[str, ...] = ()
    blind: bool = False


@dataclass(slots=True)
class Facts:
    """What a drill saw. ``None`` means that it did not come so far."""

    false_alarms: Sequence[str] = ()
    unhealthy_before: Sequence[str] = ()
    effect_seen: bool | None = None
    effect_stayed: bool | None = None
    alerts: Sequence[Alert] | None = None
    red_under_fault: Sequence[str] | None = None
    causes: Sequence[str] | None = None
    blind: bool | None = None
    healed_by: str | None = None
    routes: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    recovery_ended: bool = False
    still_there: bool | None = None
    client_failures: int | None = None
    gone_after_revert: bool | None = None
    green_after_revert: bool | None = None
    alert_resolved: bool | None = None
    work: Work | None = None
    not_shown: Sequence[str] = ()
    undeclared: Sequence[str] = ()
    missed_budgets: Sequence[str] = ()
    trouble: str | None = None
    not_removed: str | None = None


def judge(expect: Expect, facts: Facts) -> tuple[Outcome, list[str]]:
    """Return a drill's outcome and the reasons for it, the gravest first.

    FAILED beats UNKNOWN: what was seen to be wrong stays wrong even if the rest could not be seen.
    """
    failed = _failures(expect, facts)
    unknown = _unknowns(expect, facts)
    if failed:
        return Outcome.FAILED, failed + unknown
    if unknown:
        return Outcome.UNKNOWN, unknown
    if expect.heals is None:
        passed_over = f"; nothing could be run of: {_list(facts.passed_over)}" if facts.passed_over else ""
        return Outcome.NOT_COVERED, [
            f"no recovery of the document heals this fault (tried: {_list(facts.routes)}{passed_over}), as declared"
        ]
    return Outcome.PASSED, []


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _failures(expect: Expect, facts: Facts) -> list[str]:
    failed: list[str] = []
    if facts.false_alarms:
        failed.append(f"diagnosis names a cause on the healthy replica: {_list(facts.false_alarms)}")
    if facts.effect_seen:
        failed += _detection(expect, facts) + _diagnosis(expect, facts)
    if facts.recovery_ended:
        failed += _recovery(expect, facts)
    if facts.alert_resolved is False:
        failed.append(f"alert {expect.alert or 'of some other name'} still fires after the recovery")
    failed += facts.not_shown
    if facts.work:
        failed += _work(expect, facts.work)
    elif facts.recovery_ended and expect.loses:
        failed.append(f"declared that {_list(expect.loses)} loses accepted work, of which the replica keeps no account")
    if facts.undeclared:
        failed.append(f"left behind and not declared: {_list(facts.undeclared)}")
    failed += [f"over budget: {missed}" for missed in facts.missed_budgets]
    return failed


def _detection(expect: Expect, facts: Facts) -> list[str]:
    if facts.alerts is None:
        return []
    if expect.alert is None:
        names = dict.fromkeys(alert.name for alert in facts.alerts)
        return [f"declared that no alert fires, {_list(list(names))} fired"] if names else []
    if expect.alert.is_among(facts.alerts):
        return []
    return [f"alert {expect.alert} did not fire (firing: {_list(expect.alert.tell(facts.alerts))})"]


def _diagnosis(expect: Expect, facts: Facts) -> list[str]:
    failed: list[str] = []
    if facts.red_under_fault is not None and not facts.red_under_fault:
        failed.append("verification is blind: every check was green while the fault was on")
    if expect.blind and facts.blind is False:
        failed.append("declared that diagnosis can see nothing, it could be judged")
    if facts.causes is not None:
        named = [title for title in facts.causes if expect.cause is None or not is_titled(title, expect.cause)]
        missing = expect.cause is not None and not any(is_titled(title, expect.cause) for title in facts.causes)
        if named or missing:
            failed.append(f"diagnosis had to name {expect.cause or 'no cause'}, it named {_list(facts.causes)}")
    return failed


def _recovery(expect: Expect, facts: Facts) -> list[str]:
    healed, declared = facts.healed_by, expect.heals
    if declared is None:
        return [f"declared as not covered, yet {healed} heals it"] if healed else []
    if healed is None:
        return [f"verification stays red after {_list(facts.routes)}"]
    failed: list[str] = []
    if not is_titled(healed, declared):
        failed.append(f"declared that {declared} heals it, {healed} did")
    if facts.still_there and not expect.goes_around:
        failed.append(f"verified after {healed}, although the fault was still there (and goes_around not declared)")
    if facts.client_failures:
        failed.append(f"verified after {healed}, although {facts.client_failures} requests of the client failed then")
    return failed


def _work(expect: Expect, work: Work) -> list[str]:
    """Judge what became of the accepted work: only what the document warns of may be lost."""
    failed = [
        f"{len(loss.keys)} accepted pieces of work are lost, by {_list(loss.by) if loss.by else 'the fault itself'}: "
        f"{_few(loss.keys)}"
        for loss in work.losses
        if not _is_warned_of(loss, expect)
    ]
    blamed = {command for loss in work.losses for command in loss.by}
    failed += [
        f"declared that {command} loses accepted work, it lost none"
        for command in expect.loses
        if command not in blamed
    ]
    if work.waiting:
        failed.append(f"{len(work.waiting)} accepted pieces of work still wait: {_few(work.waiting)}")
    if work.duplicated:
        failed.append(f"{len(work.duplicated)} accepted pieces of work were done twice: {_few(work.duplicated)}")
    if work.wrong:
        failed.append(f"{len(work.wrong)} accepted pieces of work were done wrong: {_few(work.wrong)}")
    return failed


def _is_warned_of(loss: Loss, expect: Expect) -> bool:
    return bool(set(loss.by) & set(expect.loses))


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (" …" if len(keys) > 3 else "")


def _unknowns(expect: Expect, facts: Facts) -> list[str]:
    unknown: list[str] = list(dict.fromkeys(said for said in (facts.trouble, facts.not_removed) if said))
    if facts.unhealthy_before:
        unknown.append(f"the replica was not healthy before the fault: {_list(facts.unhealthy_before)}")
    if facts.effect_seen is False:
        unknown.append("an independent probe did not see the fault's effect, so nothing is proved")
    if facts.effect_stayed is False:
        unknown.append("the fault's effect was gone before any recovery began, so nothing is proved")
    if facts.gone_after_revert is False:
        unknown.append("the fault is still there after it was reverted")
    if expect.heals is None and facts.green_after_revert is False:
        unknown.append("verification stays red after the fault was reverted: something else is broken too")
    if facts.work and facts.work.unseen:
        unknown.append(f"accepted work cannot be accounted for, because {_list(facts.work.unread)} cannot be read")
    if not facts.recovery_ended and not unknown:
        unknown.append("the drill did not come to its end")
    return unknown or _unseen(expect, facts)


def _unseen(expect: Expect, facts: Facts) -> list[str]:
    """Return what a drill that came to its end should have looked at and did not: nothing is taken for granted."""
    wanted: dict[str, object] = {
        "the fault's effect": facts.effect_seen,
        "whether it stayed until the recovery": facts.effect_stayed,
        "the alerts": facts.alerts,
        "verification under the fault": facts.red_under_fault,
        "the diagnosis": facts.causes,
        "whether the fault was gone after its revert": facts.gone_after_revert,
    }
    if facts.healed_by:
        wanted["whether the recovery removed the fault"] = facts.still_there
        wanted["what the client felt after the recovery"] = facts.client_failures
        wanted["whether alerts still fire"] = facts.alert_resolved
    else:
        wanted["verification after the revert"] = facts.green_after_revert
    return [f"not looked at: {what}" for what, fact in wanted.items() if fact is None]
