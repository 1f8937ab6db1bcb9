"""What a command in a pod costs: one open session beside ``kubectl exec`` each time, on the same pod, taking turns.

Both start on this machine, as with a target file that says ``kubectl://``, and with the same kubectl, the node's.
Run it with ``python bench/pod_session_cost.py [ROUNDS]``; it starts the replica of web3-marketplace and removes it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from session_cost import take_turns, timed

from drillbook.replica.engine import connect_engine
from drillbook.replica.kube_node import KubeReplica
from drillbook.replica.loader import load_replica
from drillbook.target.connect import connect

ROOT = Path(__file__).parents[1]
NAMESPACE, WORKLOAD = "web3-marketplace-prod", "deployment/backend-deployment"
COMMAND = "test -e /etc/passwd"
WITHIN_S = 180.0


def main() -> None:
    """Compare ways into one pod."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    replica = load_replica(ROOT, "web3-marketplace")
    assert isinstance(replica, KubeReplica)
    try:
        replica.start()
        replica.wait_until_ready(WITHIN_S)
        with tempfile.TemporaryDirectory() as room:
            context = _log_in(replica, Path(room))
            kubectl = ["kubectl", "--context", context, "-n", NAMESPACE, "exec", WORKLOAD, "--", "sh", "-c", COMMAND]
            with connect(f"kubectl://{context}/{NAMESPACE}/{WORKLOAD}") as session:
                inside = replica.host("backend")
                acts: dict[str, Callable[[], object]] = {
                    "one session": lambda: session.run(COMMAND),
                    "one session of a drill": lambda: inside.run(COMMAND),
                    "kubectl exec each time": lambda: subprocess.run(kubectl, check=True),
                }
                take_turns(acts, rounds)
                burst = timed(lambda: [session.run(COMMAND) for _ in range(rounds)]) / rounds
                print(f"{rounds} in a row, each: {burst:.2f} ms")
    finally:
        replica.stop()


def _log_in(replica: KubeReplica, room: Path) -> str:
    """Put the node's kubectl and a configuration that reaches the node into this process's path; return the context."""
    machine = replica.host("machine")
    client = connect_engine()
    try:
        node = client.containers.get(replica.container_name)
        networks = node.attrs["NetworkSettings"]["Networks"]
        address = next(one["IPAddress"] for one in networks.values() if one["IPAddress"])
    finally:
        client.close()
    subprocess.run(["docker", "cp", "-q", "-L", f"{node.name}:/usr/local/bin/kubectl", room], check=True)
    config = json.loads(machine.run("kubectl config view --raw -o json").out)
    config["clusters"][0]["cluster"]["server"] = f"https://{address}:6443"
    (room / "config").write_text(json.dumps(config), encoding="utf-8")
    os.environ |= {"PATH": f"{room}:{os.environ['PATH']}", "KUBECONFIG": str(room / "config")}
    return str(config["current-context"])


if __name__ == "__main__":
    main()
