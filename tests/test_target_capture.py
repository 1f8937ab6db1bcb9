"""Cutting a command's output out of a stream, however the reads fall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.target.capture import Capture, Frame


def fed(frame: Frame, stream: bytes, size: int) -> Frame:
    for at in range(0, len(stream), size):
        frame.feed(stream[at : at + size])
    return frame


@given(
    output=st.binary(max_size=200), before=st.binary(max_size=50), after=st.binary(max_size=50), size=st.integers(1, 40)
)
def test_a_frame_gives_back_exactly_what_stood_between_its_markers(
    output: bytes, before: bytes, after: bytes, size: int
) -> None:
    frame = fed(
        Frame(b"<<begin>>", b"<<end>>", 10_000), before + b"<<begin>> 12\n" + output + b"<<end>> 3 0\n" + after, size
    )
    assert (frame.began, frame.ended, frame.capture.value()) == (b"12", b"3 0", output)


@given(
    output=st.binary(max_size=200),
    notes=st.lists(st.text("abc'$\\ ", max_size=20), max_size=5),
    size=st.integers(1, 40),
)
def test_notes_are_taken_out_of_the_output_wherever_a_background_process_writes_between_them(
    output: bytes, notes: list[str], size: int
) -> None:
    lines = b"".join(b"<<note>>" + note.encode() + b"\nlate" for note in notes)
    frame = fed(Frame(b"<<b>>", b"<<e>>", 10_000, b"<<note>>"), b"<<b>>1\n" + output + lines + b"<<e>>0 0\n", size)
    assert frame.notes == "".join(notes).encode()
    assert frame.capture.value() == output + b"late" * len(notes)


def test_output_without_an_end_is_there_as_far_as_it_came() -> None:
    frame = fed(Frame(b"<<b>>", b"<<e>>", 100), b"noise<<b>>1\nhalf a li", 3)
    assert frame.ended is None
    assert frame.so_far() == b"half a li"


def test_a_frame_that_never_began_has_no_output() -> None:
    assert fed(Frame(b"<<b>>", b"<<e>>", 100), b"a late line of an earlier command\n", 4).so_far() == b""


@given(chunks=st.lists(st.binary(max_size=30)), keep_bytes=st.integers(2, 60))
def test_a_capture_keeps_head_and_tail_and_counts_the_rest(chunks: list[bytes], keep_bytes: int) -> None:
    capture = Capture(keep_bytes)
    for chunk in chunks:
        capture.feed(chunk)
    whole, value, half = b"".join(chunks), capture.value(), keep_bytes // 2
    if len(whole) <= 2 * half:
        assert (value, capture.dropped_bytes) == (whole, 0)
    else:
        assert capture.dropped_bytes == len(whole) - 2 * half
        assert value.startswith(whole[:half])
        assert value.endswith(whole[-half:])


def test_a_gap_is_told_where_it_is() -> None:
    capture = Capture(4)
    capture.feed(b"0123456789")
    assert capture.value() == b"01\n[6 bytes not kept]\n89"


@pytest.mark.parametrize("keep_bytes", [10, 1000])
def test_reading_the_value_changes_nothing(keep_bytes: int) -> None:
    capture = Capture(keep_bytes)
    capture.feed(b"x" * 15)
    assert capture.value() == capture.value()
