"""What errors say, and in which order."""

import re

import pytest

from drillbook import errors
from drillbook.errors import DrillbookError

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_message_says_where_what_evidence_and_hint(kind: type[DrillbookError]) -> None:
    error = kind("host db", "expected 1 replica, got 0", evidence="starting\nout of memory\n", hint="raise the limit")
    assert str(error) == ("host db: expected 1 replica, got 0\n  | starting\n  | out of memory\nhint: raise the limit")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_evidence_and_hint_can_be_left_out(kind: type[DrillbookError]) -> None:
    assert str(kind("host db", "is gone")) == "host db: is gone"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_says_what_it_is_for(kind: type[DrillbookError]) -> None:
    assert issubclass(kind, DrillbookError)
    assert (kind.__doc__ or "").strip()


def test_evidence_is_the_last_20_lines_that_say_something() -> None:
    error = DrillbookError("log", "ended", evidence=[line for n in range(30) for line in (f"line {n}  ", "  ")])
    assert error.evidence == tuple(f"line {n}" for n in range(10, 30))


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ((?:│   |    )*)(?:[├└]── )?([A-Z]\w+)", line):
            depth = len(match[1]) // 4 + ("──" in line)
            path[depth:] = [match[2]]
            parents[match[2]] = path[-2] if depth else "Exception"
    assert parents == {kind.__name__: kind.__base__.__name__ for kind in CLASSES}


def test_an_unreachable_target_is_no_assertion() -> None:
    assert not issubclass(DrillbookError, AssertionError)
