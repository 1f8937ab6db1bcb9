"""A target file holds what the design says, and everything else is told with its line."""

from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.target.targetfile import default_target, find_target, load_target

FULL = """\
runbook = "inference-gateway"
functional = ["test_post_order"]
reads = ["diagnose#1.2"]

[hosts.operator]
connect = ["ssh://ops@jump", "docker://gateway", "local:"]
become = true

[hosts.db]
connect = ["local:"]

[urls]
gateway = "https://gateway.example.org"

[variables]
namespace = "prod"
replicas = 3

[slo]
availability = 0.995
window = "7d"
"""


def written(tmp_path: Path, text: str, name: str = "prod") -> Path:
    path = tmp_path / "targets" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load_target(written(tmp_path, text))
    return str(caught.value)


def test_every_key_of_the_design_is_read(tmp_path: Path) -> None:
    target = load_target(written(tmp_path, FULL))
    assert (target.name, target.runbook) == ("prod", "inference-gateway")
    assert target.hosts["operator"].connect == ("ssh://ops@jump", "docker://gateway", "local:")
    assert target.hosts["operator"].become
    assert not target.hosts["db"].become
    assert dict(target.urls) == {"gateway": "https://gateway.example.org"}
    assert dict(target.variables) == {"namespace": "prod", "replicas": "3"}
    assert (target.availability_ratio, target.window_s) == (0.995, 7 * 86400.0)
    assert (target.functional, target.reads) == (("test_post_order",), ("diagnose#1.2",))


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_one(tmp_path: Path) -> None:
    text = complaint(tmp_path, 'runbook = "x"\n\n[host.operator]\nconnect = ["local:"]\n')
    assert "prod.toml:3: expected one of runbook, hosts, urls, variables, slo, functional, reads, got" in text
    assert "'host'" in text
    assert "did you mean hosts?" in text


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = complaint(
        tmp_path,
        'runbook = 3\n[hosts.operator]\nconect = ["local:"]\n[hosts.db]\nconnect = ["telnet://x", "kubectl://a/b/configmap/d"]\n'
        'become = "yes"\n[urls]\nx = "gateway:8000"\n[slo]\navailability = 99.9\nwindow = "a month"\n',
    )
    lines = [line for line in text.splitlines() if line.startswith("  | ")]
    assert "9 problems" in text.splitlines()[0]
    numbers = [int(line.split("prod.toml:")[1].split(":")[0]) for line in lines]
    assert numbers == sorted(numbers) == [1, 2, 3, 5, 5, 6, 8, 10, 11]
    for part in (
        "did you mean connect?",
        "'telnet://x'",
        "kubectl://a/b/configmap/d",
        "'yes'",
        "'gateway:8000'",
        "write 0.999",
        "'a month'",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", 'expected runbook = "SLUG", got none'),
        ('runbook = "x"\nhosts = 3\n', "expected a table [hosts], got 3"),
        (
            'runbook = "x"\n[hosts]\noperator = "local:"\n',
            "prod.toml:3: expected a table [hosts.operator], got 'local:'",
        ),
        ('runbook = "x"\n[hosts.operator]\nconnect = "local:"\n', "expected a list for connect"),
        ('runbook = "x"\n[hosts.operator]\nbecome = true\n', "prod.toml:2: expected connect = "),
        ('runbook = "x"\nreads = "a"\n', "prod.toml:2: expected a list for reads"),
        ('runbook = "x"\n[slo]\navailability = 0.9\n', "no window"),
        ('runbook = "x"\n[slo]\navailability = true\nwindow = "1d"\n', "expected a ratio between 0 and 1, got True"),
        ('runbook = "x"\n[variables]\na = [1]\n', "prod.toml:3: expected a text or a number, got [1]"),
        ('runbook = "x"\nrunbook = "y"\n', "prod.toml:2"),
        ('runbook = x"\n', "prod.toml:1"),
    ],
)
def test_what_must_not_be_there_is_told(tmp_path: Path, text: str, part: str) -> None:
    assert part in complaint(tmp_path, text)


def test_bytes_that_are_no_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.write_bytes(b'runbook = "x"\n# \xff\n')
    with pytest.raises(UsageError, match=r"prod\.toml:2: expected UTF-8"):
        load_target(path)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_target(tmp_path / "none.toml")


def test_a_target_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    path = written(tmp_path, FULL)
    assert find_target("prod", tmp_path).path == path
    assert find_target(str(path), tmp_path).path == path
    assert find_target("targets/prod.toml", tmp_path).path == path


def test_a_target_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    written(tmp_path, FULL)
    written(tmp_path, FULL, "staging")
    with pytest.raises(UsageError, match=r"targets has prod, staging") as caught:
        find_target("production", tmp_path)
    assert "got 'production'" in str(caught.value)


def test_the_only_target_is_the_default(tmp_path: Path) -> None:
    written(tmp_path, FULL)
    assert default_target(tmp_path).name == "prod"


def test_of_several_targets_the_project_names_the_default(tmp_path: Path) -> None:
    written(tmp_path, FULL)
    written(tmp_path, FULL, "staging")
    with pytest.raises(UsageError, match="2 targets and no default"):
        default_target(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.drillbook]\ndefault_target = "staging"\n', encoding="utf-8")
    assert default_target(tmp_path).name == "staging"


def test_a_default_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    written(tmp_path, FULL)
    (tmp_path / "pyproject.toml").write_text('[tool.drillbook]\ndefault_target = "gone"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"pyproject\.toml: tool\.drillbook\.default_target.*'gone'"):
        default_target(tmp_path)


def test_a_project_without_targets_says_where_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no target file yet"):
        default_target(tmp_path)


def test_a_role_that_the_file_lacks_lists_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has operator, db"):
        load_target(written(tmp_path, FULL)).open("web")


def test_a_role_opens_a_session_named_after_it(tmp_path: Path) -> None:
    with load_target(written(tmp_path, FULL)).open("db") as session:
        assert session.name == "db (local:)"
        assert session.run("echo here").out == "here\n"
