"""The soak's log and verdict, without running a drill."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ITEM = "chaos/test_api.py::test_drill[kill]"


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", Path(__file__).parents[1] / "bench" / "soak.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in (("ROOT", tmp_path), ("REPORTS", tmp_path), ("LOG", tmp_path / "soak.jsonl")):
        monkeypatch.setattr(module, name, value)
    return module


def row(outcome: str = "PASSED", exit_status: int = 0, code: str = "now") -> dict[str, Any]:
    return {"item": ITEM, "outcome": outcome, "exit_status": exit_status, "code": code, "leftovers": []}


def test_rows_of_other_code_are_kept_but_not_counted(soak: ModuleType) -> None:
    soak.append(row(code="before"))
    soak.append(row())
    assert [one["code"] for one in soak.results("now")] == ["now"]
    assert len((soak.LOG).read_text().splitlines()) == 2


def test_a_row_that_a_kill_cut_off_is_no_result_and_spoils_no_other(soak: ModuleType) -> None:
    soak.append(row())
    soak.LOG.write_text(soak.LOG.read_text() + json.dumps(row())[:20])
    soak.append(row())
    assert len(list(soak.results("now"))) == 2


def test_the_code_s_id_changes_with_any_file_that_decides(soak: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "chaos").mkdir()
    before = soak.code_id()
    (tmp_path / "chaos" / "test_api.py").write_text("TABLE = ()")
    assert soak.code_id() != before


@pytest.mark.parametrize(
    ("rows", "steady"),
    [
        ([row(), row(), row()], True),
        ([row("NOT COVERED")] * 3, True),
        ([row(), row()], False),
        ([row(), row(), row("UNKNOWN", 1)], False),
        ([row("FAILED", 1)] * 3, False),
        ([row(), row(), row("NOT COVERED")], False),
    ],
    ids=[
        "always passed",
        "always not covered, as declared",
        "too few",
        "once unknown",
        "always failed",
        "two outcomes",
    ],
)
def test_only_the_same_declared_outcome_in_every_round_is_steady(
    soak: ModuleType, rows: list[dict[str, Any]], steady: bool
) -> None:
    assert soak.judge([ITEM], rows, 3) is steady
