"""Which alert a table means, as Prometheus would select it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.alerts import Alert, AlertSelector
from drillbook.errors import UsageError

WHERE = "case backend-hung"

names = st.from_regex(r"[A-Za-z][A-Za-z0-9 _:-]{0,20}[A-Za-z0-9]", fullmatch=True)
labels = st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), st.text(max_size=20), max_size=3)


def parse(text):
    return AlertSelector.parse(text, WHERE)


@given(names, labels)
def test_what_is_written_is_read_again(name, labels):
    selector = AlertSelector(name, labels)
    assert parse(str(selector)) == selector


def test_a_name_alone_selects_the_alerts_of_every_service():
    assert parse("ServiceDown").matches(Alert("ServiceDown", {"service": "db"}))
    assert not parse("ServiceDown").matches(Alert("DiskFull", {"service": "db"}))


@pytest.mark.parametrize(
    ("asked", "has", "selected"),
    [
        ('{service="db"}', {"service": "db", "severity": "critical"}, True),
        ('{ service = "db" , severity = "critical" }', {"service": "db", "severity": "critical"}, True),
        ('{service="db"}', {"service": "backend"}, False),
        ('{service="db"}', {}, False),
        ('{service="db",severity="page"}', {"service": "db", "severity": "critical"}, False),
        (r'{path="C:\\data"}', {"path": r"C:\data"}, True),
    ],
)
def test_labels_must_all_be_there(asked, has, selected):
    assert parse(f"ServiceDown{asked}").matches(Alert("ServiceDown", has)) is selected


@pytest.mark.parametrize(
    "text", ["", "  ", "{}", "Down{", "Down{}", "Down{service}", 'Down{service!="db"}', 'Down{service=~"d.*"}', "a}b"]
)
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(UsageError, match=WHERE) as caught:
        parse(text)
    assert repr(text) in caught.value.problem


def test_what_fired_is_told_by_the_labels_that_were_asked_for():
    fired = [
        Alert("ServiceDown", {"service": "backend", "pod": "backend-1"}),
        Alert("ServiceDown", {"service": "backend", "pod": "backend-2"}),
        Alert("DiskFull"),
    ]
    assert parse('ServiceDown{service="db"}').tell(fired) == ['ServiceDown{service="backend"}', "DiskFull"]
    assert parse("ServiceDown").tell(fired) == ["ServiceDown", "DiskFull"]
