"""What is rendered from a record: complete, readable, and harmless whatever the record holds."""

import json
import random
import re
import shutil
import subprocess
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import on_this_machine

from drillbook.errors import EvidenceError
from drillbook.report import junit_xml, page_html, read_run, render_run, summarise, summary_html
from drillbook.report.picture import draw
from drillbook.report.record import sort_out
from drillbook.report.text import duration, excerpt, instant, one_line, percent, readable

SAMPLES = Path(__file__).parent / "samples"
EVIL = "</pre></style></title></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&lt;"
ODD = EVIL + "\x00\x07\x1b[31mred\x1b[0m\x1b]0;title\x07\u202eevil\u2066\ud800\r\x85\u2028\ufffe"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def sample(name: str) -> list[dict[str, Any]]:
    lines = (SAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


class Tags(HTMLParser):
    """Collects what a page is made of, and that what is opened is closed in its order."""

    VOID = frozenset({"meta", "br", "line", "rect", "img", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert not tags.wrong
    assert not tags.open
    return tags


def assert_harmless(html: str) -> None:
    tags = parsed(html)
    allowed = {
        "http-equiv",
        "content",
        "name",
        "charset",
        "lang",
        "class",
        "id",
        "href",
        "scope",
        "colspan",
        "tabindex",
    }
    drawn = {
        "viewbox",
        "role",
        "aria-labelledby",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "width",
        "height",
        "rx",
        "font-size",
    }
    for tag, attributes in tags.seen:
        assert tag not in {"script", "iframe", "object", "embed", "form", "img", "link", "base"}
        assert attributes.keys() <= allowed | drawn | {"text-anchor"}
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


@pytest.mark.parametrize("name", ["run", "killed", "verify"])
def test_a_page_needs_nothing_and_lets_nothing_run(name: str) -> None:
    html = page_html(sample(name))
    assert_harmless(html)
    assert "default-src 'none'; style-src 'sha256-" in unescape(html)
    assert not re.search(r'\sstyle="', html)


def test_a_page_says_first_what_a_commander_asks_first() -> None:
    text = text_of(page_html(sample("verify")))
    for words in (
        "Verified at 03:02:43 UTC: 9 of 9 checks green in 2 rounds, 1 not checked.",
        "As of 2026-01-31 03:02:43 UTC",
        "Held 11 s, 2 green rounds",
        "9 of 10 ran",
        "Not checked A report can be ordered and arrives.",
        "prod does not list test_report_is_sent under functional",
        "Fewer than 1 % of requests fail. test_error_rate_is_low line 343",
    ):
        assert words in text
    assert text.index("Verified at") < text.index("Not checked") < text.index("Checks Check Outcome")


def test_a_page_names_blockers_with_their_step_and_what_to_do_next() -> None:
    red = {"kind": "check", "job": "verify", "item": "test_health", "claim": "It answers.", "covers": ["verify#1"],
           "line": 318, "outcome": "FAILED", "expected": "HTTP 200", "seen": "HTTP 503",
           "next": "go on with Strategy 2", "round": 1, "utc": "2026-01-31T03:14:07.000Z", "at_s": 1}  # fmt: skip
    text = text_of(page_html([red, {"kind": "run.end", "exit_status": 1, "utc": "2026-01-31T03:14:07.000Z"}]))
    assert (
        "FAILED It answers. test_health expected HTTP 200 saw HTTP 503 "
        "step verify#1 line 318 next go on with Strategy 2" in text
    )


def test_a_page_tells_a_drill_from_beginning_to_end() -> None:
    text = text_of(page_html(sample("run")))
    for words in (
        "FAILED at 03:04:07 UTC: 1 of 3 drills failed: inference-gateway/disconnect; 2 passed.",
        "diagnosis had to name no cause, it named Strategy 4: Increase Resources (OOM Kill)",
        "next look at the network first (line 131)",
        "“Acknowledge within 1 minute” line 36 60 s not measured: a person's act",
        "“Service not restored within 15 minutes” line 452 15 min",
        "186 of 412 requests of a client that kept calling failed (45.15 %)",
        "of the error budget (objective 99.9 % over 30 days)",
        "took over 214 pieces of work (31 of them under the fault).",
        "211 came out once and as they were handed in, 3 are lost",
        "2 docker-compose restart inference-gateway line 171 mitigation/strategy-1#9.9 no",
        "1 the fault itself: nothing of the document ran no",
        "Alert ServiceDown ServiceDown yes",
        "Cause unknown to the document Strategy 4: Increase Resources (OOM Kill) no",
        "Healed by Strategy 2 nothing (tried: Strategy 4",
        "Memory cgroup out of memory: Killed process 4242 (uvicorn)",
        "was run as timeout 3 docker logs inference-gateway -f (streams-are-bounded)",
        "281 lines are not shown here; run.jsonl beside this page has them",
        "raised mem_limit of inference-gateway from 100M to 200M in docker-compose.yml",
        "not run no kubectl on this host, and the step says so",
        "network/gateway_default/inference-gateway/alias inference-gateway (absent) no",
        "ServiceDown fires `for: 1m` 60 s 4.0 s",
        "green, never red",
        "Blind checks",
        "the kernel log is the machine's",
    ):
        assert words in text, words


def test_a_killed_run_says_what_was_running() -> None:
    events = sample("killed")
    summary = summarise(events)
    assert (summary.verdict, summary.running) == ("UNKNOWN", "drill inference-gateway/kill, phase recover")
    text = text_of(page_html(events))
    assert "What was running then: drill inference-gateway/kill, phase recover" in text
    assert "1.4 s, cut off" in text


def test_a_record_cut_anywhere_is_rendered_and_never_passed() -> None:
    events = sample("run")
    for kept in range(0, len(events) - 1, 9):
        assert summarise(events[:kept]).verdict in {"UNKNOWN", "FAILED"}
        if kept % 5 == 0:
            assert_harmless(page_html(events[:kept]))


def test_cut_files_of_workers_are_merged(tmp_path: Path) -> None:
    lines = (SAMPLES / "run.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    shared, workers = [lines[0], lines[-1]], [lines[1:150], lines[150:-1]]
    (tmp_path / "run.jsonl").write_text("".join(shared), encoding="utf-8")
    for number, part in enumerate(workers):
        (tmp_path / f"run-gw{number}.jsonl").write_text("".join(part) + '{"kind": "no', encoding="utf-8")
    events = read_run(tmp_path)
    assert [event for event in events if event["kind"] != "note"] == [
        event for event in sample("run") if event["kind"] != "note"
    ]
    cut = [event["text"] for event in events if "cut off" in str(event.get("text"))]
    assert len(cut) == 2
    assert re.fullmatch(r"line \d+ of run-gw0\.jsonl is cut off and cannot be read", cut[0])


def test_a_run_s_folder_gets_all_that_is_rendered(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "run.jsonl", tmp_path / "run.jsonl")
    render_run(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["junit.xml", "report.html", "run.jsonl", "summary.json"]
    summary = json.loads(first["summary.json"])
    assert (summary["verdict"], summary["drill_counts"]["red"], summary["exit_status"]) == ("FAILED", 1, 1)
    assert summary["drills"][1]["causes"] == ["Strategy 4: Increase Resources (OOM Kill)"]
    render_run(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_a_folder_without_a_record_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as error:
        render_run(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'run.jsonl'}: no record can be read: No such file or directory\n"
        "hint: give the folder of a run: it holds run.jsonl"
    )


def test_a_summary_is_documented() -> None:
    documented = (Path(__file__).parents[1] / "docs" / "run-format.md").read_text(encoding="utf-8")
    summary = summarise(sample("run")).to_json()
    keys = [*summary, *summary["drills"][0], *summary["blockers"][0], *summary["checks"]]
    assert [key for key in keys if f"`{key}`" not in documented] == []


def hostile(value: Any, odd: str) -> Any:
    """Return a record in which every text that is no key of the format is hostile."""
    if isinstance(value, dict):
        keep = {"kind", "utc", "drill", "job", "during", "outcome", "phase", "when"}
        return {key: each if key in keep else hostile(each, odd) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, odd) for each in value]
    return f"{odd} {value} {odd}" if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["run", "killed", "verify"])
def test_text_from_anywhere_neither_breaks_the_page_nor_runs_in_it(name: str) -> None:
    events = [hostile(event, ODD) for event in sample(name)]
    for event in events:
        for key in ("drill", "phase"):
            if event.get(key):
                event[key] += ODD
    html = page_html(events)
    assert_harmless(html)
    assert "<U+202E>evil" in text_of(html).replace("<U+202E> evil", "<U+202E>evil")
    assert_harmless(summary_html(events))
    ElementTree.fromstring(junit_xml(events))


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                "drill phase item outcome at_s line covers expected changes causes evidence rules stdout exit_status "
                "took_s seen faults versions labels spent_s limit_s met items text budget_ratio round reasons".split()
            ),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.lists(st.text() | st.integers())
            | st.dictionaries(st.text(), st.text()),
        ),
        max_size=12,
    ),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_fields_of_any_kind_are_rendered(events: list[dict[str, Any]], data: st.DataObject) -> None:
    kinds = sorted({event["kind"] for event in sample("run")})
    for event in events:
        event["kind"] = data.draw(st.sampled_from(kinds))
        event["utc"] = data.draw(st.sampled_from(["2026-01-31T03:14:07.000Z", "", "no time", None]))
    assert_harmless(page_html(events))
    ElementTree.fromstring(junit_xml(events))
    json.dumps(summarise(events).to_json())


def test_a_page_says_whether_a_command_showed_what_the_table_declares() -> None:
    events = [
        {"kind": "drill.begin", "drill": "a/b", "at_s": 0},
        *({"kind": "command", "drill": "a/b", "id": id_, "text": id_, "phase": "diagnose", "at_s": 1} for id_ in "xyz"),
        {"kind": "shown", "drill": "a/b", "id": "x", "pattern": "SIG<SEGV>", "line": "by SIG<SEGV>", "at_s": 2},
        {"kind": "shown", "drill": "a/b", "id": "y", "pattern": "flock", "line": None, "at_s": 2},
    ]
    text = text_of(page_html(events))
    assert text.count("shows what the table declares: by SIG<SEGV> ( SIG<SEGV> )") == 1
    assert text.count("did not show what the table declares ( flock )") == 1


def test_a_page_says_which_part_of_the_system_was_down_how_long() -> None:
    impact = {
        "requests": 9,
        "failed": 3,
        "failed_ratio": 0.3,
        "down_s": 12.0,
        "down_by_s": {"<site>": 12.0, "orders": 3.5},
    }
    events = [
        {"kind": "drill.begin", "drill": "a/b", "at_s": 0},
        {"kind": "impact", "drill": "a/b", "at_s": 1, **impact},
    ]
    assert "down for 12 s of the drill (<site> 12 s, orders 3.5 s)." in text_of(page_html(events))


@pytest.mark.parametrize(("service", "holds"), [("db", "yes"), ("web", "no")])
def test_the_same_alert_of_another_service_is_not_the_declared_one(service: str, holds: str) -> None:
    declared = {"heals": None, "cause": None, "alert": 'Down{service="db"}'}
    fired = {"alert": "Down", "labels": {"service": service, "pod": f"{service}-1"}}
    events = [
        {"kind": "drill.begin", "drill": "a/b", "expected": declared, "at_s": 0},
        {"kind": "alert.fired", "drill": "a/b", **fired, "at_s": 1},
        {"kind": "drill.end", "drill": "a/b", "outcome": "UNKNOWN", "reasons": [], "at_s": 3},
    ]
    assert f'Alert Down{{service="db"}} Down{{service="{service}"}} {holds}' in text_of(page_html(events))


def test_a_route_of_which_nothing_could_be_run_is_not_told_as_tried() -> None:
    events = [
        {"kind": "drill.begin", "drill": "a/b", "expected": {"heals": None, "cause": None, "alert": None}, "at_s": 0},
        *(
            {"kind": "route", "drill": "a/b", "scenario": name, "why": "general route", "at_s": 1}
            for name in ("One", "Two")
        ),
        {"kind": "note", "drill": "a/b", "text": "Two: nothing of it", "passed_over": "Two", "at_s": 2},
        {"kind": "drill.end", "drill": "a/b", "outcome": "NOT COVERED", "reasons": [], "at_s": 3},
    ]
    assert summarise(events).drills[0].route == ("One",)
    text = text_of(page_html(events))
    assert "nothing (tried: One)" in text
    assert "One general route Two general route; nothing of it could be run" in text


def test_sixty_checks_with_twenty_thousand_lines_stay_small() -> None:
    letters = random.Random(7)
    log = "\n".join(f"{number} " + "".join(letters.choices("abcdef <>&", k=90)) for number in range(20_000))
    begin = [{"kind": "drill.begin", "drill": "a/b", "utc": "2026-01-31T03:14:07.000Z", "at_s": 0}]
    events = begin + [
        {"kind": "command", "drill": "a/b", "text": f"docker logs {number}", "ran": "", "stdout": log, "stderr": log,
         "phase": "diagnose", "exit_status": 0, "at_s": 1}
        for number in range(60)
    ]  # fmt: skip
    events += [
        {
            "kind": "check",
            "job": "verify",
            "item": f"test_{number}",
            "outcome": "FAILED",
            "seen": log,
            "round": 1,
            "at_s": 2,
        }
        for number in range(60)
    ]
    began_s = time.perf_counter()
    html = page_html(events)
    took_s = time.perf_counter() - began_s
    assert len(html.encode()) < 7_000_000
    assert took_s < on_this_machine(10.0)  # about 1 s on an idle core
    assert len(junit_xml(events)) < 3_000_000


def test_one_line_of_megabytes_is_cut() -> None:
    html = page_html([{"kind": "drill.begin", "drill": "a/b"},
                      {"kind": "command", "drill": "a/b", "text": "x" * 5_000_000,
                       "stdout": "y" * 5_000_000}])  # fmt: skip
    assert len(html) < 100_000
    assert "4999000 more characters in this line" in html


def test_junit_tells_outcomes_apart() -> None:
    checks = [
        {"kind": "check", "job": "verify", "item": f"test_{n}", "outcome": outcome, "seen": f"saw {n}", "round": 1}
        for n, outcome in enumerate(["PASSED", "FAILED", "UNKNOWN", "ERROR", "NOT CHECKED"])
    ]
    drills = [{"kind": "drill.begin", "drill": "gw/fw"},
              {"kind": "drill.end", "drill": "gw/fw", "outcome": "NOT COVERED", "reasons": ["declared"],
               "took_s": 4.5}]  # fmt: skip
    suite = ElementTree.fromstring(junit_xml([*checks, *drills, {"kind": "run.end", "exit_status": 1}])).find(
        "testsuite"
    )
    assert suite is not None
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "6", "failures": "1", "errors": "2", "skipped": "1"}
    ends = [[child.tag for child in case if child.tag != "properties"] for case in suite.findall("testcase")]
    assert ends == [[], ["failure"], ["error"], ["error"], ["skipped"], ["system-out"]]
    assert suite.findall("testcase")[5].attrib == {"classname": "chaos.gw", "name": "fw", "time": "4.500"}


def test_junit_of_a_killed_run_has_an_error_for_its_end() -> None:
    suite = ElementTree.fromstring(junit_xml(sample("killed"))).find("testsuite")
    assert suite is not None
    errors = [error.get("message") for error in suite.iter("error")]
    assert errors == [
        "the record stops before the drill's end, in phase recover",
        "the record stops without the run's end; running was: drill inference-gateway/kill, phase recover",
    ]


def test_a_picture_has_a_row_for_each_phase_and_a_line_for_each_moment() -> None:
    drill = sort_out(sample("run")).drills[0]
    for narrow in (False, True):
        picture = draw(drill, narrow=narrow)
        assert picture is not None
        assert [bar.name for bar in picture.bars][:3] == ["start", "steady", "inject"]
        assert [mark.label for mark in picture.marks][:2] == ["t0: fault confirmed", "ServiceDown fires +6.1 s"]
        assert all(picture.left <= bar.x and bar.x + bar.width <= picture.right + 2 for bar in picture.bars)
        assert "detect 6.1 s" in picture.description
        assert 2 <= len(picture.ticks) <= 10


def test_a_drill_without_phases_has_no_picture() -> None:
    assert draw(sort_out([{"kind": "drill.begin", "drill": "a/b"}]).drills[0]) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x07", "a\u2400b\u2407"),
        ("a\r\nb", "a\nb"),
        ("abc\u202etxt", "abc<U+202E>txt"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(st.text())
def test_readable_text_stays_readable(text: str) -> None:
    assert readable(readable(text)) == readable(text)


def test_an_excerpt_keeps_head_and_tail() -> None:
    shown = excerpt("\n".join(map(str, range(1000))), 3)
    assert (shown.head, shown.tail, shown.dropped) == ("0\n1\n2", "997\n998\n999", 994)
    assert excerpt("a\nb\n", 3).head == "a\nb"
    assert excerpt(None).head == excerpt("\n \n").head == ""


def test_values_are_told_as_people_read_them() -> None:
    assert [duration(each) for each in (0.02, 3.2, 93.4, 2_592_000, None, "x", float("nan"))] == [
        "20 ms", "3.2 s", "93 s", "30 days", "—", "—", "—",
    ]  # fmt: skip
    assert [percent(each) for each in (0.999, 0.0361, 0, 1, 0.00001, None)] == [
        "99.9 %", "3.6 %", "0 %", "100 %", "< 0.01 %", "—",
    ]  # fmt: skip
    assert instant("2026-01-31T03:14:07.123Z") == "2026-01-31 03:14:07 UTC"
    assert instant("2026-01-31T05:14:07+02:00") == "2026-01-31 03:14:07 UTC"
    assert one_line("a\n b" + "c" * 400, 10) == "a bcccccc…"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to open the page as a person would")
def test_a_browser_takes_the_style_and_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_html([hostile(event, ODD) for event in sample("run")]), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    run = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in run.stderr
    assert "<script" not in run.stdout
    assert run.stdout.count('<svg class="picture') == 6


def test_a_drill_that_ran_twice_is_shown_with_its_graver_end():
    events = [
        {"kind": kind, "drill": "shop/kill", "outcome": outcome}
        for outcome in ("FAILED", "PASSED")
        for kind in ("drill.begin", "drill.end")
    ]
    assert [drill.outcome for drill in summarise(events).drills] == ["FAILED"]
    assert 'failures="1"' in junit_xml(events)


def test_a_run_that_proves_nothing_has_a_case_that_says_so():
    green_once = {"kind": "check", "item": "test_a", "job": "verify", "outcome": "PASSED", "round": 1}
    page = junit_xml([green_once, {"kind": "run.end", "exit_status": 1}])
    assert 'errors="1"' in page
    assert "one round only" in page
