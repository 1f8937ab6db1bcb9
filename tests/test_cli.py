"""The console script: what it prints and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import drillbook
from drillbook.cli import main

RUNBOOK = """# API down

## Triage

```bash
docker ps
curl -f http://localhost:8000/health
```

## Recovery

### Scenario 1: Out of Memory

```bash
docker restart api
```
"""


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    path = tmp_path / "api.md"
    path.write_text(RUNBOOK)
    return path


def status_of(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert drillbook.__version__ in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("frobnicate") == 2
    assert "No such command 'frobnicate'" in capsys.readouterr().err


def test_steps_lists_every_command_with_its_id(runbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("steps", str(runbook)) == 0
    out = capsys.readouterr().out
    for text in ("docker ps", "curl -f http://localhost:8000/health", "docker restart api"):
        assert f"$ {text}\n" in out


def test_steps_as_json_is_one_object_a_file_on_one_line(runbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("steps", "--json", str(runbook), str(runbook)) == 0
    one, two = capsys.readouterr().out.splitlines()
    assert one == two
    document = json.loads(one)
    assert document.keys() == {"path", "title", "steps", "problems"}
    assert document["path"] == str(runbook)
    steps = document["steps"]
    assert steps[-1].keys() >= {"id", "line", "phase", "scenario", "headings", "language", "commands", "hand"}
    assert steps[-1]["scenario"] == "Scenario 1: Out of Memory"
    commands = [command for step in steps for command in step["commands"]]
    assert [command["text"] for command in commands] == [
        "docker ps",
        "curl -f http://localhost:8000/health",
        "docker restart api",
    ]
    assert commands[0].keys() >= {"text", "line", "effect", "placeholders", "streams", "terminal", "expects"}


def test_steps_of_a_file_that_cannot_be_read_are_a_problem_and_the_others_are_still_told(
    runbook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.md"
    bad.write_bytes(b"# T\n\xff")
    assert status_of("steps", "--json", str(bad), str(runbook)) == 2
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.out.splitlines())
    problem = "expected UTF-8, got the byte 0xff at offset 4"
    assert first == {
        "path": str(bad),
        "title": None,
        "steps": [],
        "problems": [{"line": 2, "text": problem, "kind": "file"}],
    }
    assert second["steps"]
    assert captured.err.startswith(f"drillbook: {bad}:2: {problem}")


def test_lint_ends_with_1_on_findings_and_names_line_rule_and_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "api.md"
    path.write_text("# T\n\n## Verification\n\n```bash\ncurl http://x/health\n```\n", encoding="utf-8")
    assert status_of("lint", str(path)) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}:6: DB101 curl exits 0")
    assert second.strip().startswith("mend: add -f")
    assert last == "1 finding in 1 runbook"
    assert status_of("lint", "--json", str(path)) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(path)
    assert [(one["rule"], one["line"], one["command"]) for one in document["findings"]] == [
        ("DB101", 6, "verification#1.1")
    ]
    assert document["findings"][0].keys() == {"rule", "line", "text", "mend", "command"}


def test_lint_ends_with_0_where_nothing_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "api.md"
    path.write_text("# T\n\n## Verification\n\n```bash\ncurl -f http://x/health\n```\n", encoding="utf-8")
    assert status_of("lint", str(path), str(path)) == 0
    assert capsys.readouterr().out == "nothing found in 2 runbooks\n"


def test_lint_looks_names_up_in_a_compose_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, compose = tmp_path / "api.md", tmp_path / "compose.yaml"
    path.write_text("# T\n\n## Diagnosis\n\n```bash\ndocker-compose logs worker\n```\n", encoding="utf-8")
    compose.write_text("services: {api: {}}\n", encoding="utf-8")
    assert status_of("lint", str(path), "--compose", str(compose)) == 1
    assert "DB303 no service 'worker'; there are api" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["steps", "missing.md"], ["lint", "missing.md"], ["render", "missing-run"]])
def test_an_error_is_one_message_and_no_traceback(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"drillbook: {words[1]}")
    assert "Traceback" not in captured.err


def test_reap_without_an_engine_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert status_of("reap") == 2
    assert capsys.readouterr().err.startswith("drillbook: unix:///nowhere/docker.sock: expected a Docker engine")


def test_reap_on_a_cluster_that_is_not_there_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("reap", "--cluster", "context:") == 2
    assert capsys.readouterr().err.startswith("drillbook: --cluster: expected context:NAME")


def test_doctor_ends_with_1_where_something_needed_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert status_of("doctor") == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if "Docker engine" in line)
    assert line.startswith("missing ")


def test_doctor_as_json_has_the_same_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert status_of("doctor", "--json") == 1
    needs = json.loads(capsys.readouterr().out)
    assert [set(need) for need in needs] == [{"name", "state", "found", "how"}] * len(needs)
    assert "Docker engine" in {need["name"] for need in needs}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runbooks").mkdir()
    text = "# T\n\n## Diagnosis\n\n```bash\ndocker ps\n```\n\n## Prevention\n\n- Add an alert\n"
    (tmp_path / "runbooks" / "shop.md").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prove(project: Path, text: str) -> None:
    """Write a lock file in which a drill has proved the only command."""
    proved = {"kind": "drilled", "by": "shop/kill", "when": "2026-01-01T00:00:00.000Z", "verdict": "PASSED"}
    rows = {"diagnosis#1.1": {"text": text, "proved": [proved]}}
    lock = json.dumps({"format": 1, "rows": rows})
    (project / "runbooks" / "shop.lock.json").write_text(lock, encoding="utf-8")


def test_the_ledger_accounts_for_every_row_and_starts_from_the_lock_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("ledger", "shop", "--fail-under", "50") == 0
    assert "accounted for: 1 of 2 (50%)" in capsys.readouterr().out
    assert status_of("ledger", "--fail-under", "51") == 1
    prove(project, "docker ps")
    capsys.readouterr()
    assert status_of("ledger", "--json", "--fail-under", "100", "--strict") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runbook"], found["rows"], found["covered_ratio"]) == ("shop", 2, 1.0)


def test_an_edit_is_named_and_fails_a_strict_ledger_until_it_is_proved_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prove(project, "docker ps -a")
    assert status_of("ledger") == 0
    assert "run these again:\n  shop/kill: diagnosis#1.1" in capsys.readouterr().out
    assert status_of("ledger", "--strict") == 1
    assert status_of("ledger", "--write", "--strict") == 1  # writing does not make the drill pass again
    assert "shop/kill: diagnosis#1.1" in capsys.readouterr().out


def test_a_run_of_the_project_counts_in_its_ledger(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "diagnosis#1.1", "line": 6, "phase": "diagnose", "text": "docker ps", "effect": "read"}
    events = [
        {"kind": "document", "drill": "shop/kill", "runbook": "shop", "rows": [row]},
        {"kind": "rehearsal", "drill": "shop/kill", **row, "exit_status": 0, "ran": "docker ps", "rules": []},
        {"kind": "drill.end", "drill": "shop/kill", "outcome": "PASSED"},
    ]
    folder = project / "reports" / "INC-1" / "20260101T000000Z-chaos"
    folder.mkdir(parents=True)
    lines = (json.dumps({"utc": "2026-01-01T00:00:00.000Z", "at_s": 0.0, **event}) for event in events)
    (folder / "run.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert status_of("ledger", "--write") == 0
    captured = capsys.readouterr()
    assert "runbooks/shop.lock.json: 1 proof" in captured.out
    assert "drilled       $ docker ps  # shop/kill" in captured.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ledger", "bank"], "expected a runbook named 'bank', got shop"),
        (["init", "missing.md"], "there is no such runbook"),
        (["init", "runbooks/shop.md", "--compose", "gone.yaml"], "expected a compose file, got an error"),
        (["lint", "runbooks/shop.md", "--compose", "gone.yaml"], "expected a compose file, got an error"),
    ],
)
def test_a_wrong_name_is_one_message(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert status_of(*words) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err


def test_a_ledger_without_runbooks_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of("ledger") == 2
    assert "hint: drillbook init RUNBOOK.md" in capsys.readouterr().err


def test_init_says_what_is_new_what_was_kept_and_what_comes_next(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("init", "runbooks/shop.md") == 0
    out = capsys.readouterr().out
    assert "new   checks/test_shop.py\n" in out
    assert "kept  runbooks/shop.md\n" in out
    assert out.endswith("next: pytest -m verify --target shop\n")


def test_the_package_runs_as_a_module(project: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "drillbook", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("drillbook")
