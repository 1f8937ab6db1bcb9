"""How long tests of real systems wait: until it is hopeless, also on a machine that is ten times slower."""

import time
from collections.abc import Callable
from typing import TypeVar

from drillbook.clock import SystemClock, poll

T = TypeVar("T")

HOPELESS_S = 120.0
"""For one thing that has to come; what comes at once is not waited for."""
READY_S = 300.0
"""For a replica that has been started."""
RUN_S = 1200.0
"""For a whole run of another program: pytest with a replica, say."""


def comes(look: Callable[[], T], every_s: float = 0.05) -> T:
    """Look until what has to come is there, and return what was seen last."""
    return poll(look, within_s=HOPELESS_S, clock=SystemClock(), every_s=every_s)


def on_this_machine(cpu_s: float) -> float:
    """Return the CPU seconds that stand here for so many on a machine of 2024 (20 ms for the work below)."""
    begin_s = time.process_time()
    sum(len(str(number)) for number in range(300_000))
    return cpu_s * max(1.0, (time.process_time() - begin_s) / 0.02)
