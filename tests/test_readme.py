"""The README says what is so."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def bench():
    spec = importlib.util.spec_from_file_location("bench_readme", ROOT / "bench" / "readme.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_output_is_that_of_the_committed_example():
    assert bench().readme() == README


def test_its_runbook_is_the_runbook():
    (quoted,) = re.findall(r"````markdown\n(.*?)````", README, re.DOTALL)
    commands = re.findall(r"^(?:docker|sleep|curl).*$", quoted, re.MULTILINE)
    document = (ROOT / "runbooks" / "inference-gateway.md").read_text(encoding="utf-8")
    section = document.partition("### Strategy 1")[2].partition("### Strategy 2")[0]
    assert len(commands) == 4
    assert all(f"\n{command}\n" in section for command in commands)


def test_the_example_is_the_tour_and_it_passed():
    summary = json.loads((ROOT / "reports" / "example" / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] == "PASSED"
    text = (ROOT / "reports" / "example" / "run.jsonl").read_text(encoding="utf-8")
    drills = {f"inference-gateway/{name}" for name in ("kill", "oom", "disconnect")}
    assert {json.loads(line)["drill"] for line in text.splitlines() if '"drill.end"' in line} == drills


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_its_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_the_ledger_of_a_fresh_clone_accounts_for_everything():
    from drillbook.ledger import account, lock_path, read_lock, rows_of
    from drillbook.parser import parse_runbook

    figures = []
    for slug in (
        "inference-gateway",
        "dmarc-dashboard",
        "dmarc-dashboard-database",
        "microdiff-matdesign",
        "web3-marketplace",
        "web3-marketplace-database",
    ):
        path = ROOT / "runbooks" / f"{slug}.md"
        found = account(slug, rows_of(parse_runbook(path)), read_lock(lock_path(path)))
        assert found.outdated == {}
        assert found.covered_ratio == 1.0
        figures.append(f"{len(found.entries)} of {len(found.entries)}")
    assert f"| {', '.join(figures)} | `drillbook ledger` |" in README
