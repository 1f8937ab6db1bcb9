"""Drills of the microdiff service on its systemd host: what breaks, and what is declared of it.

A row says which alert must fire (None: none does, a finding about the alerts), which cause diagnosis must name (None:
the document does not know it) and after which section verification is green (None: the document does not heal it).
"""

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.certificate import CertificateExpired
from drillbook.faults.clock_off import ClockOff
from drillbook.faults.config import ConfigChanged
from drillbook.faults.connections import ConnectionsExhausted
from drillbook.faults.corrupt import DamagedFile
from drillbook.faults.cpu import CpuStarved
from drillbook.faults.descriptors import DescriptorsExhausted
from drillbook.faults.disk import DiskFull
from drillbook.faults.firewall import Blocked
from drillbook.faults.inodes import InodesExhausted
from drillbook.faults.kill import Kill
from drillbook.faults.lock import LockHeld
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.port import PortTaken
from drillbook.faults.release import BadRelease, Request
from drillbook.faults.segfault import Segfault
from drillbook.faults.stop import Stop
from drillbook.units import parse_bytes

SERVICE = "microdiff-matdesign"
UNIT = f"{SERVICE}.service"
DOWN = "ServiceDown"
DEGRADED = "ServiceDegraded"
QUICK = "3. Quick Service Restart"
CONFIG = "/etc/microdiff/config.yaml"
TRACED = "advanced-diagnostics/2-strace-analysis#1.2"
BACKTRACE = "advanced-diagnostics/1-core-dump-analysis#1.4"
RULES = "investigation-5-15-minutes/4-check-network-issues#1.2"
ROTATED = "common-causes-and-solutions/3-disk-space-full#1.4"
PAGE = "common-causes-and-solutions/6-rollback#1.5"
HEALTH = Request("http://localhost:8080/health")
RESTART = f"systemctl reset-failed {UNIT}; systemctl restart {UNIT}"

# A drop-in that lasts until it is taken away: the library gives the service's processes another time.
SHIFTED = f"/run/systemd/system/{UNIT}.d/clock.conf"
SHIFT = (
    f"mkdir -p {SHIFTED.rpartition('/')[0]} && printf '[Service]\\nEnvironment=LD_PRELOAD=%s FAKETIME=-900d "
    "FAKETIME_DONT_FAKE_MONOTONIC=1\\n' /usr/lib/*/faketime/libfaketimeMT.so.1 "
    f">{SHIFTED} && systemctl daemon-reload && {RESTART}"
)
PUT_RIGHT = f"rm -rf {SHIFTED.rpartition('/')[0]} && systemctl daemon-reload && {RESTART}"
FEED = (
    f"systemctl set-property --runtime {UNIT} CPUQuota= CPUQuotaPeriodSec= "
    f"&& rm -rf /run/systemd/system.control/{UNIT}.d && systemctl daemon-reload"
)

BUDGETS = (Budget(Milestone.RESTORED, "Still down after 15 minutes"),)

TABLE = (
    Case("killed", (Kill(SERVICE),), alert=DOWN, cause=None, heals=QUICK),
    Case("hung", (Pause(SERVICE),), alert=DOWN, cause=None, heals=QUICK),
    Case(
        "stuck",
        (LockHeld(SERVICE, "/var/log/microdiff/access.log"),),
        alert=DOWN,
        cause=None,
        heals=None,
        shows={TRACED: r"flock\("},
    ),
    Case("oom", (OutOfMemory(SERVICE, parse_bytes("80M")),), alert=DOWN, cause="1. Out", heals="1. Out"),
    Case(
        "crash-loop",
        (DamagedFile(SERVICE, file="echo /var/lib/microdiff/model.json"),),
        alert=DOWN,
        cause=None,
        heals=None,
    ),
    Case(
        "segfault",
        (Segfault(SERVICE),),
        alert=DOWN,
        cause=None,
        heals=None,
        # a machine whose kernel hands cores to a program of its own has none in the unit's folder
        shows={BACKTRACE: r"^#0 |cores go to: \|"},
    ),
    Case("database-stopped", (Stop("postgresql"),), alert=DEGRADED, cause="2. Database", heals="2. Database"),
    Case(
        "database-connections",
        # 24 less the three that are kept for administrators
        (ConnectionsExhausted("postgresql", role="microdiff", database="microdiff", sessions=21),),
        alert=DEGRADED,
        cause="2. Database",
        heals=None,
    ),
    Case("redis-stopped", (Stop("redis"),), alert=DEGRADED, cause=None, heals=QUICK),
    Case(
        "disk",
        (DiskFull(SERVICE, "/var/log/microdiff/debug-old.log"),),
        alert=DOWN,
        cause="3. Disk",
        heals="3. Disk",
        shows={ROTATED: "log needs rotating"},
    ),
    Case(
        "inodes",
        (InodesExhausted(SERVICE, "/var/log/microdiff/sessions"),),
        alert=DEGRADED,
        cause="3. Disk",
        heals=None,
    ),
    Case("descriptors", (DescriptorsExhausted(SERVICE, 8080, 160),), alert=DOWN, cause=None, heals=None),
    Case("port", (PortTaken(SERVICE, 8080),), alert=DOWN, cause="5. Port", heals="5. Port"),
    Case(
        "config-syntax",
        (
            ConfigChanged(
                SERVICE, CONFIG, "  port: 8080", "  port: [8080", RESTART, asked=HEALTH, what="a bracket is not closed"
            ),
        ),
        alert=DOWN,
        cause="4. Configuration",
        heals="4. Configuration",
    ),
    Case(
        "config-wrong",
        (
            ConfigChanged(
                SERVICE,
                CONFIG,
                "  port: 8080",
                "  port: 8081",
                RESTART,
                asked=HEALTH,
                what="another port, which is valid",
            ),
        ),
        alert=DOWN,
        cause="4. Configuration",
        heals="4. Configuration",
    ),
    Case(
        "release",
        (BadRelease(SERVICE, deploy="./deploy next", undo="./deploy back"),),
        alert=DOWN,
        cause="6. Rollback",
        heals="6. Rollback",
        shows={PAGE: "under maintenance"},
    ),
    Case(
        "firewall",
        (Blocked(SERVICE, 8080, chain="filter INPUT"),),
        alert=DOWN,
        cause=None,
        heals=None,
        shows={RULES: r"DROP.*dpt:(?:8080|http-alt)"},
    ),
    Case("dns", (Stop("resolver"),), alert=DEGRADED, cause=None, heals=None),
    Case("external", (Pause("outside"),), alert=DEGRADED, cause=None, heals=None),
    Case(
        "cpu",
        (
            CpuStarved(
                SERVICE, starve=f"systemctl set-property --runtime {UNIT} CPUQuota=0.2% CPUQuotaPeriodSec=1s", feed=FEED
            ),
        ),
        alert=DOWN,
        cause=None,
        heals=None,
    ),
    Case(
        "clock",
        (ClockOff(SERVICE, "http://localhost:8080/health", shift=SHIFT, put_right=PUT_RIGHT),),
        alert=DEGRADED,
        cause=None,
        heals=None,
    ),
    Case(
        "certificate",
        (CertificateExpired("https://microdiff.example.com/health", "certificate expired", "certificate valid"),),
        alert=None,
        cause=None,
        heals=None,
    ),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted designs, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
