"""How long a system has to settle: rounds of verification, with time that passes only between them."""

import pytest
from fakes import FakeClock, shop_runbook

from drillbook.case import Pace
from drillbook.course import Course
from drillbook.evidence import Checked
from drillbook.outcome import Outcome
from drillbook.site import Site
from drillbook.timeline import Timeline
from drillbook.verification import Verification

PACE = Pace(settle_within_s=3.0, hold_rounds=2, hold_gap_s=1.0)
ITEMS = tuple(f"test_{number}" for number in range(6))


class Script:
    """Checks of which so many are red in each round; the last number goes on."""

    def __init__(self, *red: int) -> None:
        self.red = list(red)
        self.rounds = 0

    def verify(self, site: Site) -> list[Checked]:
        red = self.red[min(self.rounds, len(self.red) - 1)]
        self.rounds += 1
        return [
            Checked(item, "verify", "X.", (), Outcome.FAILED if number < red else Outcome.PASSED)
            for number, item in enumerate(ITEMS)
        ]


@pytest.mark.parametrize(
    ("red", "left", "rounds"),
    [
        pytest.param((0,), 0, 2, id="green at once"),
        pytest.param((3, 3, 0), 0, 4, id="green in time"),
        pytest.param((2,), 2, 4, id="red, and stays so"),
        pytest.param((6, 5, 4, 3, 2, 1, 0), 0, 8, id="late, and better with every round"),
        pytest.param((6, 5, 4, 3, 2, 2, 0), 2, 6, id="late, and no better any more"),
        pytest.param((6, 5, 4, 3, 4, 0), 4, 5, id="late, and worse again"),
        pytest.param((6, 6, 6, 2, 0, 1, 0), 0, 8, id="a round that is green is not enough"),
    ],
)
def test_a_system_that_gets_better_with_every_round_is_still_settling(red, left, rounds):
    clock = FakeClock()
    timeline = Timeline(clock)
    script = Script(*red)
    verification = Verification(script, Site("shop", shop_runbook(), lambda role: None), Course(timeline), PACE, clock)
    assert len(verification.red_until_verified("recovery", timeline.now_s())) == left
    assert script.rounds == rounds


def test_better_and_better_is_not_good_enough_for_ever():
    clock = FakeClock()
    timeline = Timeline(clock)
    pace = Pace(settle_within_s=1.0, hold_rounds=2, hold_gap_s=1.0)
    verification = Verification(
        Script(6, 5, 4, 3, 2, 1, 0), Site("shop", shop_runbook(), lambda role: None), Course(timeline), pace, clock
    )
    assert verification.red_until_verified("recovery", timeline.now_s())
    assert timeline.now_s() < 5.0
