"""Drills of the web3 marketplace's database, on a Kubernetes node: what breaks, and what is declared of it."""

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.connections import ConnectionsExhausted
from drillbook.faults.disk import DiskFull
from drillbook.faults.lagging import ReplicaLags
from drillbook.faults.pause import Pause
from drillbook.faults.policy import PolicyBlocks
from drillbook.faults.rotated import RotatedPassword
from drillbook.faults.stop import Stop

DOWN = 'ServiceDown{service_name="postgres-primary"}'
CLIENT_DOWN = 'ServiceDown{service_name="backend"}'
"""What fires where the database answers its exporter, which has a role and a way of its own, and not its client."""

DATABASE = "postgres-primary"

BUDGETS = (
    Budget(Milestone.PERSON, "Response time: 5 minutes"),
    Budget(Milestone.RESTORED, "Not resolved within 15 minutes"),
)

ROTATED = RotatedPassword(
    DATABASE,
    "marketplace",
    new="db-pw-2",
    current=(
        "kubectl -n web3-marketplace-prod get secret web3-marketplace-secrets -o jsonpath='{.data.DATABASE_URL}' |"
        " base64 -d | sed 's|.*://[^:]*:||; s|@.*||'"
    ),
    vault="vault/database-password",
    client="backend",
    login='timeout 4 psql -X -A -t "$DATABASE_URL" -c "SELECT 1"',
)

TABLE = (
    Case("no-pod", (Stop(DATABASE),), alert=DOWN, cause="Scenario 1", heals="Scenario 1"),
    Case(
        "policy",
        (PolicyBlocks("web3-marketplace-prod", DATABASE, 5432),),
        alert=CLIENT_DOWN,
        cause="Scenario 2",
        heals="Scenario 2",
    ),
    Case(
        "connections",
        (ConnectionsExhausted(DATABASE, "marketplace", "web3marketplace", sessions=60, ends_others=True),),
        alert=CLIENT_DOWN,
        cause="Scenario 3",
        heals="Scenario 3",
    ),
    Case("password", (ROTATED,), alert=CLIENT_DOWN, cause="Scenario 4", heals="Scenario 4"),
    Case(
        "disk",
        (DiskFull(DATABASE, "/var/lib/volumes/postgres-primary/backups/dump-1.sql"),),
        alert=None,
        cause="Scenario 5",
        heals="Scenario 5",
    ),
    Case("lags", (ReplicaLags("postgres-replica", DATABASE),), alert=None, cause="Scenario 6", heals="Scenario 6"),
    Case("standby-gone", (Stop("postgres-replica"),), alert=None, cause="Scenario 6", heals=None),
    Case("hung", (Pause(DATABASE),), alert=DOWN, cause=None, heals=None),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted orders, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
