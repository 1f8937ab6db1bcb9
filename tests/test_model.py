"""The nouns of a runbook."""

import dataclasses
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.model import Command, Effect, Phase, Runbook, Step, is_titled

OOM = "Scenario 1: Out of Memory"
DISK = "Scenario 2: Disk full"


def step(id_: str, *commands: str, phase: Phase = Phase.DIAGNOSE, scenario: str | None = None) -> Step:
    return Step(
        id=id_,
        line=1,
        phase=phase,
        scenario=scenario,
        headings=tuple(id_.partition("#")[0].split("/")),
        language="bash",
        commands=tuple(Command(f"{id_}.{number}", text, number) for number, text in enumerate(commands, 1)),
    )


@pytest.fixture
def runbook() -> Runbook:
    steps = (
        step("triage#1", "docker ps", "uptime"),
        step("recovery/disk#1", "rm -f /tmp/x", phase=Phase.RECOVER, scenario=DISK),
        step("recovery/oom#1", "docker restart api", phase=Phase.RECOVER, scenario=OOM),
        step("recovery/disk#2", "df -h", phase=Phase.RECOVER, scenario=DISK),
    )
    return Runbook("api", Path("runbooks/api.md"), "API down", "# API down\n", steps)


def test_commands_come_with_their_step_in_the_document_s_order(runbook: Runbook) -> None:
    assert [(s.id, c.text) for s, c in runbook.commands()] == [
        ("triage#1", "docker ps"),
        ("triage#1", "uptime"),
        ("recovery/disk#1", "rm -f /tmp/x"),
        ("recovery/oom#1", "docker restart api"),
        ("recovery/disk#2", "df -h"),
    ]


def test_scenarios_are_named_once_in_the_document_s_order(runbook: Runbook) -> None:
    assert runbook.scenarios() == (DISK, OOM)


def test_a_scenario_has_its_own_steps_only(runbook: Runbook) -> None:
    assert [s.id for s in runbook.of_scenario(DISK)] == ["recovery/disk#1", "recovery/disk#2"]
    assert runbook.of_scenario("Scenario 9") == ()


def test_find_takes_a_step_a_command_a_section_or_a_scenario(runbook: Runbook) -> None:
    assert runbook.find("recovery/disk#2") is runbook.steps[3]
    assert runbook.find("triage#1.2") == Command("triage#1.2", "uptime", 2)
    assert runbook.find("recovery/disk") is runbook.steps[1]
    assert runbook.find(OOM) == OOM


def test_find_of_an_unknown_id_names_a_near_one(runbook: Runbook) -> None:
    with pytest.raises(UsageError) as caught:
        runbook.find("disk#7")
    assert str(caught.value) == (
        "runbooks/api.md: no step or command has the id 'disk#7'\nhint: did you mean recovery/disk#1?"
    )


def test_find_of_an_id_like_no_other_says_how_to_list_them(runbook: Runbook) -> None:
    with pytest.raises(UsageError) as caught:
        runbook.find("nonsense#1")
    assert caught.value.hint == "`drillbook steps runbooks/api.md` lists all ids"


def test_a_command_is_taken_to_read_until_it_is_said_to_do_more() -> None:
    assert Command("a#1.1", "true", 1).effect is Effect.READ


def test_the_nouns_cannot_be_changed(runbook: Runbook) -> None:
    for noun in (runbook, runbook.steps[0], runbook.steps[0].commands[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, dataclasses.fields(noun)[0].name, "other")


@pytest.mark.parametrize(
    ("title", "beginning", "begins"),
    [
        ("Strategy 1: Restart", "Strategy 1", True),
        ("Strategy 10: Fail over", "Strategy 1", False),
        ("Strategy 1: Restart", "Strategy 1: Restart", True),
        ("Strategy 1: Restart", "", False),
        ("Strategy 1b: Restart", "Strategy 1", False),
    ],
)
def test_a_title_begins_with_whole_words(title, beginning, begins):
    assert is_titled(title, beginning) is begins
