"""How fast a Kubernetes node tells of itself, from how long its machine took to come up; without a machine."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from drillbook.replica import kube_node

NODE = Path(kube_node.__file__).parent / "node"
SET_PACE = re.search(r"^set_pace\(\) \{\n.*?^\}\n", (NODE / "replica-node").read_text(), re.MULTILINE | re.DOTALL)


def paced(took_s: int, made: Path) -> tuple[int, int, int, int]:
    """Return the pace and, in seconds: a sign of life every, the lease, and gone after."""
    assert SET_PACE
    (made / "kubelet.yaml").write_text((NODE / "etc/kubelet.yaml").read_text())
    script = f'{SET_PACE[0]}\nmade=$1 SECONDS={took_s}\nset_pace\necho "$pace $gone"'
    said = subprocess.run(["bash", "-euc", script, "bash", str(made)], capture_output=True, text=True, check=True)
    pace, gone_s = map(int, said.stdout.split())
    kubelet = yaml.safe_load((made / "kubelet.yaml").read_text())
    assert kubelet["crashLoopBackOff"] == {"maxContainerRestartPeriod": f"{10 * pace}s"}
    return pace, int(kubelet["nodeStatusUpdateFrequency"].rstrip("s")), kubelet["nodeLeaseDurationSeconds"], gone_s


@pytest.mark.parametrize(
    ("took_s", "expected"),
    [
        pytest.param(0, (1, 2, 8, 10), id="at once"),
        pytest.param(5, (1, 2, 8, 10), id="a usual machine"),
        pytest.param(6, (2, 4, 16, 12), id="a busy one"),
        pytest.param(20, (4, 8, 32, 40), id="a slow one"),
        pytest.param(88, (5, 10, 40, 176), id="an emulated one, at the defaults of Kubernetes"),
    ],
)
def test_the_slower_a_machine_the_rarer_a_sign_of_life(
    took_s: int, expected: tuple[int, int, int, int], tmp_path: Path
) -> None:
    assert paced(took_s, tmp_path) == expected


@pytest.mark.parametrize("took_s", range(0, 120, 7))
def test_a_node_may_miss_two_signs_of_life_before_it_is_gone(took_s: int, tmp_path: Path) -> None:
    pace, every_s, lease_s, gone_s = paced(took_s, tmp_path)
    assert 1 <= pace <= 5
    assert gone_s >= 3 * every_s
    assert lease_s >= 3 * every_s
