"""The ledger: what counts as proof of a command, and what an edit takes away."""

import json
from pathlib import Path

import pytest

from drillbook.errors import EvidenceError
from drillbook.ledger import Kind, Proof, State, account, account_of_record, proofs_of, read_lock, rows_of, write_lock
from drillbook.ledger.judgement import judge_output
from drillbook.ledger.listing import table_of
from drillbook.ledger.rows import row_of_event
from drillbook.parser import parse_text

DOCUMENT = """# Shop

## Diagnosis

```bash
docker ps
docker logs shop -f
```

## Mitigation

### Strategy 1: Restart

```bash
docker restart shop
# Edit shop.env and raise the limit

docker stats --no-stream shop
```

### Strategy 2: Recreate

```bash
docker rm -f shop
```

## Verification

```bash
curl -f http://shop/health
# Expected: {"status": "healthy"}
curl -f http://shop/ready
```

- [ ] Dashboards are green

## Communication

```bash
curl -X POST http://localhost/incidents -d over
```

- Tell the customers

## Prevention

- [ ] Write the post-mortem

<!-- drillbook: human-only=needs the vendor's console -->
- [ ] Rotate the key
"""
DRILL = "shop/kill"


def rows(text: str = DOCUMENT):
    return rows_of(parse_text(text, Path("shop.md")))


def event(kind: str, second: int = 0, drill: str | None = DRILL, **fields):
    about = {"drill": drill} if drill else {}
    return {"kind": kind, "utc": f"2026-01-01T00:00:{second:02}.000Z", "at_s": second, **about, **fields}


def ran(id_: str, kind: str = "command", **fields):
    row = next(row for row in rows() if row.id == id_)
    usual = {"id": id_, "phase": row.phase, "scenario": row.scenario or None, "text": row.text, "ran": row.text}
    return event(kind, **{**usual, "rules": [], "exit_status": 0, "stdout": "", "stderr": "", **fields})


def record(*events, outcome="PASSED", drill=DRILL):
    begin = event("document", drill=drill, runbook="shop", rows=[row.to_event() for row in rows()])
    return [begin, *events, event("drill.end", 59, drill=drill, outcome=outcome)]


def states_of(*events, **options) -> dict[str, str]:
    (found,) = account_of_record(record(*events, **options))
    return {entry.row.id: entry.state.value for entry in found.entries}


LOOK, FOLLOW = "diagnosis#1.1", "diagnosis#1.2"
RESTART, EDIT, STATS = (f"mitigation/strategy-1-restart#{ordinal}" for ordinal in ("1.1", "2", "3.1"))
REMOVE = "mitigation/strategy-2-recreate#1.1"
HEALTH, READY, BOARDS = "verification#1.1", "verification#1.2", "verification#2"
POST, TELL = "communication#1.1", "communication#2"


def test_every_command_and_instruction_is_a_row_and_survives_the_record():
    assert [row.id for row in rows()] == [
        LOOK,
        FOLLOW,
        RESTART,
        EDIT,
        STATS,
        REMOVE,
        HEALTH,
        READY,
        BOARDS,
        POST,
        TELL,
        "prevention#1",
        "prevention#2",
    ]
    assert [row_of_event(json.loads(json.dumps(row.to_event()))) for row in rows()] == rows()


def test_without_any_run_only_what_is_for_people_is_accounted_for():
    found = account("shop", rows(), [])
    by_id = {entry.row.id: (entry.state, entry.why) for entry in found.entries}
    assert by_id[TELL] == (State.HUMAN_ONLY, "speaks to people")
    assert by_id["prevention#1"] == (State.HUMAN_ONLY, "work for the days after the incident")
    assert by_id["prevention#2"] == (State.HUMAN_ONLY, "needs the vendor's console")
    assert len(found.of(State.UNCOVERED)) == 10
    assert found.covered_ratio == pytest.approx(3 / 13)


def test_a_reading_command_is_drilled_where_it_worked_on_a_system_that_is_well():
    assert states_of(ran(LOOK, "rehearsal", stdout="shop up"))[LOOK] == "drilled"


def test_a_reading_command_that_only_ran_under_the_fault_is_not_drilled():
    assert states_of(ran(LOOK, stdout="nothing"))[LOOK] == "uncovered"


def test_a_recovery_command_is_drilled_where_its_route_healed():
    route = event("route", scenario="Strategy 1: Restart")
    healed = event("route.end", scenario="Strategy 1: Restart", red=[])
    assert states_of(route, ran(RESTART), healed)[RESTART] == "drilled"
    not_healed = event("route.end", scenario="Strategy 1: Restart", red=["test_health"])
    assert states_of(route, ran(RESTART), not_healed)[RESTART] == "uncovered"


def test_what_a_scenario_reads_before_its_recovery_says_nothing_of_the_command():
    healed = event("route.end", scenario="Strategy 1: Restart", red=[])
    read = ran(RESTART, exit_status=1)
    assert states_of(read, event("route", scenario="Strategy 1: Restart"), healed)[RESTART] == "uncovered"


def test_a_drill_that_failed_or_proved_nothing_proves_no_command():
    for outcome in ("FAILED", "UNKNOWN"):
        assert states_of(ran(LOOK, "rehearsal"), outcome=outcome)[LOOK] == "uncovered"
    assert states_of(ran(LOOK, "rehearsal"), outcome="NOT COVERED")[LOOK] == "drilled"


def test_a_rewritten_command_says_by_which_rule():
    (found,) = account_of_record(record(ran(FOLLOW, "rehearsal", ran="docker logs shop", rules=["stream-bounded"])))
    (entry,) = found.of(State.REWRITTEN)
    assert (entry.row.id, entry.why) == (FOLLOW, "stream-bounded")


def test_a_command_that_was_not_run_is_uncovered():
    assert states_of(ran(LOOK, "rehearsal", skipped="no value", exit_status=None))[LOOK] == "uncovered"


def test_what_the_document_expects_is_looked_for_after_the_recovery():
    (found,) = account_of_record(record(event("restored"), ran(HEALTH, stdout='{"status":"healthy"}')))
    assert found.entries[6].verdict == "PASSED"
    (found,) = account_of_record(record(event("restored"), ran(HEALTH, stdout='{"status":"unhealthy"}')))
    (entry,) = found.failed
    assert (entry.row.id, entry.state) == (HEALTH, State.DRILLED)
    assert entry.why == 'the document expects {"status": "healthy"}, and it is not in the output'


def test_a_message_counts_as_told_where_it_arrived():
    assert states_of(event("restored"), ran(POST), event("posted", body="over"))[POST] == "told"
    assert states_of(event("restored"), ran(POST))[POST] == "uncovered"
    assert states_of(event("restored"), ran(POST), event("posted", body="something else"))[POST] == "uncovered"


def test_a_form_counts_as_told_where_all_its_fields_arrived():
    form = {"incident[name]": "shop down", "incident[status]": "investigating"}
    command = 'curl https://status.example.com -d "incident[name]=shop down" -d "incident[status]=investigating"'
    sent = ran(POST, ran=command)
    assert states_of(event("restored"), sent, event("posted", body=form))[POST] == "told"
    cut = {"incident[name]": "shop", " down": "", "incident[status]": "investigating"}
    assert states_of(event("restored"), sent, event("posted", body=cut))[POST] == "uncovered"
    other = {**form, "incident[status]": "resolved"}
    assert states_of(event("restored"), sent, event("posted", body=other))[POST] == "uncovered"


def test_a_message_counts_as_told_whatever_its_layout():
    sent = ran(POST, ran="""curl https://chat.example.com --data '{"text":"shop is down","parts":["a",{"n":1}]}'""")
    body = {"text": "shop is down", "parts": ["a", {"n": 1}]}
    assert states_of(event("restored"), sent, event("posted", body=body))[POST] == "told"
    assert states_of(event("restored"), sent, event("posted", body={}))[POST] == "uncovered"


def test_verification_inside_of_a_scenario_that_did_not_heal_is_not_drilled():
    command = {**ran(HEALTH), "scenario": "Strategy 1: Restart"}
    red = event("route.end", scenario="Strategy 1: Restart", red=["test_health"])
    assert states_of(command, red, outcome="NOT COVERED")[HEALTH] == "uncovered"


def test_what_a_diagnosis_check_covers_is_a_cause_and_proves_no_command():
    check = event("check", item="test_not_hung", job="diagnose", outcome="PASSED", during="steady", covers=[RESTART])
    assert states_of(check)[RESTART] == "uncovered"


def test_a_record_in_which_the_command_said_something_else_proves_nothing():
    assert states_of(ran(LOOK, "rehearsal", text="docker ps -a"))[LOOK] == "uncovered"


def test_a_red_word_of_one_drill_is_not_outshone_by_a_newer_green_one():
    red = proof(LOOK, "docker ps", by="shop/oom", verdict="FAILED", why="exit status 1")
    found = account("shop", rows(), [red, proof(LOOK, "docker ps", utc="2026-01-02")])
    assert [entry.row.id for entry in found.failed] == [LOOK]
    assert found.covered_ratio == pytest.approx(3 / 13), "a row that is red is not accounted for"


def test_a_drill_that_failed_takes_back_what_it_proved_before():
    old, new = record(ran(LOOK, "rehearsal")), record(ran(LOOK, "rehearsal"), outcome="FAILED")
    new[-1]["utc"] = "2026-01-02T00:00:00.000Z"
    proofs = [*proofs_of(old, "shop"), *proofs_of(new, "shop")]
    found = account("shop", rows(), proofs)
    assert (found.broken, found.entries[0].state) == ((DRILL,), State.UNCOVERED)
    assert "drills that failed when they were last run: shop/kill" in table_of(found)
    again = record(ran(LOOK, "rehearsal", second=9))
    for one in again:
        one["utc"] = "2026-01-03T00:00:00.000Z"
    assert account("shop", rows(), [*proofs, *proofs_of(again, "shop")]).broken == ()


def test_an_edit_of_the_expectation_outdates_as_well():
    proofs = proofs_of(record(event("restored"), ran(HEALTH, stdout='{"status": "healthy"}')), "shop")
    edited = rows(DOCUMENT.replace('{"status": "healthy"}', '{"status": "up"}'))
    assert account("shop", rows(), proofs).outdated == {}
    assert account("shop", edited, proofs).outdated == {DRILL: [HEALTH]}


def test_an_edit_of_what_opens_a_client_outdates_what_is_typed_into_it():
    text = "# T\n\n## Diagnosis\n\n```bash\npsql -h db\nSELECT 1;\n```\n"
    typed = rows(text)[1]
    edited = rows(text.replace("-h db", "-h other"))
    assert account("t", edited, [proof(typed.id, typed.said)]).outdated == {DRILL: [typed.id]}


def test_an_instruction_that_was_carried_out_is_done_by_hand():
    (found,) = account_of_record(record(event("hand", step=EDIT, did="raised the limit to 4G")))
    (entry,) = found.of(State.BY_HAND)
    assert (entry.row.id, entry.why) == (EDIT, "raised the limit to 4G")
    assert states_of(event("hand", step=EDIT, did=None))[EDIT] == "uncovered"


@pytest.mark.parametrize(
    ("fields", "covered"),
    [
        ({"covers": [READY]}, {READY}),
        ({"covers": ["verification#1"]}, {HEALTH, READY}),
        ({"covers": [BOARDS]}, {BOARDS}),
        ({"covers": [], "reads": [LOOK]}, {LOOK}),
        ({"covers": ["mitigation/strategy-1-restart"]}, set()),
        ({"covers": [READY], "outcome": "FAILED"}, set()),
        ({"covers": [READY], "outcome": "NOT CHECKED"}, set()),
        ({"covers": [READY], "during": "fault"}, set()),
    ],
)
def test_a_check_proves_what_it_covers_or_reads_while_it_is_green(fields, covered):
    check = {"item": "test_it", "job": "verify", "outcome": "PASSED", "during": "recovery", **fields}
    states = states_of(event("check", **check))
    assert {id_ for id_, state in states.items() if state == "checked"} == covered


def test_a_check_of_a_real_system_proves_as_well():
    document = event("document", drill=None, runbook="shop", rows=[row.to_event() for row in rows()])
    check = event("check", drill=None, item="test_it", covers=[READY], outcome="PASSED", during="target")
    assert [proof.id for proof in proofs_of([document, check], "shop")] == [READY]


def test_a_record_without_the_documents_rows_proves_nothing():
    assert proofs_of(record(ran(LOOK, "rehearsal"))[1:], "shop") == []


def proof(id_: str, text: str, **fields) -> Proof:
    usual = {"kind": Kind.DRILLED, "by": DRILL, "utc": "2026-01-01T00:00:00.000Z", "verdict": "PASSED"}
    return Proof(id_, text=text, **{**usual, **fields})


def test_an_edit_outdates_the_drills_and_checks_that_proved_the_old_text():
    old = [proof(LOOK, "docker ps -a"), proof(LOOK, "docker ps -a", kind=Kind.CHECKED, by="test_it")]
    found = account("shop", rows(), [*old, proof(FOLLOW, "docker logs shop -f")])
    assert found.outdated == {DRILL: [LOOK], "test_it": [LOOK]}
    assert {entry.row.id: entry.state for entry in found.entries}[LOOK] is State.UNCOVERED
    assert "outdated by an edit of the document; run these again:\n  shop/kill: diagnosis#1.1" in table_of(found)


def test_a_new_run_takes_the_place_of_what_an_edit_outdated():
    found = account("shop", rows(), [proof(LOOK, "docker ps -a"), proof(LOOK, "docker ps", utc="2026-01-02")])
    assert found.outdated == {}
    assert found.entries[0].state is State.DRILLED


def test_a_row_that_is_gone_outdates_what_proved_it():
    found = account("shop", rows(), [proof("diagnosis#9.1", "df -h")])
    assert found.gone == (("diagnosis#9.1", (DRILL,)),)
    assert found.outdated == {DRILL: ["diagnosis#9.1"]}


def test_the_newest_word_of_a_drill_counts():
    old = proof(LOOK, "docker ps", utc="2026-01-01")
    new = proof(LOOK, "docker ps", utc="2026-01-02", verdict="FAILED", why="exit status 1")
    assert account("shop", rows(), [new, old]).failed[0].why == "exit status 1"


def test_the_lock_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "shop.lock.json"
    proofs = [
        proof(LOOK, "docker ps"),
        proof(LOOK, "docker ps", kind=Kind.CHECKED, by="test_it"),
        proof(FOLLOW, "docker logs shop -f", rules=("stream-bounded",)),
        proof(EDIT, "Edit shop.env and raise the limit", kind=Kind.BY_HAND, why="raised the limit"),
        proof(RESTART, "docker restart old"),
        proof(REMOVE, "docker rm -f shop", verdict="FAILED", why="exit status 1"),
    ]
    assert write_lock(path, rows(), proofs) == 6
    assert sorted(read_lock(path), key=str) == sorted(proofs, key=str)
    first = path.read_text(encoding="utf-8")
    write_lock(path, rows(), read_lock(path))
    assert path.read_text(encoding="utf-8") == first


def test_what_an_edit_outdated_stays_in_the_lock_file_until_it_passes_again(tmp_path):
    path = tmp_path / "shop.lock.json"
    old = proof(LOOK, "docker ps -a")
    write_lock(path, rows(), [old, proof("diagnosis#9.1", "df -h")])
    assert read_lock(path) == [old]
    assert account("shop", rows(), read_lock(path)).outdated == {DRILL: [LOOK]}
    new = proof(LOOK, "docker ps", utc="2026-01-02")
    write_lock(path, rows(), [*read_lock(path), new])
    assert read_lock(path) == [new]


MAYBE = (
    '{"format": 1, "rows": {"a": {"text": "x", "proved": '
    '[{"kind": "drilled", "by": "s/d", "when": "2026", "verdict": "maybe"}]}}}'
)


def test_without_a_lock_file_nothing_is_known(tmp_path):
    assert read_lock(tmp_path / "shop.lock.json") == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[" * 100_000, MAYBE, '{"format": 2, "rows": {}}', '{"format": 1, "rows": {"a": {}}}']
)
def test_a_broken_lock_file_is_one_error(tmp_path, text):
    path = tmp_path / "shop.lock.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError) as caught:
        read_lock(path)
    assert str(path) in str(caught.value)
    assert "drillbook ledger --write" in str(caught.value)


def test_the_table_ends_with_the_sum():
    lines = table_of(account("shop", rows(), [proof(LOOK, "docker ps")])).splitlines()
    assert lines[2] == "    6  drilled       $ docker ps  # shop/kill"
    assert lines[-2:] == [
        "8 commands, 5 instructions: 1 drilled, 3 human-only, 9 uncovered",
        "accounted for: 4 of 13 (31%)",
    ]


def test_json_says_the_same():
    found = account("shop", rows(), [proof(LOOK, "docker ps")]).to_json()
    assert found["states"]["drilled"] == 1
    assert found["entries"][0] == {
        "id": LOOK,
        "line": 6,
        "phase": "diagnose",
        "text": "docker ps",
        "effect": "read",
        "state": "drilled",
        "verdict": "PASSED",
        "why": None,
        "drills": [DRILL],
        "checks": [],
        "rules": [],
        "when": "2026-01-01T00:00:00.000Z",
        "outdated": [],
    }


@pytest.mark.parametrize(
    ("text", "status", "out", "err", "expects", "wrong"),
    [
        ("docker ps", 0, "x", "", "", ""),
        ("docker ps", 1, "", "cannot connect", "", "exit status 1: cannot connect"),
        ("htop -b", 127, "", "bash: htop: command not found", "", "exit status 127: a program was not there"),
        ("dmesg | grep oom", 1, "", "", "", ""),
        ("dmesg | grep oom", 1, "", "dmesg: not permitted", "", "exit status 1: dmesg: not permitted"),
        (
            "redis-cli ping",
            0,
            "NOAUTH Authentication required.",
            "",
            "",
            "it complains: NOAUTH Authentication required.",
        ),
        ("docker logs shop", 0, "No such file or directory", "", "", ""),
        (
            "docker logs shop",
            0,
            "",
            "Error: No such container: shop",
            "",
            "it complains: Error: No such container: shop",
        ),
        ("jqq . f | tail -5", 0, "", "jqq: command not found", "", "it complains: jqq: command not found"),
        ("psql <<'X'", 0, "", "ERROR:  no such table", "", "it complains: ERROR:  no such table"),
        ("redis-cli get x", 0, "LOADING Redis is loading", "", "", "it complains: LOADING Redis is loading"),
        ("lsof -i :8000", 1, "", "", "", ""),
        ("curl -f x", 0, "ok", "", "HTTP 200", ""),
        ("curl -f x", 0, '{"a": 1}', "", '{"a":1}', ""),
        ("curl -f x", 0, '{"a": 1, "b": 2}', "", '{"a":1}', ""),
        ("curl -f x", 0, '{"a": 2}', "", '{"a":1}', 'the document expects {"a":1}, and it is not in the output'),
        ("echo x", 0, "yes", "", 'prints "no"', 'the document expects "no", and it is not in the output'),
    ],
)
def test_what_a_command_left_behind_is_judged(text, status, out, err, expects, wrong):
    assert judge_output(text, status, out, err, expects) == wrong
