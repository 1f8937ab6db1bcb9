"""The console script: what it prints and how it ends."""

import json
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
