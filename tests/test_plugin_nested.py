"""The checks of a drill, run by pytest inside pytest: none of them is lost, and none is green without having looked."""

from pathlib import Path

import pytest
from fakes import FakeTarget, shop_runbook

from drillbook.errors import UsageError
from drillbook.evidence import Checked, Transcript
from drillbook.outcome import Outcome
from drillbook.plugin.nested import PytestChecks
from drillbook.site import Site

SITE = Site("replica", shop_runbook(), lambda role: FakeTarget(), is_replica=True)
HEAD = "import pytest\n\n"
GREEN = "@pytest.mark.verify\ndef test_green(): pass\n\n"
RED = "@pytest.mark.verify\n{mark}def test_red():\n    {body}\n\n"


@pytest.fixture
def verify(tmp_path: Path, request: pytest.FixtureRequest):
    """Runs verification checks that a test writes."""

    def run(*checks: str) -> dict[str, Checked]:
        file = tmp_path / "test_shop.py"
        file.write_text(HEAD + "".join(checks), encoding="utf-8")
        return {check.item: check for check in PytestChecks(request.config, file).verify(SITE)}

    return run


def red(body: str = "assert False, 'closed'", mark: str = "") -> str:
    return RED.format(body=body, mark=mark)


@pytest.mark.parametrize("options", ["-k green", "-x", "--deselect test_red", "--setup-only"])
def test_options_for_the_outer_run_hide_no_check(verify, monkeypatch, options):
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    checked = verify(red(), GREEN)
    assert {item: check.outcome for item, check in checked.items()} == {
        "test_red": Outcome.FAILED,
        "test_green": Outcome.PASSED,
    }


@pytest.mark.parametrize(
    "mark", ["@pytest.mark.xfail(reason='known', strict=False)\n", "@pytest.mark.xfail(run=False)\n"]
)
def test_a_red_check_is_not_green_because_somebody_expected_it(verify, mark):
    assert not verify(red(mark=mark))["test_red"].is_green


def test_a_red_check_that_calls_itself_an_expected_failure_is_red(verify):
    assert not verify(red("pytest.xfail('known')"))["test_red"].is_green


def test_a_check_that_skips_itself_did_not_look(verify):
    assert verify(red("pytest.skip('not today')"))["test_red"].outcome is Outcome.UNKNOWN


def test_a_check_that_ends_the_round_is_an_error(verify):
    with pytest.raises(UsageError, match="test_green was not run"):
        verify(red("pytest.exit('enough', returncode=0)"), GREEN)


@pytest.mark.parametrize("text", ["def test_green(): pass\n", "", "def broken(:\n"])
def test_a_file_without_checks_that_run_is_an_error(verify, text):
    with pytest.raises(UsageError, match="cannot be run"):
        verify(text)


def test_a_diagnosis_check_that_breaks_off_implicates_nothing(tmp_path, request):
    file = tmp_path / "test_shop.py"
    file.write_text(HEAD + "@pytest.mark.diagnose\ndef test_memory(transcript):\n    [][0]\n", encoding="utf-8")
    (check,) = PytestChecks(request.config, file).diagnose(SITE, Transcript())
    assert (check.outcome, "IndexError" in check.seen) == (Outcome.ERROR, True)


def test_checks_of_one_name_in_two_classes_are_two(verify):
    checked = verify("class TestA:\n    @pytest.mark.verify\n    def test_up(self): assert False\n\n"
                     "class TestB:\n    @pytest.mark.verify\n    def test_up(self): pass\n")  # fmt: skip
    assert {item: check.is_green for item, check in checked.items()} == {
        "TestA::test_up": False,
        "TestB::test_up": True,
    }
