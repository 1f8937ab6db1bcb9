"""What is reckoned up once a drill's recovery is over: impact, budgets, residue."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch

from drillbook.budget import Budget, Milestone
from drillbook.client import Client, impact
from drillbook.clock import Clock, poll
from drillbook.course import Course
from drillbook.replica import Replica, Snapshot
from drillbook.site import Slo

__all__ = ["changes", "reckon_budgets", "reckon_impact", "reckon_residue"]


def reckon_impact(course: Course, client: Client, slo: Slo, clock: Clock) -> None:
    """Record what the client felt between the fault and the restoration."""
    origin_s = clock.monotonic_s() - course.timeline.now_s()
    end_s = course.timeline.now_s() if course.restored_s is None else course.restored_s
    felt = impact(client.calls, origin_s + course.t0_s, origin_s + end_s, slo, compressed_s=course.compressed_s(end_s))
    course.timeline.add(
        "impact",
        requests=felt.requests,
        failed=felt.failed,
        failed_ratio=round(felt.failed_ratio, 4),
        down_s=round(felt.down_s, 2),
        down_by_s={part: round(down_s, 2) for part, down_s in felt.down_by_s.items()},
        slo=slo.availability_ratio,
        window_s=slo.window_s,
        budget_ratio=round(felt.budget_ratio, 6),
    )


def reckon_budgets(course: Course, lines: Mapping[Budget, int]) -> None:
    """Record, for each limit that the document states, the production seconds that the drill stands for."""
    reached = {
        Milestone.DETECTED: course.detected_s,
        Milestone.NAMED: course.named_s,
        Milestone.RESTORED: course.restored_s,
    }
    missed: list[str] = []
    for budget, line in lines.items():
        at_s = reached.get(budget.milestone)
        drill_s = None if at_s is None else course.since_t0_s(at_s)
        spent_s = None if drill_s is None else drill_s + course.compressed_s(at_s)
        met = None if spent_s is None else spent_s <= budget.limit_s()
        if met is False and not budget.is_goal:
            missed.append(budget.quote)
        course.timeline.add(
            "budget",
            name=budget.milestone,
            limit_s=budget.limit_s(),
            spent_s=None if spent_s is None else round(spent_s, 1),
            drill_s=None if drill_s is None else round(drill_s, 1),
            met=met,
            quote=budget.quote,
            line=line,
        )
    course.facts.missed_budgets = missed


def reckon_residue(
    course: Course, replica: Replica, before: Snapshot, may_change: Sequence[str], clock: Clock, within_s: float
) -> None:
    """Record what differs from the state before the fault; what no recovery declares is left behind.

    Args:
        course: Of the drill.
        replica: Where is looked.
        before: The state before the fault.
        may_change: Patterns of keys that the recoveries declare.
        clock: Where time comes from.
        within_s: Seconds that what a revert has ended or begun has to settle.
    """
    found: list[dict[str, object]] = []

    def is_clean() -> bool:
        found[:] = changes(before, replica.snapshot(), may_change)
        return all(change["declared"] for change in found)

    poll(is_clean, within_s=within_s, clock=clock, every_s=0.5)
    course.facts.undeclared = [str(change["key"]) for change in found if not change["declared"]]
    course.timeline.add("residue", changes=found)


def changes(before: Snapshot, after: Snapshot, may_change: Sequence[str]) -> list[dict[str, object]]:
    """Return what differs between two snapshots, with whether the recovery declares it; pure."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return [
        {
            "key": key,
            "before": before.get(key),
            "after": after.get(key),
            "declared": any(fnmatch(key, pattern) for pattern in may_change),
        }
        for key in keys
    ]
