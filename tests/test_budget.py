"""Budgets quote the document."""

from pathlib import Path

import pytest
from fakes import shop_runbook

from drillbook.budget import Budget, Milestone
from drillbook.errors import RunbookError, UsageError
from drillbook.parser import parse_runbook
from drillbook.replica.loader import load_fixture

ROOT = Path(__file__).parents[1]


def test_a_budget_reads_its_limit_and_its_line_from_the_document():
    budget = Budget(Milestone.RESTORED, "Service not restored within 15 minutes")
    assert (budget.limit_s(), budget.line(shop_runbook())) == (900.0, 5)


def test_a_quote_without_a_duration_is_refused():
    with pytest.raises(UsageError, match="expected a duration in 'soon'"):
        Budget(Milestone.RESTORED, "soon").limit_s()


def test_a_quote_that_the_document_lost_names_the_document():
    with pytest.raises(RunbookError, match=r"shop\.md:1: a budget quotes 'within 2 hours'"):
        Budget(Milestone.RESTORED, "within 2 hours").line(shop_runbook())


@pytest.mark.parametrize("table", sorted((ROOT / "chaos").glob("test_*.py")), ids=lambda path: path.stem)
def test_the_budgets_of_a_table_stand_in_its_document(table):
    slug = table.stem.removeprefix("test_").replace("_", "-")
    runbook = parse_runbook(ROOT / "runbooks" / f"{slug}.md")
    assert [budget.line(runbook) for budget in load_fixture(table).BUDGETS]
