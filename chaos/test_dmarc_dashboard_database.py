"""Drills of the DMARC dashboard's database: what breaks, and what is declared of it."""

from pathlib import Path

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.replica.loader import load_fixture

FIXTURE = Path(__file__).parent.parent / "fixtures" / "dmarc-dashboard"
FAULTS = load_fixture(FIXTURE / "faults.py").database_faults()

BUDGETS = (
    Budget(Milestone.PERSON, "Response time: 5 minutes"),
    Budget(Milestone.RESTORED, "Not resolved within 15 minutes"),
)

TABLE = (
    Case("stopped", (FAULTS["stopped"],), alert="DMARCDatabaseDown", cause="Scenario 1", heals="Scenario 1"),
    Case("unreachable", (FAULTS["unreachable"],), alert="DMARCDatabaseDown", cause="Scenario 2", heals="Scenario 2"),
    Case("name", (FAULTS["name"],), alert="DMARCReportsWaiting", cause="Scenario 2", heals="Scenario 2"),
    Case("connections", (FAULTS["connections"],), alert="DMARCReportsWaiting", cause="Scenario 3", heals="Scenario 3"),
    Case("password", (FAULTS["password"],), alert="DMARCDatabaseDown", cause="Scenario 4", heals="Scenario 4"),
    Case("disk", (FAULTS["disk"],), alert="DMARCReportsWaiting", cause="Scenario 5", heals="Scenario 5"),
    Case("slow", (FAULTS["slow"],), alert="DMARCDatabaseDown", cause=None, heals=None),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted reports, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
