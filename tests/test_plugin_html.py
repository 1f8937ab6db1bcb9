"""The page that pytest-html writes: ours stands above its table, and nothing of a run runs in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import drillbook

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to open the page as a person would")

EVIL = "<img src=x onerror=\"document.documentElement.dataset.hit='yes'\"><script>document.title='hit'</script>"

CONFTEST = f"""
import os
import pytest
from drillbook.plugin.html import register

EVIL = {EVIL!r}
EVENTS = [
    {{"kind": "run.begin", "utc": "2026-01-31T03:12:00.000Z", "at_s": 0, "run": EVIL, "job": "verify", "target": EVIL}},
    {{"kind": "check", "utc": "2026-01-31T03:14:07.000Z", "at_s": 9, "item": EVIL, "job": "verify", "claim": EVIL,
      "outcome": "FAILED", "expected": EVIL, "seen": EVIL + "</pre></style>", "next": EVIL, "during": "target",
      "round": 1}},
    {{"kind": "run.end", "utc": "2026-01-31T03:14:07.000Z", "at_s": 9, "exit_status": 1}},
]

def pytest_configure(config):
    if not os.environ.get("WITHOUT_GLUE"):
        register(config, lambda: EVENTS, "drillbook " + EVIL)
    try:
        from pytest_metadata.plugin import metadata_key
    except ImportError:
        return
    config.stash[metadata_key]["Evil"] = EVIL
    config.stash[metadata_key]["Nested"] = {{EVIL: EVIL}}
    config.stash[metadata_key]["Url"] = "postgres://bob:hunter2@db/x"

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    word = getattr(getattr(item, "function", None), "word", None)
    if word and report.when == "call":
        report.drillbook = {{"outcome": word}}
    return report
"""

TESTS = f"""
import pytest
from pytest_html import extras as make

EVIL = {EVIL!r}

@pytest.mark.parametrize("text", [EVIL, "\\\\x", "\\ud800", "a\\x1b[31mb", "plain"],
                         ids=[EVIL, "\\\\x", "s\\udc00", "red", "plain"])
def test_text(text, extras):
    print(text, "password=hunter2")
    extras += [make.text(b"bad \\xff bytes", name=EVIL), make.text("lone \\ud800", name="lone"),
               make.url("javascript:document.title='hit'", name="link"),
               make.url('"><script>document.title="hit"</script>'),
               make.json({{"a": float("nan"), "b": b"\\xff", "password": "hunter2"}}), make.text("token=hunter2abc")]

def test_unknown():
    assert False, EVIL
test_unknown.word = "UNKNOWN"

def test_not_covered():
    pass
test_not_covered.word = "NOT COVERED"

def test_passes():
    pass

def test_talks():
    for number in range(20_000):
        print(f"line {{number}} of what it says, and it says a lot of things, line after line after line")
"""


HOSTILE_ID = f"""
import pytest

@pytest.mark.parametrize("text", [1], ids=[{EVIL!r}])
def test_text(text):
    pass
"""


def run_pytest(folder: Path, tests: str, *options: str, **environment: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_hostile.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", *options]
    source = str(Path(drillbook.__file__).parents[1])
    run = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.stdout + run.stderr


def write_page(folder: Path, tests: str, **environment: str) -> Path:
    said = run_pytest(folder, tests, "--html=page.html", "--self-contained-html", **environment)
    assert "INTERNALERROR" not in said, said
    assert (folder / "page.html").is_file(), said
    return folder / "page.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that pytest-html wrote of a run in which everything is hostile."""
    return write_page(tmp_path_factory.mktemp("hostile"), TESTS)


@pytest.fixture(scope="module")
def dom(page: Path) -> str:
    """Return what the page has become once a browser ran its scripts."""
    return dump(page)


def dump(page: Path) -> str:
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    return subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    ).stdout


def test_the_page_is_written_whatever_a_run_holds(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "NOT verified at 03:14:07 UTC: 1 of 1 checks red" in unescape(text)
    assert text.index("drillbook-fragment") < text.index("results-table-head")
    assert len(text) < 400_000


def test_secrets_do_not_reach_the_page(page: Path) -> None:
    assert "hunter2" not in page.read_text(encoding="utf-8")


def test_rows_keep_what_the_page_s_script_needs(page: Path) -> None:
    blob = re.search(r'data-jsonblob="([^"]*)"', page.read_text(encoding="utf-8"))
    assert blob
    results = [test["result"] for tests in json.loads(unescape(blob[1]))["tests"].values() for test in tests]
    assert set(results) == {"Passed", "Failed"}


@needs_chromium
def test_nothing_of_a_run_runs_in_the_page(dom: str) -> None:
    assert "data-hit" not in dom
    assert 'id="head-title">drillbook' in dom
    assert 'href="javascript' not in dom


@needs_chromium
def test_without_the_glue_a_test_id_does_run_in_the_page(tmp_path: Path) -> None:
    assert 'data-hit="yes"' in dump(write_page(tmp_path, HOSTILE_ID, WITHOUT_GLUE="1"))


@needs_chromium
def test_rows_show_our_own_words(dom: str) -> None:
    rows = re.findall(r'<td class="col-result[^"]*"(?: data-pytest-html="[^"]*")?>([^<]*)</td>', dom)
    assert sorted(rows) == ["NOT COVERED", *["Passed"] * 7, "UNKNOWN"]


def test_nothing_is_joined_where_pytest_html_is_off(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(tmp_path, "def test_passes(): pass", "-p", "no:html")
