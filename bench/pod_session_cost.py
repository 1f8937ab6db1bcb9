"""What a command in a pod costs: one open session beside ``kubectl exec`` each time, on the same pod, taking turns.

Run it with ``python bench/pod_session_cost.py [ROUNDS]``; it starts the replica of web3-marketplace and removes it.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from drillbook.replica.loader import load_replica

ROOT = Path(__file__).parents[1]
COMMAND = "test -e /etc/passwd"
WITHIN_S = 180.0


def timed(act: Callable[[], object]) -> float:
    """Return the milliseconds that one act takes."""
    begin_s = time.perf_counter()
    act()
    return (time.perf_counter() - begin_s) * 1000


def main() -> None:
    """Take turns, so that what else the machine does falls on all alike, and print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    replica = load_replica(ROOT, "web3-marketplace")
    try:
        replica.start()
        replica.wait_until_ready(WITHIN_S)
        pod, machine = replica.host("backend"), replica.host("machine")
        kubectl = f"kubectl -n web3-marketplace-prod exec deployment/backend-deployment -- sh -c {COMMAND!r}"
        acts: dict[str, Callable[[], object]] = {
            "one session into the pod": lambda: pod.run(COMMAND),
            "kubectl exec each time": lambda: machine.run(kubectl),
        }
        took: dict[str, list[float]] = {what: [] for what in acts}
        for _ in range(rounds):
            for what, act in acts.items():
                took[what].append(timed(act))
        base = statistics.median(took["one session into the pod"])
        print(f"{'':38}{'median ms':>10}{'90 %':>10}{'ratio':>8}")
        for what, times in took.items():
            median, late = statistics.median(times), statistics.quantiles(times, n=10)[-1]
            print(f"{what:38}{median:10.2f}{late:10.2f}{median / base:8.1f}")
    finally:
        replica.stop()


if __name__ == "__main__":
    main()
