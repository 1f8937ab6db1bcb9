"""What a command in a pod costs: one open session beside ``kubectl exec`` each time, on the same pod, taking turns.

Run it with ``python bench/pod_session_cost.py [ROUNDS]``; it starts the replica of web3-marketplace and removes it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from session_cost import take_turns

from drillbook.replica.loader import load_replica

ROOT = Path(__file__).parents[1]
COMMAND = "test -e /etc/passwd"
WITHIN_S = 180.0


def main() -> None:
    """Compare ways into one pod."""
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
        take_turns(acts, rounds)
    finally:
        replica.stop()


if __name__ == "__main__":
    main()
