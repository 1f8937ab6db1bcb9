"""What keeps a cause alive."""

import threading

import pytest

from drillbook.errors import InjectFailed, TargetUnreachable
from drillbook.faults._common import Keeper


def test_a_target_that_does_not_answer_for_a_moment_is_asked_again() -> None:
    answered = threading.Event()
    asked: list[int] = []

    def press() -> None:
        asked.append(len(asked))
        if len(asked) < 3:
            raise TargetUnreachable("web", "it restarts")
        answered.set()

    keeper = Keeper(press, every_s=0.001)
    keeper.start()
    try:
        assert answered.wait(5)
    finally:
        keeper.stop()
    keeper.raise_error()


def test_what_else_goes_wrong_ends_it_and_is_told() -> None:
    failed = threading.Event()
    asked: list[int] = []

    def press() -> None:
        asked.append(len(asked))
        failed.set()
        raise InjectFailed("web", "no such tool")

    keeper = Keeper(press, every_s=0.001)
    keeper.start()
    assert failed.wait(5)
    keeper.stop()
    with pytest.raises(InjectFailed, match="no such tool"):
        keeper.raise_error()
    assert len(asked) == 1
