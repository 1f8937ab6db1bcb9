"""Drills of the DMARC dashboard: what breaks, and what is declared of it.

The document sends its reader on to another one where the database is the cause (Scenario 3), so it heals none of those;
the drills of dmarc-dashboard-database do.
"""

from pathlib import Path

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.celery_queue import Queue
from drillbook.faults.child_oom import ChildOutOfMemory
from drillbook.faults.consumer import ConsumerLost
from drillbook.faults.kill import Kill
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.poison import PoisonTask
from drillbook.faults.redis_full import RedisFull
from drillbook.faults.stop import Stop
from drillbook.replica.loader import load_fixture
from drillbook.units import parse_bytes

FIXTURE = Path(__file__).parent.parent / "fixtures" / "dmarc-dashboard"
DATABASE = load_fixture(FIXTURE / "faults.py").database_faults()
REDIS_CLI = 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli'
QUEUE = Queue("redis", f"{REDIS_CLI} -n 1")
FLUSHALL = "resolution/scenario-4-redis-connection-issues#1.5"
PURGE = "resolution/scenario-5-celery-worker-not-processing#1.5"

# A long label that ends in what no label may hold: see DOMAIN in images/backend/app/reports.py.
POISON = (
    "curl -fsS -X POST http://localhost/api/reports -d '<feedback><report_metadata><report_id>poison-1</report_id>"
    f"</report_metadata><policy_published><domain>{'a' * 48}_.example</domain></policy_published></feedback>'"
)

BUDGETS = (
    Budget(Milestone.PERSON, "Response time: 5 minutes"),
    Budget(Milestone.RESTORED, "Not resolved within 15 minutes"),
)

TABLE = (
    Case("crash", (Kill("backend"),), alert="DMARCBackendDown", cause="Scenario 1", heals="Scenario 1"),
    Case(
        "oom",
        (OutOfMemory("backend", parse_bytes("110M")),),
        alert="DMARCBackendDown",
        cause="Scenario 2",
        heals="Scenario 2",
    ),
    Case(
        "oom-child",
        (ChildOutOfMemory("backend", parse_bytes("148M")),),
        alert="DMARCBackendDown",
        cause="Scenario 2",
        heals="Scenario 2",
    ),
    Case("db-stopped", (DATABASE["stopped"],), alert="DMARCDatabaseDown", cause="Scenario 3", heals=None),
    Case("db-unreachable", (DATABASE["unreachable"],), alert="DMARCDatabaseDown", cause="Scenario 3", heals=None),
    Case("db-connections", (DATABASE["connections"],), alert="DMARCReportsWaiting", cause="Scenario 3", heals=None),
    Case("db-password", (DATABASE["password"],), alert="DMARCDatabaseDown", cause="Scenario 3", heals=None),
    Case("db-name", (DATABASE["name"],), alert="DMARCReportsWaiting", cause="Scenario 3", heals=None),
    Case("db-disk", (DATABASE["disk"],), alert="DMARCReportsWaiting", cause="Scenario 3", heals=None),
    Case("db-slow", (DATABASE["slow"],), alert="DMARCDatabaseDown", cause="Scenario 3", heals=None),
    Case("redis-stopped", (Stop("redis"),), alert="RedisUnreachable", cause="Scenario 4", heals="Scenario 4"),
    Case("redis-hung", (Pause("redis"),), alert="RedisDown", cause="Scenario 4", heals="Scenario 4"),
    Case(
        "redis-full",
        (RedisFull("redis", 0, "page:", REDIS_CLI),),
        alert="RedisMemoryFull",
        cause="Scenario 4",
        heals="Scenario 4",
    ),
    Case(
        "redis-full-queue",
        (ConsumerLost("celery-worker", "celery_worker", QUEUE), RedisFull("redis", 1, "celery-task-meta-", REDIS_CLI)),
        alert="RedisMemoryFull",
        cause="Scenario 4",
        heals="Scenario 4",
        loses=(FLUSHALL,),
    ),
    Case("worker-hung", (Pause("celery-worker"),), alert="CeleryWorkerDown", cause="Scenario 5", heals="Scenario 5"),
    Case(
        "worker-unregistered",
        (ConsumerLost("celery-worker", "celery_worker", QUEUE),),
        alert="DMARCReportsWaiting",
        cause="Scenario 5",
        heals="Scenario 5",
    ),
    Case(
        "poison",
        (PoisonTask("celery-worker", POISON, "poison-1", QUEUE),),
        alert="DMARCReportsWaiting",
        cause="Scenario 5",
        heals="Scenario 5",
        loses=(PURGE,),
    ),
    Case("beat-stopped", (Stop("celery-beat"),), alert="CeleryBeatStalled", cause="Scenario 5", heals="Scenario 5"),
    Case("exporter", (Stop("redis-exporter"),), alert="RedisDown", cause=None, heals=None),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted reports, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
