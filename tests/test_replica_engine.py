from pathlib import Path

import pytest

from drillbook.errors import DockerMissing
from drillbook.replica.engine import connect_engine, engine_error
from drillbook.replica.readiness import why_not_running


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_no_engine_is_one_message_with_the_command_to_type(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(DockerMissing, match="expected a Docker engine, got no answer") as caught:
        connect_engine()
    assert caught.value.where == address
    assert "apt-get install docker.io" in caught.value.hint


def test_a_socket_that_nobody_serves_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(DockerMissing) as caught:
        connect_engine()
    assert "start docker" in caught.value.hint


def test_missing_rights_are_told_apart() -> None:
    from drillbook.replica.engine import missing_engine

    error = missing_engine("unix:///var/run/docker.sock", "PermissionError(13, 'Permission denied')")
    assert "permission denied" in error.problem
    assert "usermod -aG docker" in error.hint


@pytest.mark.parametrize(
    ("said", "problem", "hint"),
    [
        ("write /x: no space left on device", "building: the disk is full", "docker system prune"),
        ("Temporary failure resolving 'mirror'", "building: packages cannot be fetched", "HTTP_PROXY"),
        (
            "SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed",
            "building: packages cannot be fetched",
            "SSL_CERT_FILE",
        ),
        ("syntax error", "building failed", ""),
    ],
)
def test_disk_and_network_are_told_apart(said: str, problem: str, hint: str) -> None:
    error = engine_error("image x", "building", f"first line\n{said}")
    assert error.problem.startswith(problem)
    assert hint in error.hint
    assert error.evidence == ("first line", said)


@pytest.mark.parametrize(
    ("state", "status", "why"),
    [
        ("running", "Up 3 seconds", ""),
        ("running", "Up 3 seconds (healthy)", ""),
        ("running", "Up 3 seconds (health: starting)", "Up 3 seconds (health: starting)"),
        ("running", "Up 3 seconds (unhealthy)", "Up 3 seconds (unhealthy)"),
        ("exited", "Exited (137) 2 seconds ago", "Exited (137) 2 seconds ago"),
        ("paused", "Up 1 minute (Paused)", "Up 1 minute (Paused)"),
    ],
)
def test_a_container_is_ready_when_it_runs_and_is_not_unhealthy(state: str, status: str, why: str) -> None:
    assert why_not_running({"State": state, "Status": status}) == why


def test_a_container_that_is_not_there_is_not_ready() -> None:
    assert why_not_running(None) == "no container"
