"""The ``drill`` fixture: from a row of a table to a judged drill."""

from collections.abc import Callable, Sequence

import pytest

from drillbook.budget import Budget
from drillbook.case import DEFAULT_PACE, Case, Pace, Result
from drillbook.clock import SystemClock
from drillbook.drill import Drill
from drillbook.errors import DrillUnknown
from drillbook.outcome import Outcome
from drillbook.plugin.nested import PytestChecks
from drillbook.plugin.state import DRILL_OUTCOME, RUN

__all__ = ["drill"]


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Run one case of the table; red, unknown or not covered as it turns out.

    Call it as ``drill(case, budgets=BUDGETS)``. It raises AssertionError where the drill failed and DrillUnknown where
    nothing was proved.
    """
    from drillbook.replica.loader import load_replica

    config = request.config
    run = config.stash[RUN]
    slug = request.path.stem.removeprefix("test_").replace("_", "-")
    checks = PytestChecks(config, config.rootpath / "checks" / request.path.name)

    def run_drill(case: Case, *, budgets: Sequence[Budget] = (), pace: Pace = DEFAULT_PACE) -> Result:
        result = Drill(
            case=case,
            runbook=run.runbooks[slug],
            make_replica=lambda: load_replica(config.rootpath, slug, run.context),
            checks=checks,
            timeline=run.timeline.bound(drill=f"{slug}/{case.id}"),
            clock=SystemClock(),
            budgets=budgets,
            pace=pace,
        ).run()
        request.node.stash[DRILL_OUTCOME] = result.outcome
        if result.outcome is Outcome.FAILED:
            raise AssertionError("; ".join(result.reasons))
        if result.outcome is Outcome.UNKNOWN:
            raise DrillUnknown(f"{slug}/{case.id}", "nothing is proved", evidence="\n".join(result.reasons))
        return result

    return run_drill
