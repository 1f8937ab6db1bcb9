"""Signals that ask for the end."""

import os
import signal
import sys

import pytest

from drillbook.signals import end_as_by_ctrl_c, uninterrupted, was_asked_to_end


def test_ctrl_c_waits_for_what_is_half_done() -> None:
    steps = []

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("finished")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["finished"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_is_like_ctrl_c_and_waits_as_it_does(number) -> None:
    steps = []
    take_back = end_as_by_ctrl_c()

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), number)
            steps.append("finished")

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        take_back()
    assert steps == ["finished"]
    assert signal.getsignal(number) is signal.SIG_DFL
    assert not was_asked_to_end()  # that was another run


def test_a_background_job_that_ignores_ctrl_c_still_ends_when_told_to() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    take_back = end_as_by_ctrl_c()
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        take_back()
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    take_back = end_as_by_ctrl_c()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        take_back()
        signal.signal(signal.SIGHUP, before)


def test_being_told_to_end_inside_of_a_finalizer_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            sum(range(100))  # the handler runs here, and what it raises goes nowhere

    lost: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    take_back = end_as_by_ctrl_c()
    try:
        assert not was_asked_to_end()
        last = Last()
        del last
        assert was_asked_to_end()
        assert lost
    finally:
        lost.clear()
        take_back()
