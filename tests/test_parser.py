"""Runbooks as people write them: ids, phases, scenarios, steps, commands, hand instructions, and bad input."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import on_this_machine

from drillbook.effects import effect_of
from drillbook.errors import RunbookError
from drillbook.model import Effect, Phase, Runbook
from drillbook.parser import parse_runbook, parse_text

SAMPLES = Path(__file__).parent / "samples"
GATEWAY = Path(__file__).parent.parent / "runbooks" / "inference-gateway.md"


def parsed(text: str) -> Runbook:
    return parse_text(text, Path("some.md"))


def shape(name: str) -> Runbook:
    return parse_runbook(SAMPLES / "shapes" / f"{name}.md")


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


def test_commands_in_tables_and_inline_code_are_found_and_what_is_only_talked_about_is_not():
    runbook = shape("tables-and-inline")
    assert commands_of(runbook) == [
        "uptime",
        "kubectl get pods -n cache",
        "kubectl describe pod cache-0",
        "docker ps",
        "docker stats --no-stream",
    ]
    lines = runbook.text.splitlines()
    assert all(command.text in lines[command.line - 1] for _, command in runbook.commands())
    assert [command.expects for _, command in runbook.commands() if command.expects] == ["should list four containers"]
    assert [step.hand for step in runbook.steps if step.hand] == ["Ask whoever deployed last"]


def test_prompts_of_root_and_of_named_hosts_are_prompts_and_comments_stay_comments():
    assert commands_of(shape("prompts")) == [
        "systemctl status nginx",
        "uptime",
        "df -h",
        "free -m",
        "git log -1",
        "tail -n 5 app.log",
        "du -sh /var/log/*",
    ]


def test_lines_that_are_typed_into_a_client_know_what_opened_it():
    runbook = shape("clients")
    opened = {
        command.text: (runbook.find(command.inside).text if command.inside else None)
        for _, command in runbook.commands()
    }
    shell, database, cache = "kubectl exec -it web-0 -n prod -- sh", "psql -U postgres", "redis-cli -h r1"
    assert opened == {
        shell: None,
        "ls /var/log": shell,
        database: shell,
        "SELECT 1;": database,
        "SELECT a,\n  b\nFROM t\nWHERE x = 'y';": database,
        "\\q": "psql -h db",
        "cat /etc/hosts": shell,
        "exit": shell,
        "kubectl get pods": None,
        "ssh web1": None,
        "sudo systemctl restart worker": "ssh web1",
        cache: None,
        "INFO memory": cache,
        "FLUSHALL": cache,
        "curl -f http://x/health": None,
        "psql -h db": None,
        "SELECT count(*) FROM jobs;": "psql -h db",
        "uptime": None,
        "SELECT * FROM pg_locks;": "psql -h db",
        "DELETE FROM jobs WHERE id = <job-id>;": "psql -h db",
        "mongosh db1": None,
        "db.jobs.find()": "mongosh db1",
        "db.jobs.deleteMany({})": "mongosh db1",
    }
    effects = {command.text: command.effect for _, command in runbook.commands()}
    assert effects["FLUSHALL"] is effects["DELETE FROM jobs WHERE id = <job-id>;"] is Effect.DESTROY
    assert effects["db.jobs.deleteMany({})"] is Effect.DESTROY
    assert effects["SELECT count(*) FROM jobs;"] is effects["INFO memory"] is Effect.READ
    expects = {command.text: command.expects for _, command in runbook.commands() if command.expects}
    assert expects == {"FLUSHALL": "OK", "SELECT * FROM pg_locks;": "none"}


def test_heredocs_quotes_and_continuations_with_a_blank_behind_them_are_one_command():
    assert commands_of(shape("heredocs")) == [
        "kubectl apply -f - <<EOF\nkind: Pod\n\nname: x\nEOF",
        "docker run \\ \n  --rm alpine",
        'python -c "\nimport os\n\nprint(os.name)\n"',
        "echo done",
    ]


def test_every_way_to_write_a_placeholder_is_known():
    names = {command.text: command.placeholders for _, command in shape("placeholders").commands()}
    assert [name for found in names.values() for name in found] == [
        "<PID>",
        "$API_URL",
        "{{ release }}",
        "PAGE_ID",
        "your-container",
        "sg-12345678",
        "arn:aws:elasticloadbalancing:...",
        "2025-10-23T15:40:00Z",
        "[HOST]",
    ]


def test_untagged_misspelt_and_decorated_languages_are_read_and_messages_are_not():
    assert commands_of(shape("languages")) == ["uptime", "df -h", "free -m", "vmstat 1 2", "dmesg -T"]


def test_a_document_without_headings_is_read_and_the_lack_is_a_problem():
    runbook = shape("no-headings")
    assert (runbook.title, commands_of(runbook)) == ("no-headings", ["systemctl restart app"])
    assert [problem.text for problem in runbook.problems] == [
        "there is no heading, so nothing tells what the steps are for"
    ]


def test_headings_in_german_give_phases():
    assert [step.phase for step in shape("german").steps] == [Phase.DIAGNOSE, Phase.RECOVER, Phase.VERIFY]


def test_what_the_author_tells_drillbook_in_comments_is_taken_and_typing_errors_are_told():
    runbook = shape("annotated")
    assert {step.phase for step in runbook.steps} == {Phase.VERIFY}
    reasons = [(step.hand or step.commands[0].text, step.human_only) for step in runbook.steps if step.human_only]
    assert reasons == [
        ("Open the console", "needs the vendor's console"),
        ("Click restart", "needs the vendor's console"),
        ("passwd app", "asks for a password on the terminal"),
    ]
    ignored = [(ignored.rules, ignored.first, ignored.last) for ignored in runbook.ignored]
    assert ignored == [(("DB201",), 1, 31), (("DB101",), 9, 10)]
    assert [problem.line for problem in runbook.problems] == [25, 28]
    assert "got 'fase=verify'" in runbook.problems[0].text
    assert "got 'bogus'" in runbook.problems[1].text


HOSTILE = {
    "deep quotes": "> " * 3_000 + "x\n",
    "deep lists": "\n".join("  " * depth + "- x" for depth in range(500)),
    "backticks": "`" * 1_000_000,
    "fences": "```\n" * 20_000,
    "brackets": "[" * 50_000 + "](",
    "emphasis": "*a **b " * 20_000,
    "NUL and escapes": "# T\n\n```bash\nls \0 \x1b[31m\n```\n",
    "open quotes": "# T\n\n```bash\n" + "echo 'x\n" * 3_000 + "```\n",
    "openers": "# T\n\n```bash\n" + "psql -h db\nSELECT 1;\n" * 3_000 + "```\n",
    "nested openers": "# T\n\n```bash\n" + "ssh a\n" * 3_000 + "```\n",
    "one long line": "# T\n\n```bash\n" + "echo " + "$(echo " * 2_000 + "\n```\n",
    "table": "|a|b|\n|-|-|\n" + "|`docker ps -a`|x|\n" * 5_000,
    "headings": "# A\n## B\n" * 5_000,
    "comments": "# T\n\n```bash\n" + "# Check it\n\n" * 5_000 + "```\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_documents_are_read_within_seconds(text):
    begin_s = time.process_time()
    runbook = parsed(text)
    assert time.process_time() - begin_s < on_this_machine(20)
    ids = [step.id for step in runbook.steps] + [command.id for _, command in runbook.commands()]
    assert len(ids) == len(set(ids))


def test_ten_megabytes_are_read():
    block = "## Section {0}\n\nWords that nobody reads.\n\n```bash\n# Look\nkubectl get pods -n x{0}\n```\n\n"
    big = "# T\n\n" + "".join(block.format(at) for at in range(2_000)) + "x" * 10_000_000
    assert sum(1 for _ in parsed(big).commands()) == 2_000


def test_what_a_document_forbids_is_no_step():
    runbook = parsed(
        "# T\n\n## Fix\n\n- **NEVER** run `kubectl delete pod web-0`.\n- Log in, not with `docker exec web sh`.\n"
    )
    assert commands_of(runbook) == []


def test_alternatives_in_a_sentence_are_all_commands():
    runbook = parsed("# T\n\n## Fix\n\nRun `docker logs web` or `kubectl logs web`.\n")
    assert commands_of(runbook) == ["docker logs web", "kubectl logs web"]


def test_lines_of_a_file_that_is_edited_are_an_instruction():
    text = (
        "# T\n\n## Fix\n\n```bash\nsudo systemctl edit web\n# Add:\n[Service]\nLimitNOFILE=65536\nRestart=always\n```\n"
    )
    runbook = parsed(text)
    assert commands_of(runbook) == ["sudo systemctl edit web"]
    assert [step.hand for step in runbook.steps if step.hand] == ["Add:\n[Service]\nLimitNOFILE=65536\nRestart=always"]


def test_a_statement_ends_at_an_empty_line_and_a_comment():
    lines = ["docker logs a 2>&1 | grep x | tail -50", "", "# And the disk", 'docker logs b 2>&1 | grep -i "no space"']
    assert commands_of(parsed("# T\n\n## Diagnosis\n\n```bash\n" + "\n".join(lines) + "\n```\n")) == [
        lines[0],
        lines[3],
    ]


@pytest.mark.parametrize(
    ("headings", "phase"),
    [
        ("## Alert: QueueFull\n\n### Remediation Options", Phase.RECOVER),
        ("## High Memory Alert Resolution", Phase.RECOVER),
        ("## Diagnosis\n\n### 2. Verify the pods", Phase.DIAGNOSE),
        ("## Look first", Phase.DIAGNOSE),
        ("## 1. Confirm the outage", Phase.DIAGNOSE),
        ("## Tell the others", Phase.COMMUNICATE),
        ("## Validar", Phase.VERIFY),
    ],
)
def test_headings_as_others_write_them(headings, phase):
    assert parsed(f"# T\n\n{headings}\n\n```bash\nls\n```\n").steps[0].phase is phase


def test_what_opens_a_shell_in_openshift_takes_the_lines_below():
    runbook = parsed("# T\n\n## Diagnosis\n\n```bash\noc debug node/a\ncat /proc/mdstat\n```\n")
    assert [command.inside for _, command in runbook.commands()] == [None, "diagnosis#1.1"]


def test_an_author_may_call_a_section_a_scenario():
    text = (
        "# Down\n\n## Act\n\n### First tries\n\n<!-- drillbook: scenario=yes -->\n\n"
        "```bash\nsystemctl restart web\n```\n\n### Later\n\n```bash\nls\n```\n"
    )
    runbook = parse_text(text, Path("down.md"))
    assert [step.scenario for step, _ in runbook.commands()] == ["First tries", None]
    assert [str(problem) for problem in runbook.problems] == []


def test_a_scenario_is_called_one_or_not_at_all():
    runbook = parse_text("# Down\n\n## Act\n\n<!-- drillbook: scenario=no -->\n", Path("down.md"))
    assert any("expected scenario=yes, got 'no'" in problem.text for problem in runbook.problems)


@pytest.mark.parametrize(
    ("statement", "effect"),
    [
        ("SELECT pg_wal_replay_resume()", Effect.CHANGE),
        ("SELECT pg_wal_replay_pause()", Effect.CHANGE),
        ("SELECT pg_create_restore_point('x')", Effect.CHANGE),
        ("SELECT pg_drop_replication_slot('x')", Effect.DESTROY),
        ("SELECT pg_wal_lsn_diff(sent_lsn, replay_lsn) FROM pg_stat_replication", Effect.READ),
    ],
)
def test_functions_of_a_database_may_change_it(statement, effect):
    assert effect_of(f'psql -c "{statement}"') is effect
