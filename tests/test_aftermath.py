"""Residue is what no recovery declares."""

from drillbook.aftermath import changes


def test_equal_snapshots_leave_nothing():
    assert changes({"a": "1"}, {"a": "1"}, []) == []


def test_what_came_went_or_changed_is_told_and_whether_it_is_declared():
    found = changes({"file/x": "1", "port/1": "a"}, {"file/x": "2", "port/2": "b"}, ["file/*"])
    assert found == [
        {"key": "file/x", "before": "1", "after": "2", "declared": True},
        {"key": "port/1", "before": "a", "after": None, "declared": False},
        {"key": "port/2", "before": None, "after": "b", "declared": False},
    ]
