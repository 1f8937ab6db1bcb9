"""The three jobs as a user types them, in a project of their own."""

import json
import re
import sys
from pathlib import Path

import pytest

RUNBOOK = """\
# Shop is down

## Investigation

```bash
cat state
```

## Strategy 1: Open the shop

```bash
echo open > state
```

## Verification

```bash
cat state
# Expected: open
```
"""
CHECKS = '''
import pytest
from drillbook.evidence import expect

@pytest.mark.verify
@pytest.mark.covers("verification#1.1")
def test_open(runs):
    """The shop is open."""
    answer = runs("verification#1.1")
    expect(answer.out.strip() == "open", "open", answer.out.strip(), "open it")

@pytest.mark.verify(writes=True)
def test_sells(operator):
    """A sale goes through."""
    assert operator.run("echo sold > sale").exit_status == 0

@pytest.mark.diagnose
@pytest.mark.covers("strategy-1-open-the-shop")
def test_not_closed(transcript):
    """Nobody closed the shop."""
    line = transcript.find("closed", among=["investigation#1.1"])
    expect(not line, "no line that says closed", line)
'''


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one runbook, its checks, and this machine as the real system."""
    for name, text in {
        "runbooks/shop.md": RUNBOOK,
        "checks/test_shop.py": CHECKS,
        "targets/here.toml": 'runbook = "shop"\n[hosts.operator]\nconnect = ["local:"]\n',
        "pytest.ini": "[pytest]\naddopts = --import-mode=importlib\n",
        "state": "open\n",
    }.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return pytester


def run(shop: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return shop.runpytest_subprocess("checks", "-p", "no:cacheprovider", *arguments)


def summary(shop: pytest.Pytester) -> dict:
    (found,) = shop.path.glob("reports/**/summary.json")
    return json.loads(found.read_text(encoding="utf-8"))


def test_a_green_system_is_verified_in_two_rounds_and_the_last_line_says_so(shop):
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 0
    assert re.search(r"round 1: \d of \d green", result.stdout.str())
    assert re.search(r"Verified.*UTC", result.outlines[-1])
    assert "1 not checked" in result.outlines[-1]


def test_a_red_check_says_step_expected_seen_and_next(shop):
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*step      runbooks/shop.md:* Verification*",
            "*expected  open",
            "*saw       closed",
            "*next      open it",
        ]
    )
    assert "UTC" in result.outlines[-1]
    assert summary(shop)["verdict"] == "FAILED"


def test_what_writes_is_not_checked_on_a_real_system(shop):
    run(shop, "-m", "verify", "--target", "here")
    assert not (shop.path / "sale").exists()


def test_what_writes_is_checked_where_the_target_file_lists_it(shop):
    with (shop.path / "targets" / "here.toml").open("a", encoding="utf-8") as file:
        file.seek(0, 2)
    target = shop.path / "targets" / "here.toml"
    target.write_text('functional = ["test_sells"]\n' + target.read_text(encoding="utf-8"), encoding="utf-8")
    assert run(shop, "-m", "verify", "--target", "here").ret == 0
    assert (shop.path / "sale").exists()


def test_a_red_diagnosis_names_the_scenario(shop):
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    result = run(shop, "-m", "diagnose", "--target", "here")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*step*Strategy 1: Open the shop", "*saw       closed"])


def test_a_green_diagnosis_names_nothing(shop):
    assert run(shop, "-m", "diagnose", "--target", "here").ret == 0


def test_waiting_runs_whole_rounds_until_one_is_green(shop):
    (shop.path / "checks" / "test_shop.py").write_text(
        CHECKS.replace("answer = runs", 'open("state", "w").write(COUNT.pop())\n    answer = runs').replace(
            "@pytest.mark.verify\n", 'COUNT = ["open", "open", "open", "closed"]\n\n@pytest.mark.verify\n', 1
        ),
        encoding="utf-8",
    )
    result = run(shop, "-m", "verify", "--target", "here", "--wait", "30s")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["round 1: 1 of 2 green; red: test_open", "round 2: 2 of 2 green"])


def test_a_soak_ends_with_its_first_red_round(shop):
    (shop.path / "checks" / "test_shop.py").write_text(
        CHECKS.replace("answer = runs", 'open("state", "w").write(COUNT.pop())\n    answer = runs').replace(
            "@pytest.mark.verify\n", 'COUNT = ["closed", "open", "open"]\n\n@pytest.mark.verify\n', 1
        ),
        encoding="utf-8",
    )
    result = run(shop, "-m", "verify", "--target", "here", "--soak", "30s")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["round 2: 2 of 2 green", "*saw       closed"])


def test_the_only_target_is_the_default(shop):
    assert run(shop, "-m", "verify").ret == 0


def test_two_targets_need_a_choice_and_are_listed(shop):
    (shop.path / "targets" / "there.toml").write_text(
        'runbook = "shop"\n[hosts.operator]\nconnect = ["local:"]\n', encoding="utf-8"
    )
    result = run(shop, "-m", "verify")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "here, there" in result.stderr.str()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-m", "verify", "--target", "nowhere"), "here"),
        (("-m", "verify", "--target", "here", "--wait", "soon"), "expected a duration, got 'soon'"),
        (("-m", "verify", "--target", "here", "--incident", "../x"), "expected letters"),
        (("-m", "chaos", "--target", "here"), "throwaway replicas only"),
        (("-m", "chaos", "--cluster", "staging"), "expected context:NAME, got 'staging'"),
        (("-m", "verify", "--target", "here", "--cluster", "context:staging"), "goes with -m chaos"),
    ],
)
def test_wrong_options_are_one_usage_error_before_anything_runs(shop, arguments, words):
    result = run(shop, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_an_unknown_id_in_covers_is_a_usage_error(shop):
    checks = shop.path / "checks" / "test_shop.py"
    checks.write_text(CHECKS.replace('covers("verification#1.1")', 'covers("verification#1.7")'), encoding="utf-8")
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no step or command has the id 'verification#1.7'" in result.stderr.str()


def test_a_runbook_that_is_not_there_is_named(shop):
    (shop.path / "runbooks" / "shop.md").unlink()
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "shop.md" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_bare_pytest_runs_no_check(shop):
    result = run(shop)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (shop.path / "reports").exists()


@pytest.mark.parametrize("uri", ["docker://drillbook-nowhere", "ssh://nobody@127.0.0.1:1"])
def test_a_host_out_of_reach_is_unknown_and_never_green(shop, uri):
    target = shop.path / "targets" / "here.toml"
    target.write_text(f'runbook = "shop"\n[hosts.operator]\nconnect = ["{uri}"]\n', encoding="utf-8")
    result = run(shop, "-m", "verify", "--target", "here", "--junitxml=junit.xml", "-v")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*test_open UNKNOWN*"])
    assert "<error" in Path(shop.path / "junit.xml").read_text(encoding="utf-8")
    assert result.outlines[-1].startswith("UNKNOWN")
    assert summary(shop)["verdict"] == "UNKNOWN"


def test_a_command_that_changes_something_is_refused_on_a_real_system(shop):
    checks = CHECKS.replace('runs("verification#1.1")', 'runs("strategy-1-open-the-shop#1.1")')
    (shop.path / "checks" / "test_shop.py").write_text(checks, encoding="utf-8")
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    assert (shop.path / "state").read_text(encoding="utf-8") == "closed\n"
    assert summary(shop)["verdict"] == "UNKNOWN"


def test_an_incident_files_the_run_under_its_id(shop):
    run(shop, "-m", "verify", "--target", "here", "--incident", "INC-7")
    (folder,) = (shop.path / "reports" / "INC-7").iterdir()
    assert {"run.jsonl", "summary.json", "report.html", "junit.xml"} <= {path.name for path in folder.iterdir()}


def test_names_and_output_with_markup_do_not_run_in_the_report(shop):
    (shop.path / "state").write_text("<script>alert(1)</script>\n", encoding="utf-8")
    run(shop, "-m", "verify", "--target", "here")
    (report,) = shop.path.glob("reports/**/report.html")
    assert "<script>alert(1)</script>" not in report.read_text(encoding="utf-8")


def test_help_needs_no_docker(shop):
    code = "import sys, drillbook.plugin; sys.exit(bool({'docker', 'testcontainers'} & sys.modules.keys()))"
    assert shop.run(sys.executable, "-c", code).ret == 0


def replace_checks(shop: pytest.Pytester, old: str, new: str) -> None:
    assert old in CHECKS
    (shop.path / "checks" / "test_shop.py").write_text(CHECKS.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("body", ["pytest.skip('later')", "pytest.xfail('known')", "[][0]"])
def test_a_diagnosis_that_did_not_look_ends_with_status_1(shop, body):
    replace_checks(shop, 'line = transcript.find("closed", among=["investigation#1.1"])', f"line = {body}")
    assert run(shop, "-m", "diagnose", "--target", "here").ret == 1
    assert summary(shop)["verdict"] != "PASSED"


def test_a_check_that_was_set_up_only_is_not_green(shop):
    result = run(shop, "-m", "verify", "--target", "here", "--setup-only")
    assert result.ret == 1
    assert summary(shop)["verdict"] == "UNKNOWN"


def test_a_red_check_that_is_marked_as_expected_is_red(shop):
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    replace_checks(shop, "@pytest.mark.verify\n", "@pytest.mark.verify\n@pytest.mark.xfail(strict=False)\n")
    assert run(shop, "-m", "verify", "--target", "here").ret == 1
    assert summary(shop)["verdict"] == "FAILED"


def test_checks_that_were_left_out_by_hand_are_counted_in_the_verdict(shop):
    result = run(shop, "-m", "verify", "--target", "here", "-k", "open")
    assert result.ret == 0
    assert re.search(r"Verified at .*: 1 of 1 checks green in 2 rounds, 1 left out by options", result.outlines[-1])


@pytest.mark.parametrize("body", ["pass", "assert drill"])
def test_a_drill_that_no_test_ran_is_not_passed(shop, body):
    chaos = shop.path / "chaos" / "test_shop.py"
    chaos.parent.mkdir()
    chaos.write_text(f"import pytest\n\n@pytest.mark.chaos\ndef test_drill(drill):\n    {body}\n", encoding="utf-8")
    result = shop.runpytest_subprocess("chaos", "-p", "no:cacheprovider", "-m", "chaos")
    assert result.ret == 1
    assert result.outlines[-1].startswith("UNKNOWN")
    assert summary(shop)["verdict"] == "UNKNOWN"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_in_one_message(shop):
    (shop.path / "conftest.py").write_text(
        "import pathlib, pytest\n"
        "from drillbook.plugin.state import RUN\n"
        "def pytest_collection_finish(session):\n"
        "    run = session.config.stash[RUN]\n"
        "    run.timeline._file.close()\n"
        "    run.timeline._file = open('/dev/full', 'a')\n"
    )
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret != 0
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert "No space left on device" in result.stdout.str()


def test_workers_write_into_the_run_s_folder(shop):
    result = run(shop, "-m", "chaos", "-n", "2", "chaos")
    assert result.ret not in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.OK}
    (folder,) = shop.path.glob("reports/*")
    assert {path.name for path in folder.glob("run*.jsonl")} >= {"run.jsonl", "run-gw0.jsonl"}


def checks_are(shop: pytest.Pytester, text: str) -> None:
    (shop.path / "checks" / "test_shop.py").write_text("import pytest\n" + text, encoding="utf-8")


def test_fixtures_that_checks_share_look_anew_in_each_round(shop):
    checks_are(
        shop,
        """
@pytest.fixture(scope="session")
def state():
    with open("state") as file:
        seen = file.read()
    with open("state", "w") as file:
        file.write("closed")
    return seen

@pytest.mark.verify
def test_open(state):
    assert state.strip() == "open"

@pytest.mark.verify
def test_still_open(state):
    assert state.strip() == "open"
""",
    )
    assert run(shop, "-m", "verify", "--target", "here").ret == 1
    assert summary(shop)["verdict"] == "FAILED"


def test_verification_has_no_transcript_which_is_read_once(shop):
    checks_are(shop, "@pytest.mark.verify\ndef test_open(transcript): pass\n")
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    assert "verification looks anew in each round" in result.stdout.str()


@pytest.mark.parametrize(
    "skips",
    [
        "def test_skips(): pytest.skip('cannot reach the database')",
        "@pytest.mark.parametrize('name', [])\n@pytest.mark.verify\ndef test_skips(name): pass",
        "def test_skips(subtests):\n    with subtests.test():\n        pytest.skip('no credentials')",
    ],
    ids=["itself", "for want of parameters", "in a subtest"],
)
def test_what_did_not_look_is_not_green_beside_what_did(shop, skips):
    checks_are(shop, f"@pytest.mark.verify\ndef test_open(): pass\n\n@pytest.mark.verify\n{skips}\n")
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    assert summary(shop)["verdict"] == "UNKNOWN"
    assert "UNKNOWN" in result.outlines[-1]


def test_a_check_that_looked_in_one_round_only_is_not_verified(shop):
    checks_are(
        shop,
        "AGAIN = []\n\n@pytest.mark.verify\ndef test_open():\n"
        "    AGAIN.append(1)\n    if len(AGAIN) == 2:\n        pytest.skip('not to be reached any more')\n",
    )
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    assert "round 1: 1 of 1 green" in result.stdout.str()
    assert summary(shop)["verdict"] == "UNKNOWN"


@pytest.mark.parametrize(
    "options",
    [["--lf"], ["-o", "python_functions=test_a"], ["checks/test_shop.py::test_a"]],
    ids=["the last failed", "other names", "a node id"],
)
def test_checks_that_were_not_even_collected_are_counted(shop, options):
    checks_are(
        shop,
        "@pytest.mark.verify\ndef test_a():\n    assert open('state').read() == 'open\\n'\n\n"
        "@pytest.mark.verify\ndef test_b():\n    assert open('state').read() != 'open\\n'\n",
    )
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    shop.runpytest_subprocess("checks", "-m", "verify", "--target", "here")
    (shop.path / "state").write_text("open\n", encoding="utf-8")
    where = [] if "::" in options[0] else ["checks"]
    result = shop.runpytest_subprocess(*where, *options, "-m", "verify", "--target", "here")
    assert "1 of 1 checks green in 2 rounds, 1 left out by options" in result.outlines[-1]


def test_checks_that_are_marked_by_their_class_or_file_are_counted_once_and_nothing_else_is(shop):
    checks_are(
        shop,
        "from unittest.mock import call\n\npytestmark = pytest.mark.verify\n\ndef helper(): pass\n\n"
        "def test_a(): pass\n\n@pytest.mark.verify\nclass TestMore:\n    def test_b(self): pass\n",
    )
    assert "left out" not in run(shop, "-m", "verify", "--target", "here").outlines[-1]
    result = shop.runpytest_subprocess("checks/test_shop.py::test_a", "-m", "verify", "--target", "here")
    assert "1 of 1 checks green in 2 rounds, 1 left out by options" in result.outlines[-1]


def test_a_subtest_that_was_red_before_the_window_is_not_counted_in_it(shop):
    checks_are(
        shop,
        "AGAIN = []\n\n@pytest.mark.verify\ndef test_open(subtests):\n    AGAIN.append(1)\n"
        "    with subtests.test():\n        assert len(AGAIN) > 1\n",
    )
    result = run(shop, "-m", "verify", "--target", "here", "--wait", "30s")
    assert result.ret == 0
    assert "contains 1 failed subtest" not in result.stdout.str()
    assert summary(shop)["verdict"] == "PASSED"


@pytest.mark.parametrize(
    "options",
    [
        ["--target=here"],
        ["--target=nonsense"],
        ["--soak=1s"],
        ["--wait=1s"],
        ["--incident=I-1"],
        ["-m", "diagnose", "--soak=1s"],
    ],
    ids=" ".join,
)
def test_an_option_that_nothing_comes_of_is_refused(shop, options):
    result = run(shop, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "nothing comes of it without -m verify" in result.stderr.str()


@pytest.mark.parametrize(("job", "status"), [("verify", 0), ("diagnose", 0), ("diagnose", 42)])
def test_a_run_that_somebody_ended_proves_nothing_whatever_its_exit_status(shop, job, status):
    checks_are(
        shop,
        f"SEEN = []\n\n@pytest.mark.{job}\ndef test_a(): pass\n\n@pytest.mark.{job}\ndef test_b():\n"
        f"    SEEN.append(1)\n    if len(SEEN) == {2 if job == 'verify' else 1}:\n"
        f"        pytest.exit('enough', returncode={status})\n\n@pytest.mark.{job}\ndef test_c(): pass\n",
    )
    result = run(shop, "-m", job, "--target", "here")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert summary(shop)["verdict"] == "UNKNOWN"
    assert "2 rounds" not in result.outlines[-1]
    junit = next(shop.path.glob("reports/*/junit.xml")).read_text(encoding="utf-8")
    assert 'errors="1"' in junit


def test_a_drill_that_skipped_itself_is_told(shop):
    chaos = shop.path / "chaos" / "test_shop.py"
    chaos.parent.mkdir()
    chaos.write_text("import pytest\n\n@pytest.mark.chaos\ndef test_drill(): pytest.skip('later')\n", encoding="utf-8")
    assert shop.runpytest_subprocess("chaos", "-p", "no:cacheprovider", "-m", "chaos").ret == 1
    assert summary(shop)["verdict"] == "UNKNOWN"


def test_an_ordinary_test_is_not_taken_for_a_check(shop):
    checks_are(shop, "@pytest.mark.verify\ndef test_a(): pass\n\n@pytest.mark.smoke\ndef test_b(): assert False\n")
    result = run(shop, "-m", "verify or smoke", "--target", "here", "-W", "ignore")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_b is no check of a real system" in result.stderr.str()


def test_a_check_that_writes_by_its_class_is_not_run_on_a_real_system(shop):
    checks_are(
        shop,
        "@pytest.mark.verify(writes=True)\nclass TestSale:\n    @pytest.mark.verify\n"
        "    def test_sells(self, operator):\n        open('sale', 'w').close()\n",
    )
    run(shop, "-m", "verify", "--target", "here")
    assert not (shop.path / "sale").exists()


def test_reads_vouches_for_a_command_and_not_for_the_check_that_covers_it(shop):
    target = shop.path / "targets" / "here.toml"
    target.write_text('reads = ["verification#1.1"]\n' + target.read_text(encoding="utf-8"), encoding="utf-8")
    replace_checks(shop, 'answer = runs("verification#1.1")', 'answer = runs("strategy-1-open-the-shop#1.1")')
    (shop.path / "state").write_text("closed\n", encoding="utf-8")
    assert run(shop, "-m", "verify", "--target", "here").ret == 1
    assert (shop.path / "state").read_text(encoding="utf-8") == "closed\n"
    assert summary(shop)["verdict"] == "UNKNOWN"


def test_the_record_says_that_another_host_than_the_first_answered(shop):
    target = shop.path / "targets" / "here.toml"
    target.write_text(
        target.read_text(encoding="utf-8").replace('["local:"]', '["docker://no-such-shop", "local:"]'),
        encoding="utf-8",
    )
    assert run(shop, "-m", "verify", "--target", "here").ret == 0
    page = next(shop.path.glob("reports/*/report.html")).read_text(encoding="utf-8")
    assert "docker://no-such-shop did not answer" in page


def test_a_name_that_this_machine_does_not_know_says_nothing_of_the_system(shop):
    checks_are(
        shop,
        "import httpx\n\n@pytest.mark.verify\ndef test_up():\n"
        "    assert httpx.get('http://shop.invalid/', timeout=5, trust_env=False).status_code == 200\n",
    )
    result = run(shop, "-m", "verify", "--target", "here")
    assert result.ret == 1
    assert summary(shop)["verdict"] == "UNKNOWN"
    assert "cannot look the name up" in result.stdout.str()


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        pytest.param(
            "@pytest.mark.verify\ndef test_open(subtests):\n    with subtests.test():\n        assert False\n",
            "FAILED",
            id="a red subtest makes its check red",
        ),
        pytest.param(
            "@pytest.fixture(scope='module')\ndef shared():\n    yield\n    assert False, 'left open'\n\n"
            "@pytest.mark.verify\ndef test_a(shared): pass\n\n@pytest.mark.verify\ndef test_b(): pass\n",
            "UNKNOWN",
            id="a red teardown of what checks share is an error of one of them",
        ),
        pytest.param(
            "import socket\n\n@pytest.mark.verify\ndef test_up():\n    try:\n"
            "        raise socket.gaierror('no such name')\n    except OSError:\n        assert 'page' == 'shop'\n",
            "FAILED",
            id="what has seen something is red whatever it had to handle before",
        ),
        pytest.param(
            "@pytest.mark.verify\ndef test_up():\n    first = ValueError('first')\n    try:\n"
            "        raise RuntimeError from first\n    except RuntimeError as second:\n"
            "        raise first from second\n",
            "FAILED",
            id="causes that run in a circle are looked at once",
        ),
    ],
)
def test_what_goes_wrong_in_a_check_is_no_green(shop, checks, verdict):
    checks_are(shop, checks)
    assert run(shop, "-m", "verify", "--target", "here").ret == 1
    assert summary(shop)["verdict"] == verdict
