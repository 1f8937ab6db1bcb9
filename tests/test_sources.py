"""The figures of reading: five real runbooks, their headings, commands and comments, labelled by hand."""

import importlib.util
import json
import time
from functools import cache
from pathlib import Path

import pytest
from patience import on_this_machine

from drillbook.model import Runbook
from drillbook.parser import parse_runbook, parse_text

SOURCES = Path(__file__).parent / "samples" / "sources"
SLUGS = ("dmarc-dashboard", "microdiff-matdesign", "web3-marketplace", "inference-gateway", "pynomaly")
COUNTS = {"read": 185, "change": 38, "destroy": 11, "tell": 7, "edit": 1}
"""How many commands of each effect the five hold, counted by hand."""


@pytest.fixture(scope="module")
def runbooks() -> dict[str, Runbook]:
    return {slug: parse_runbook(SOURCES / f"{slug}.md") for slug in SLUGS}


@pytest.fixture(scope="module")
def pairs(runbooks):
    """Return, of every command, what is labelled and what is read."""
    found = []
    for slug, runbook in runbooks.items():
        labels = [json.loads(line) for line in (SOURCES / f"{slug}.jsonl").read_text(encoding="utf-8").splitlines()]
        commands = list(runbook.commands())
        assert [command.line for _, command in commands] == [label["line"] for label in labels]
        found += [(label, step, command) for label, (step, command) in zip(labels, commands, strict=True)]
    return found


def test_all_242_commands_are_found(runbooks):
    assert [sum(1 for _ in runbooks[slug].commands()) for slug in SLUGS] == [29, 57, 40, 48, 68]


def test_the_labels_are_those_that_were_counted(pairs):
    effects = [label["effect"] for label, _, _ in pairs]
    assert {effect: effects.count(effect) for effect in COUNTS} == COUNTS
    assert sum(label["streams"] for label, _, _ in pairs) == 12
    assert sum(label["terminal"] for label, _, _ in pairs) == 20
    assert sum(label["expects"] is not None for label, _, _ in pairs) == 9


@pytest.mark.parametrize(
    ("what", "at_least"),
    [("effect", 0.95), ("placeholders", 0.97), ("streams", 0.97), ("terminal", 0.97), ("expects", 0.97)],
)
def test_commands_are_judged_right(pairs, what, at_least):
    def read(command):
        value = getattr(command, what)
        return list(value) if what == "placeholders" else value

    wrong = [(label["line"], command.text) for label, _, command in pairs if read(command) != label[what]]
    assert 1 - len(wrong) / len(pairs) >= at_least, wrong


def test_every_phase_and_scenario_is_right(pairs):
    wrong = [
        (label["line"], step.id)
        for label, step, _ in pairs
        if (step.phase, step.scenario) != (label["phase"], label["scenario"])
    ]
    assert not wrong


def test_repeated_commands_have_ids_of_their_own(runbooks):
    for runbook in runbooks.values():
        ids = [command.id for _, command in runbook.commands()]
        assert len(set(ids)) == len(ids)
    repeated = sum(
        len(texts) - len(set(texts))
        for texts in ([command.text for _, command in runbook.commands()] for runbook in runbooks.values())
    )
    assert repeated >= 20


def test_a_thousand_typical_runbooks_take_ten_seconds_at_most():
    texts = bench().typical()

    def read_s() -> float:
        spent_s = 0.0
        for at in range(50):
            bench().forget()
            begin_s = time.process_time()
            parse_text(texts[at % len(texts)], Path(f"{at}.md"))
            spent_s += time.process_time() - begin_s
        return spent_s

    # The fastest of three: what else runs on the machine is not the parser's.
    assert min(read_s() for _ in range(3)) < on_this_machine(50 * 10 / 1000)


@cache
def bench():
    spec = importlib.util.spec_from_file_location("bench_reading", SOURCES.parents[2] / "bench" / "reading.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
