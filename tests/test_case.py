"""What a drill waits for, on quick machines and on slow ones."""

from drillbook.case import Pace


def test_a_quick_machine_keeps_the_deadlines() -> None:
    assert Pace().on_machine(3.0) == Pace()


def test_a_slow_machine_has_three_healthy_starts_to_settle_and_two_for_an_alert() -> None:
    slow = Pace(settle_within_s=10.0, alert_slack_s=15.0).on_machine(40.0)
    assert slow == Pace(settle_within_s=120.0, alert_slack_s=80.0)


def test_the_customer_of_a_machine_ten_times_slower_calls_every_few_seconds() -> None:
    assert Pace().on_machine(200.0).ask_every_s == 3.5
