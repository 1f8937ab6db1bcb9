"""Durations and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.errors import UsageError
from drillbook.units import format_bytes, format_duration, parse_bytes, parse_duration

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
parts = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("5m", 300.0), ("1m30s", 90.0), ("250ms", 0.25), ("2h", 7200.0), ("1d", 86400.0), ("0.5h", 1800.0)],
)
def test_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@given(parts)
def test_duration_is_the_sum_of_its_parts(written: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in written)
    assert parse_duration(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in written))


@pytest.mark.parametrize("text", ["", "30", "s", "30 s", "-5s", "5s extra", "5x", "1s,2s", "1e3s"])
def test_what_is_no_duration_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text, where="--wait")
    assert str(caught.value) == f"--wait: expected a duration, got {text!r}\nhint: write 30s, 5m, 1m30s or 2h"


@given(st.text())
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except UsageError:
        return
    assert seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.42, "0.4 s"),
        (42, "42 s"),
        (119, "119 s"),
        (120, "2 min"),
        (150, "2 min 30 s"),
        (3599.6, "1 h"),
        (4200, "1 h 10 min"),
        (-90, "-90 s"),
    ],
)
def test_duration_is_told_in_the_unit_a_person_would_use(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e7))
def test_a_told_duration_is_right_to_the_minute(seconds: float) -> None:
    told = format_duration(seconds).replace(" ", "").replace("min", "m")
    assert parse_duration(told) == pytest.approx(seconds, abs=60 if seconds >= 3600 else 0.51)


@pytest.mark.parametrize(
    ("text", "count"),
    [("128M", 128 * 1024**2), ("4G", 4 * 1024**3), ("512k", 512 * 1024), ("1.5GiB", 1610612736), ("7", 7)],
)
def test_size_is_read_as_docker_reads_it(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "M", "12X", "-1M", "1 2M", "1T"])
def test_what_is_no_size_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_bytes(text, where="mem_limit")
    assert str(caught.value) == f"mem_limit: expected a size, got {text!r}\nhint: write 512k, 128M or 4G"


@given(st.integers(0, 1024**4 - 1))
def test_a_told_size_reads_back_as_nearly_the_same(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=0.05)


def test_size_just_below_the_next_unit_has_no_exponent() -> None:
    assert format_bytes(1023 * 1024**2) == "1023 MiB"
    assert format_bytes(1024**3) == "1 GiB"
