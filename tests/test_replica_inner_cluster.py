"""What a replica's API server answered."""

from collections.abc import Mapping

import pytest

from drillbook.errors import ReplicaError
from drillbook.replica.inner_cluster import InnerCluster
from drillbook.target import Output

MARK = "--drillbook: next answer--"


class Node:
    """A node whose curl prints what a test wants."""

    name = "node"

    def __init__(self, out: str, err: str = "") -> None:
        self._out, self._err = out, err
        self.asked: list[str] = []

    def run(self, command: str, *, deadline_s: float = 10.0, variables: Mapping[str, str] | None = None) -> Output:
        self.asked.append(command)
        return Output(command, 0, self._out.encode(), self._err.encode(), 0.01)

    def close(self) -> None:
        """Nothing is open."""


def test_several_questions_are_one_command_and_each_has_its_answer() -> None:
    node = Node(f'{{"items": [1]}}\n200{MARK}{{"kind": "Status"}}\n404{MARK}{{"items": []}}\n200{MARK}')
    assert InnerCluster(node).gather(["/a", "/b", "/c"]) == {"/a": {"items": [1]}, "/b": None, "/c": {"items": []}}
    assert len(node.asked) == 1


def test_parameters_are_quoted() -> None:
    node = Node(f'{{"items": []}}\n200{MARK}')
    assert InnerCluster(node).items("/api/v1/pods", labelSelector="app=web,tier in (a)") == []
    assert "/api/v1/pods?labelSelector=app%3Dweb%2Ctier%20in%20%28a%29" in node.asked[0]


@pytest.mark.parametrize(
    ("out", "err"),
    [
        pytest.param(f"\n000{MARK}", "curl: (7) Failed to connect to 127.0.0.1 port 6443", id="it is gone"),
        pytest.param(f"etcd is down\n500{MARK}", "", id="it has a problem"),
        pytest.param(f"not json\n200{MARK}", "", id="it says something else"),
        pytest.param("", "", id="nothing came"),
    ],
)
def test_no_answer_is_an_error_with_what_was_said(out: str, err: str) -> None:
    with pytest.raises(ReplicaError, match="does not answer to /api/v1/nodes") as caught:
        InnerCluster(Node(out, err)).get("/api/v1/nodes")
    assert err in str(caught.value)


def test_a_question_behind_one_that_was_not_answered_is_not_taken_for_it() -> None:
    with pytest.raises(ReplicaError, match="does not answer to /b"):
        InnerCluster(Node(f'{{"items": []}}\n200{MARK}')).gather(["/a", "/b"])
