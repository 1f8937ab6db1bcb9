"""What a command costs: one open session beside ``docker exec`` each time, on the same container, taking turns.

Run it with ``python bench/session_cost.py [ROUNDS]``; it starts one container of its own and removes it.
"""

import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping

from drillbook.target.connect import connect, docker_argv
from drillbook.target.infra import testinfra_host

IMAGE = "drillbook/base:trixie"
COMMAND = "test -e /etc/passwd"


def timed(act: Callable[[], object]) -> float:
    """Return the milliseconds that one act takes."""
    begin_s = time.perf_counter()
    act()
    return (time.perf_counter() - begin_s) * 1000


def take_turns(acts: Mapping[str, Callable[[], object]], rounds: int) -> None:
    """Take turns, so that what else the machine does falls on all alike; print medians and ratios to the first."""
    took: dict[str, list[float]] = {what: [] for what in acts}
    for _ in range(rounds):
        for what, act in acts.items():
            took[what].append(timed(act))
    base = statistics.median(next(iter(took.values())))
    print(f"{'':34}{'median ms':>10}{'90 %':>10}{'ratio':>8}")
    for what, times in took.items():
        median, late = statistics.median(times), statistics.quantiles(times, n=10)[-1]
        print(f"{what:34}{median:10.2f}{late:10.2f}{median / base:8.1f}")


def main() -> None:
    """Compare ways into one container."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    name = f"drillbook-bench-{uuid.uuid4().hex[:8]}"
    docker = docker_argv()
    subprocess.run([*docker, "run", "-d", "--name", name, IMAGE, "sleep", "infinity"], check=True, capture_output=True)
    try:
        uri = f"docker://{name}"
        with connect(uri) as session, connect(uri, stateful=True) as terminal, connect("local:") as local:
            from testinfra import get_host

            theirs, ours = get_host(uri), testinfra_host(session)
            exec_each = [*docker, "exec", name, "sh", "-c", COMMAND]
            acts: dict[str, Callable[[], object]] = {
                "one session": lambda: session.run(COMMAND),
                "one session, a program (ls /)": lambda: session.run("ls /"),
                "one session with state": lambda: terminal.run(COMMAND),
                "one session on this machine": lambda: local.run(COMMAND),
                "docker exec each time": lambda: subprocess.run(exec_each, check=True),
                "testinfra here: file.exists": lambda: ours.file("/etc/passwd").exists,
                "testinfra's docker: file.exists": lambda: theirs.file("/etc/passwd").exists,
            }
            take_turns(acts, rounds)
            burst = timed(lambda: [session.run(COMMAND) for _ in range(rounds)]) / rounds
            print(f"{rounds} in a row, each: {burst:.2f} ms")
    finally:
        subprocess.run([*docker, "rm", "-f", "-v", name], check=True, capture_output=True)


if __name__ == "__main__":
    main()
