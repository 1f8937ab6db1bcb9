"""What a drill waits for, on quick machines and on slow ones."""

from drillbook.case import Pace


def test_a_quick_machine_keeps_the_deadlines() -> None:
    assert Pace().on_machine(3.0) == Pace()


def test_on_a_slow_machine_no_deadline_after_the_start_is_shorter_than_two_healthy_starts() -> None:
    slow = Pace(settle_within_s=10.0, alert_slack_s=15.0).on_machine(40.0)
    assert slow == Pace(settle_within_s=80.0, alert_slack_s=80.0)
