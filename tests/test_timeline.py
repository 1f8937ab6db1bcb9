"""The run's record: what is on disk, and when."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.clock import SystemClock
from drillbook.errors import EvidenceError
from drillbook.timeline import Event, Timeline, read_events


class FakeClock:
    """Every look takes a quarter of a second."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def monotonic_s(self) -> float:
        self.now_s += 0.25
        return self.now_s

    def utc(self) -> datetime:
        return datetime(2026, 1, 31, 3, 12, 45, 123456, tzinfo=UTC)

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "run" / "run.jsonl"


def test_an_event_is_on_disk_before_add_returns(path: Path) -> None:
    timeline = Timeline(FakeClock(), path)
    timeline.add("t0", note="confirmed")
    assert json.loads(path.read_text()) == {
        "kind": "t0",
        "utc": "2026-01-31T03:12:45.123Z",
        "at_s": 0.25,
        "note": "confirmed",
    }
    timeline.close()


def test_events_are_appended_never_rewritten(path: Path) -> None:
    first = Timeline(FakeClock(), path)
    first.add("one")
    first.close()
    second = Timeline(FakeClock(), path)
    second.add("two")
    second.close()
    assert [event["kind"] for event in read_events(path)] == ["one", "two"]


def test_without_a_path_events_stay_in_memory() -> None:
    timeline = Timeline(FakeClock())
    timeline.add("note", text="x")
    timeline.close()
    assert [event.kind for event in timeline.events] == ["note"]


def test_every_event_carries_the_context(path: Path) -> None:
    timeline = Timeline(FakeClock(), path, context={"drill": "kill"})
    timeline.add("t0")
    timeline.close()
    assert read_events(path)[0]["drill"] == "kill"


def test_secrets_are_gone_before_anything_is_written(path: Path) -> None:
    timeline = Timeline(FakeClock(), path)
    event = timeline.add("command", text="psql password=hunter2secret", nested={"url": ["http://u:hunter2secret@db/"]})
    timeline.close()
    assert "hunter2secret" not in path.read_text()
    assert "hunter2secret" not in str(event)


def test_a_listener_hears_of_later_events_only() -> None:
    timeline, heard = Timeline(FakeClock()), []
    timeline.add("before")
    timeline.listen(lambda event: heard.append(event.kind))
    timeline.add("after")
    assert heard == ["after"]


def test_a_span_has_a_begin_and_an_end_that_says_how_long() -> None:
    timeline = Timeline(FakeClock())
    with timeline.span("phase", phase="steady") as more:
        more["rounds"] = 2
    begin, end = timeline.events
    assert (begin.kind, dict(begin.fields)) == ("phase.begin", {"phase": "steady"})
    assert end.kind == "phase.end"
    assert end.fields["rounds"] == 2
    assert end.fields["took_s"] > 0


def test_a_span_ends_also_where_its_block_raises() -> None:
    timeline = Timeline(FakeClock())
    with pytest.raises(KeyboardInterrupt), timeline.span("phase", phase="inject"):
        raise KeyboardInterrupt
    assert [event.kind for event in timeline.events] == ["phase.begin", "phase.end"]


def test_a_full_disk_is_one_error_that_names_the_file() -> None:
    timeline = Timeline(FakeClock(), Path("/dev/full"))
    message = "/dev/full: the run's record cannot be written: No space left on device"
    with pytest.raises(EvidenceError) as caught:
        timeline.add("t0")
    assert str(caught.value) == message
    with pytest.raises(EvidenceError) as caught:
        timeline.close()
    assert str(caught.value) == message
    timeline.close()


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError) as caught:
        Timeline(FakeClock(), tmp_path / "file" / "run.jsonl")
    assert str(caught.value).endswith("/file/run.jsonl: the run's record cannot be written: File exists")


def test_a_last_line_cut_off_by_a_kill_is_left_out(path: Path) -> None:
    timeline = Timeline(FakeClock(), path)
    timeline.add("one")
    timeline.add("two")
    timeline.close()
    path.write_text(path.read_text()[:-5])
    assert [event["kind"] for event in read_events(path)] == ["one"]


@pytest.mark.parametrize("line", ["garbage", "17", "[]", ""])
def test_any_other_line_that_is_no_event_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    record = tmp_path / "run.jsonl"
    record.write_text(f'{{"kind": "one"}}\n{line}\n{{"kind": "two"}}\n')
    with pytest.raises(EvidenceError) as caught:
        read_events(record)
    assert str(caught.value) == f"{record}:2: expected one JSON object, got {line!r}"


def test_a_record_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_events(tmp_path / "run.jsonl")
    assert str(caught.value) == f"{tmp_path}/run.jsonl: no record can be read: No such file or directory"


def test_an_empty_record_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("")
    assert read_events(tmp_path / "run.jsonl") == []


characters = st.one_of(st.characters(), st.characters(categories=["Cs", "Cc", "Zl", "Zp"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(characters), lambda inner: st.lists(inner), max_leaves=5
)


@given(st.lists(st.dictionaries(st.sampled_from(["stdout", "seen", "labels"]), values), min_size=1))
def test_whatever_a_command_printed_reads_back_as_one_event_a_line(
    tmp_path_factory: pytest.TempPathFactory, many: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("record") / "run.jsonl"
    timeline = Timeline(FakeClock(), path)
    for fields in many:
        timeline.add("command", **fields)
    timeline.close()
    events = read_events(path)
    assert len(events) == len(many)
    assert [set(event) - {"kind", "utc", "at_s"} for event in events] == [set(fields) for fields in many]


def test_an_event_without_fields_has_kind_and_times() -> None:
    assert Event("t0", datetime(2026, 1, 31, tzinfo=UTC), 1.23456).to_json() == {
        "kind": "t0",
        "utc": "2026-01-31T00:00:00.000Z",
        "at_s": 1.2346,
    }


def test_a_listener_whose_terminal_is_gone_does_not_end_the_record():
    timeline = Timeline(SystemClock())

    def gone(event):
        raise BrokenPipeError

    timeline.listen(gone)
    timeline.add("first")
    timeline.add("second")
    assert [event.kind for event in timeline.events] == ["first", "second"]
