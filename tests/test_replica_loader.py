from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.replica.loader import load_fixture, load_replica

GOOD = """
class Fake:
    slug = "shop"
    def snapshot(self): return {}
def replica(): return Fake()
"""


def project(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "fixtures" / "shop"
    folder.mkdir(parents=True)
    (folder / "replica.py").write_text(text)
    return tmp_path


def test_each_call_makes_a_new_replica(tmp_path: Path) -> None:
    folder = project(tmp_path, GOOD)
    assert load_replica(folder, "shop").slug == "shop"
    assert load_replica(folder, "shop") is not load_replica(folder, "shop")


def test_a_missing_file_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none") as caught:
        load_replica(project(tmp_path, GOOD), "bank")
    assert "fixtures/bank/replica.py" in caught.value.where
    assert caught.value.hint == "there are replicas of: shop"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a function replica() in it, found none"),
        ("def replica(: ...", "it cannot be used: SyntaxError"),
        ("import nothing_of_this_name", "it cannot be used: ModuleNotFoundError"),
        ("def replica(): return 1 / 0", "replica() failed: ZeroDivisionError: division by zero"),
        (
            "def replica(): return None.slug",
            "replica() failed: AttributeError: 'NoneType' object has no attribute 'slug'",
        ),
        (
            "def replica(): return None",
            "expected replica() to return a Replica of slug 'shop', got NoneType of slug None",
        ),
        (
            GOOD.replace('"shop"', '"bank"'),
            "expected replica() to return a Replica of slug 'shop', got Fake of slug 'bank'",
        ),
    ],
)
def test_a_file_that_makes_no_replica_is_told_in_one_message(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_replica(project(tmp_path, text), "shop")
    assert caught.value.problem.startswith(problem)
    assert caught.value.where.endswith("fixtures/shop/replica.py")


def test_a_file_of_another_fixture_is_loaded_as_a_module(tmp_path: Path) -> None:
    project(tmp_path, GOOD)
    other = tmp_path / "fixtures" / "shop" / "faults.py"
    other.write_text("from dataclasses import dataclass\n@dataclass\nclass Broken:\n    part: str\n")
    assert load_fixture(other).Broken("door").part == "door"


@pytest.mark.parametrize(("text", "said"), [(None, "FileNotFoundError"), ("x = 1 / 0", "ZeroDivisionError")])
def test_what_cannot_be_loaded_is_told_in_one_message(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "faults.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=f"it cannot be used: {said}") as caught:
        load_fixture(path)
    assert caught.value.where == str(path)
