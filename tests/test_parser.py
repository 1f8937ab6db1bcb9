"""Runbooks as people write them: ids, phases, scenarios, steps, commands, hand instructions, and bad input."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.errors import RunbookError
from drillbook.model import Effect, Phase, Runbook
from drillbook.parser import parse_runbook, parse_text

SAMPLES = Path(__file__).parent / "samples"
GATEWAY = Path(__file__).parent.parent / "runbooks" / "inference-gateway.md"


def parsed(text: str) -> Runbook:
    return parse_text(text, Path("some.md"))


def commands_of(runbook: Runbook) -> list[str]:
    return [command.text for _, command in runbook.commands()]


@pytest.fixture(scope="module")
def gateway() -> Runbook:
    return parse_runbook(GATEWAY)


def test_the_gateway_runbook_holds_its_48_commands_three_posts_and_a_stop(gateway):
    effects = [command.effect for _, command in gateway.commands()]
    assert len(effects) - effects.count(Effect.TELL) == 48 + 1  # the stop before the backup starts
    assert effects.count(Effect.TELL) == 3
    assert effects.count(Effect.CHANGE) == 10
    assert effects.count(Effect.DESTROY) == 1


def test_the_gateway_runbook_has_six_strategies(gateway):
    assert gateway.scenarios() == (
        "Strategy 1: Restart Service (Fast Recovery)",
        "Strategy 2: Recreate Container (Clean Restart)",
        "Strategy 3: Rollback to Previous Version",
        "Strategy 4: Increase Resources (OOM Kill)",
        "Strategy 5: Fix Configuration Error",
        "Strategy 6: Bypass and Route Around",
    )


def test_the_gateway_runbook_has_its_phases(gateway):
    sections = {step.id.partition("/")[0].partition("#")[0]: step.phase for step in gateway.steps}
    assert sections == {
        "alert-description": Phase.DETECT,
        "triage-first-2-minutes": Phase.DIAGNOSE,
        "investigation-next-5-minutes": Phase.DIAGNOSE,
        "mitigation-strategies": Phase.RECOVER,
        "communication": Phase.COMMUNICATE,
        "resolution": Phase.COMMUNICATE,
        "post-incident-actions": Phase.PREVENT,
        "prevention": Phase.PREVENT,
        "escalation-procedure": Phase.ESCALATE,
        "validation-checklist": Phase.VERIFY,
    }
    verified = {step.id.partition("/")[2] for step in gateway.steps if step.phase is Phase.VERIFY}
    assert {
        "step-1-verify-service-restored#1",
        "step-2-monitor-for-stability#1",
        "step-3-calculate-impact#2",
    } <= verified


def test_the_gateway_runbook_states_its_budgets():
    text = GATEWAY.read_text(encoding="utf-8")
    for sentence in (
        "Service not restored within 15 minutes",
        "Root cause not identified within 10 minutes",
        "MTTR goal: under 10 minutes",
        "Acknowledge within 1 minute",
    ):
        assert sentence in text


def test_lines_are_those_of_the_document(gateway):
    lines = GATEWAY.read_text(encoding="utf-8").splitlines()
    for _, command in gateway.commands():
        assert lines[command.line - 1] == command.text.splitlines()[0]


def test_ids_are_unique_and_resolve(gateway):
    ids = [step.id for step in gateway.steps] + [command.id for _, command in gateway.commands()]
    assert len(ids) == len(set(ids))
    for id_ in ids:
        assert gateway.find(id_)


def test_an_edit_elsewhere_leaves_ids_alone():
    before = "# T\n\n## Diagnosis\n\n```bash\nls\n```\n\n## Recovery\n\n```bash\nreboot\n```\n"
    after = before.replace("```bash\nls\n```", "```bash\nls\ndf -h\n```\n\nMore.\n\n### New\n\n```bash\nuptime\n```")
    ids = {command.text: command.id for _, command in parsed(before).commands()}
    new = {command.text: command.id for _, command in parsed(after).commands()}
    assert new["reboot"] == ids["reboot"] == "recovery#1.1"
    assert new["ls"] == ids["ls"]


def test_same_headings_get_ids_of_their_own():
    runbook = parsed(
        "# T\n\n## A\n\n### Check\n\n```sh\nls\n```\n\n### Check\n\n```sh\nls\n```\n\n## A\n\n```sh\nls\n```\n"
    )
    assert [step.id for step in runbook.steps] == ["a/check#1", "a/check-2#1", "a-2#1"]


def test_several_top_headings_stand_in_the_ids():
    runbook = parsed("# One\n\n```sh\nls\n```\n\n# Two\n\n## Deep\n\n```sh\nls\n```\n")
    assert [step.id for step in runbook.steps] == ["one#1", "two/deep#1"]


def test_fences_in_lists_and_quotes_prompts_and_heredocs_are_read():
    runbook = parse_runbook(SAMPLES / "nested.md")
    assert runbook.title == "Queue stuck"
    assert commands_of(runbook) == [
        "rabbitmqctl list_queues",
        "journalctl -u worker -f",
        "kubectl get pods -n jobs <pod-name>",
        "kubectl logs -n jobs \\\n    web-0 --tail=5",
        "kubectl rollout restart deployment/worker -n jobs \\\n  --context prod",
        "helm upgrade worker ./chart",
        "for i in 1 2 3; do\n  curl -f http://worker:9000/health\n  sleep 5\ndone",
        "cat <<END | kubectl apply -f -\nkind: Pod\n\nname: x\nEND",
        "systemctl restart broker",
        "sleep 10s",
        'echo "done" &',
    ]
    by_text = {command.text: command for _, command in runbook.commands()}
    assert by_text["rabbitmqctl list_queues"].expects == "Should be short"
    assert by_text["journalctl -u worker -f"].streams
    assert by_text["kubectl get pods -n jobs <pod-name>"].placeholders == ("<pod-name>",)
    assert runbook.scenarios() == ("Cause A: worker hangs", "Cause B: broker lost its disk")


def test_instructions_become_steps_of_their_own_in_order():
    runbook = parse_runbook(SAMPLES / "nested.md")
    cause = [step for step in runbook.steps if step.scenario == "Cause A: worker hangs"]
    assert [bool(step.hand) for step in cause] == [False, True, False]
    assert cause[1].hand == "Edit values.yaml and raise the limit:\nresources:\n  memory: 2Gi"
    assert [step.line for step in cause] == sorted(step.line for step in cause)


def test_checklists_and_messages_are_hand_steps():
    runbook = parse_runbook(SAMPLES / "nested.md")
    hands = {step.id: (step.phase, step.hand) for step in runbook.steps if step.hand}
    assert hands["verification#1"] == (Phase.VERIFY, "No message is older than a minute")
    assert hands["verification#2"] == (Phase.VERIFY, "Workers are ready")
    assert hands["verification#3"] == (Phase.VERIFY, "Dashboards look as usual")
    assert hands["communication#1"] == (Phase.COMMUNICATE, "post: The queue is back.")


def test_a_byte_order_mark_and_crlf_are_fine():
    runbook = parse_runbook(SAMPLES / "crlf-bom.md")
    assert runbook.title == "Title"
    assert commands_of(runbook) == ["uptime", "df -h"]
    assert [command.line for _, command in runbook.commands()] == [6, 8]
    assert next(runbook.commands())[1].expects == "a low load"
    assert runbook.steps[0].phase is Phase.DIAGNOSE


def test_bold_headings_sql_placeholders_and_an_open_fence():
    runbook = parse_runbook(SAMPLES / "strange.md")
    names = [name for _, command in runbook.commands() for name in command.placeholders]
    assert names == ["{{ job_id }}", "ITEM_ID", "$API_TOKEN", "<PID>", "sg-12345678", "[HOST]"]
    assert "SELECT count(*) FROM jobs WHERE state = 'stuck';" in commands_of(runbook)
    assert [step.headings[-1] for step in runbook.steps] == ["Database questions", "Lösung", "Lösung"]
    assert any("never closed" in problem.text for problem in runbook.problems)


@pytest.mark.parametrize(
    ("headings", "command", "phase"),
    [
        ("## Symptoms", "ls", Phase.DETECT),
        ("## Immediate Actions (0-5 minutes)\n\n### 1. Verify the Alert", "ls", Phase.DIAGNOSE),
        ("## Immediate Actions (0-5 minutes)\n\n### 3. Quick Restart", "systemctl restart x", Phase.RECOVER),
        ("## Immediate Response\n\n### Acknowledge and Communicate", "echo x | slack-cli", Phase.COMMUNICATE),
        ("## Detection\n\n### Verification Commands", "curl -f http://x", Phase.DETECT),
        ("## Diagnosis and Resolution\n\n### Database Issues", "pg_isready", Phase.DIAGNOSE),
        ("## Diagnosis and Resolution\n\n### Database Issues", "systemctl restart x", Phase.RECOVER),
        ("## Resolution\n\n### Scenario 1: Down", "ls", Phase.RECOVER),
        ("## Resolution\n\n### Step 1: Verify Service", "ls", Phase.VERIFY),
        ("## Resolution\n\n### Step 4: Communicate Resolution", "ls", Phase.COMMUNICATE),
        ("## Recovery Verification", "ls", Phase.VERIFY),
        ("## Verification Steps\n\n### 3. Monitoring Recovery", "ls", Phase.VERIFY),
        ("## Post-Incident Actions\n\n### 1. Service Restoration Verification", "ls", Phase.VERIFY),
        ("## Post-Incident Actions\n\n### 1. Update Status Page", "ls", Phase.COMMUNICATE),
        ("## Prevention\n\n### Health Checks", "ls", Phase.PREVENT),
        ("## Escalation\n\n### Consider Rollback", "git checkout x", Phase.ESCALATE),
        ("## Common Causes and Solutions\n\n### 1. Out of Memory", "dmesg", Phase.RECOVER),
        ("## Miscellany", "ls", Phase.OTHER),
    ],
)
def test_phases_follow_headings_and_commands(headings, command, phase):
    runbook = parsed(f"# T\n\n{headings}\n\n```bash\n{command}\n```\n")
    assert runbook.steps[0].phase is phase


def test_a_variable_that_was_set_before_is_no_placeholder():
    runbook = parsed("# T\n\n```sh\nPOD=$(kubectl get pods -o name)\nkubectl logs $POD\nkubectl logs $OTHER\n```\n")
    assert [command.placeholders for _, command in runbook.commands()] == [(), (), ("$OTHER",)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.md", None, "there is no such runbook"),
        ("empty.md", b" \n\t\n", "got an empty file"),
        ("flat.md", b"just words\n", "expected at least one heading"),
        ("latin.md", b"# T\n\nna\xefve\n", "expected UTF-8, got the byte 0xef at offset 7"),
    ],
)
def test_bad_files_end_with_one_message(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunbookError) as caught:
        parse_runbook(path)
    assert says in str(caught.value)
    assert caught.value.where.startswith(f"{path}:")
    assert caught.value.hint


def test_the_line_of_the_first_byte_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "latin.md"
    path.write_bytes(b"# T\n\nna\xefve\n")
    with pytest.raises(RunbookError, match=r"latin\.md:3: "):
        parse_runbook(path)


def test_a_folder_is_no_runbook(tmp_path):
    with pytest.raises(RunbookError, match="got a folder"):
        parse_runbook(tmp_path)


PIECES = st.sampled_from(
    "# A\n|## Fix\n|```bash\n|```\n|~~~\n|> |- |1. |- [ ] x\n|$ ls\n|<x>|{{|{|[|`|**|\\\n|\n|  |\t|'|\"|$(|<<EOF\n|#|&"
    "|rm x\n|---\n|\x00|\r|\u00e9|\U0001f6a8".split("|")
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join)))
@settings(deadline=None)
def test_strange_markdown_never_ends_in_an_exception(text):
    runbook = parsed(f"# T\n\n{text}")
    ids = [step.id for step in runbook.steps] + [command.id for _, command in runbook.commands()]
    assert len(ids) == len(set(ids))


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(deadline=None)
def test_strange_shell_text_never_ends_in_an_exception(text):
    parsed(f"# T\n\n~~~~~~bash\n{text}\n~~~~~~\n")


@pytest.mark.parametrize(
    "text",
    ["`" * 200_000, "> " * 5_000 + "x", "- " * 5_000 + "x", "[" * 50_000, "```bash\n" + "$(" * 5_000 + "\n```",
     "```bash\n" + "a | " * 20_000 + "b\n```", "```bash\n" + "(" * 5_000 + "\n```", "```sh\n" + "'\n" * 3_000 + "```",
     "```sh\n" + ")(\n" * 4_000 + "```"],
    ids=["backticks", "quotes", "lists", "brackets", "substitutions", "pipeline", "subshells", "open quotes", "prose"],
)  # fmt: skip
def test_hostile_markdown_is_read_in_seconds(text):
    assert parsed(f"# T\n\n{text}\n").title == "T"
