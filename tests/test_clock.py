"""Polling, with a clock that stands still until somebody pauses."""

from datetime import UTC, datetime, timedelta

import pytest

from drillbook.clock import SystemClock, poll


class FakeClock:
    """Time passes only in pauses."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def utc(self) -> datetime:
        return datetime(2026, 1, 31, tzinfo=UTC)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_first_truthy_answer_ends_the_poll_without_a_pause(clock: FakeClock) -> None:
    assert poll(lambda: "ready", within_s=5, clock=clock) == "ready"
    assert clock.pauses == []


def test_it_asks_until_the_answer_is_truthy(clock: FakeClock) -> None:
    answers = iter([None, "", "ready", "never asked for"])
    assert poll(lambda: next(answers), within_s=5, clock=clock, every_s=0.5) == "ready"
    assert clock.pauses == [0.5, 0.5]


def test_the_last_falsy_answer_comes_back_when_time_is_over(clock: FakeClock) -> None:
    assert poll(lambda: 0, within_s=1, clock=clock, every_s=0.3) == 0
    assert sum(clock.pauses) == pytest.approx(1)


def test_it_asks_once_more_when_time_is_over(clock: FakeClock) -> None:
    asked_at: list[float] = []
    poll(lambda: asked_at.append(clock.now_s), within_s=1, clock=clock, every_s=0.4)
    assert asked_at[-1] == pytest.approx(1001)


def test_what_is_slow_to_answer_has_as_long_a_pause(clock: FakeClock) -> None:
    def slow() -> None:
        clock.now_s += 2

    poll(slow, within_s=9, clock=clock, every_s=0.5)
    assert clock.pauses == [2, 2, 0]


def test_no_time_still_means_one_question(clock: FakeClock) -> None:
    asked: list[int] = []
    poll(lambda: asked.append(1), within_s=0, clock=clock)
    assert asked == [1]


def test_a_slow_question_past_the_deadline_is_asked_once_more_and_no_more(clock: FakeClock) -> None:
    asked: list[int] = []

    def slow() -> None:
        asked.append(1)
        clock.now_s += 10

    poll(slow, within_s=1, clock=clock)
    assert len(asked) == 2
    assert all(pause == 0 for pause in clock.pauses)


def test_what_the_question_raises_comes_through(clock: FakeClock) -> None:
    def broken() -> bool:
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError, match="refused"):
        poll(broken, within_s=5, clock=clock)


def test_the_machine_s_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().utc().utcoffset() == timedelta(0)


def test_the_machine_s_clock_only_grows_and_a_pause_takes_its_time() -> None:
    clock = SystemClock()
    before_s = clock.monotonic_s()
    clock.pause(0.01)
    assert clock.monotonic_s() - before_s >= 0.01
