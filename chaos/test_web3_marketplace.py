"""Drills of the web3 marketplace, on a Kubernetes node: what breaks, and what is declared of it."""

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.disconnect import Disconnect
from drillbook.faults.pause import Pause
from drillbook.faults.stop import Stop

DOWN = "ServiceDown"
RESTART = "3. Immediate Recovery Attempts"
BACKEND = "Backend Service Down"
FRONTEND = "Frontend Service Down"
DATABASE = "Database Service Down"
REDIS = "Redis Service Down"
EXTERNAL = "6. External Dependencies"

BUDGETS = (
    Budget(Milestone.PERSON, "Immediate Actions (0-5 minutes)"),
    Budget(Milestone.NAMED, "Investigation (5-15 minutes)"),
)

TABLE = (
    Case("backend-scaled", (Stop("backend"),), alert=DOWN, cause=BACKEND, heals=RESTART),
    Case("backend-hung", (Pause("backend"),), alert=DOWN, cause=BACKEND, heals=BACKEND),
    Case("backend-cut", (Disconnect("backend"),), alert=DOWN, cause=BACKEND, heals=BACKEND),
    Case("frontend-hung", (Pause("frontend"),), alert=DOWN, cause=FRONTEND, heals=FRONTEND),
    Case("database-hung", (Pause("postgres-primary"),), alert=DOWN, cause=DATABASE, heals=DATABASE),
    Case("database-cut", (Disconnect("postgres-primary"),), alert=DOWN, cause=DATABASE, heals=DATABASE),
    Case("database-scaled", (Stop("postgres-primary"),), alert=DOWN, cause=DATABASE, heals=None),
    Case("redis-hung", (Pause("redis-master"),), alert=DOWN, cause=REDIS, heals=REDIS),
    Case("redis-cut", (Disconnect("redis-master"),), alert=DOWN, cause=REDIS, heals=REDIS),
    Case("external", (Stop("outside"),), alert=None, cause=EXTERNAL, heals=None),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted orders, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
