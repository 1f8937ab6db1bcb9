"""Drills of the inference gateway: what breaks, and what is declared of it.

A row says which alert must fire (None: none does, a finding about the alerts), which strategy diagnosis must name
(None: the document does not know the cause) and after which strategy verification is green (None: the document does
not heal it).
"""

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.corrupt import DamagedFile
from drillbook.faults.disconnect import Disconnect
from drillbook.faults.environment import MissingVariable
from drillbook.faults.firewall import Blocked
from drillbook.faults.kill import Kill
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.port import PortTaken
from drillbook.faults.release import BadRelease, Request
from drillbook.faults.segfault import Segfault
from drillbook.faults.stop import Stop
from drillbook.units import parse_bytes

GATEWAY = "inference-gateway"
DOWN = "ServiceDown"
PREDICT = Request("http://localhost:8000/predict", {"data": [[1, 2, 3, 4]]})

BUDGETS = (
    Budget(Milestone.PERSON, "Acknowledge within 1 minute"),
    Budget(Milestone.NAMED, "Root cause not identified within 10 minutes"),
    Budget(Milestone.RESTORED, "Service not restored within 15 minutes"),
    Budget(Milestone.RESTORED, "MTTR goal: under 10 minutes", is_goal=True),
)

TABLE = (
    Case("kill", (Kill(GATEWAY),), alert=DOWN, cause=None, heals="Strategy 1"),
    Case("stop", (Stop(GATEWAY),), alert=DOWN, cause=None, heals="Strategy 1"),
    Case("pause", (Pause(GATEWAY),), alert=DOWN, cause=None, heals="Strategy 1"),
    Case("oom", (OutOfMemory(GATEWAY, parse_bytes("100M")),), alert=DOWN, cause="Strategy 4", heals="Strategy 4"),
    Case("segfault", (Segfault(GATEWAY),), alert=DOWN, cause=None, heals="Strategy 2"),
    Case("disconnect", (Disconnect(GATEWAY),), alert=DOWN, cause=None, heals="Strategy 2"),
    Case("port", (PortTaken(GATEWAY, 8000),), alert=DOWN, cause="Strategy 5", heals="Strategy 5"),
    Case(
        "environment",
        (MissingVariable(GATEWAY, "MODEL_NAME", apply=f"docker-compose up -d {GATEWAY}"),),
        alert=DOWN,
        cause="Strategy 5",
        heals="Strategy 5",
    ),
    Case(
        "release-crashes",
        (BadRelease(GATEWAY, deploy="./deploy v1.3.0", undo="./deploy v1.2.3"),),
        alert=DOWN,
        cause="Strategy 3",
        heals="Strategy 3",
    ),
    Case(
        "release-errors",
        (BadRelease(GATEWAY, deploy="./deploy v1.3.1", undo="./deploy v1.2.3", wrong_answer=PREDICT),),
        alert=None,
        cause="Strategy 3",
        heals="Strategy 3",
    ),
    Case(
        "model",
        (DamagedFile(GATEWAY, file="./model-path"),),
        alert=DOWN,
        cause=None,
        heals="Strategy 6",
        goes_around=True,
    ),
    Case("firewall", (Blocked(GATEWAY, 8000),), alert=DOWN, cause=None, heals=None),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
