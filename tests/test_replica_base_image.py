import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

from drillbook.errors import ReplicaError
from drillbook.replica import base_image, work_folder
from drillbook.replica.base_image import BASE_IMAGE, ensure_base_image


class FakeImages:
    """An engine's images; pulling is refused unless ``pullable``."""

    def __init__(self, *names: str, pullable: bool = False) -> None:
        self.names = set(names)
        self.pullable = pullable

    def get(self, name: str) -> Any:
        if name not in self.names:
            raise ImageNotFound(name)
        return SimpleNamespace(id=f"id of {name}")

    def pull(self, repository: str, tag: str) -> Any:
        if not self.pullable:
            raise APIError("500", explanation="dial tcp: lookup: no such host")
        return SimpleNamespace(tag=self.names.add)


class FakeEngine:
    def __init__(self, images: FakeImages) -> None:
        self.images = images

    def close(self) -> None:
        """Nothing is open."""


def engine(monkeypatch: pytest.MonkeyPatch, *names: str, pullable: bool = False) -> Any:
    made = FakeEngine(FakeImages(*names, pullable=pullable))
    monkeypatch.setattr(base_image, "connect_engine", lambda timeout_s: made)
    return made


def test_what_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    assert ensure_base_image(engine(monkeypatch, BASE_IMAGE), lines.append) == f"id of {BASE_IMAGE}"
    assert lines == []


def test_what_is_missing_is_pulled_and_gets_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    assert ensure_base_image(engine(monkeypatch, pullable=True), lines.append) == f"id of {BASE_IMAGE}"
    assert lines == ["base image: pulling debian:trixie-slim"]


@pytest.mark.parametrize(
    ("words", "path", "why"),
    [
        (None, "/usr/bin", "this user is not root and sudo asks for a password"),
        ([], "/nowhere", "debootstrap is not there"),
    ],
)
def test_no_registry_and_no_way_to_make_it_is_one_message(
    monkeypatch: pytest.MonkeyPatch, words: list[str] | None, path: str, why: str
) -> None:
    monkeypatch.setattr(base_image, "root_words", lambda: words)
    monkeypatch.setattr(base_image.shutil, "which", lambda program, path=None: None)
    monkeypatch.setenv("PATH", path)
    with pytest.raises(ReplicaError, match=why) as caught:
        ensure_base_image(engine(monkeypatch), lambda line: None)
    assert caught.value.evidence == ("dial tcp: lookup: no such host",)
    assert f"docker tag debian:trixie-slim {BASE_IMAGE}" in caught.value.hint


def test_a_work_folder_is_removed_with_what_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with work_folder.work_folder() as folder:
        (folder / "root").mkdir()
        assert work_folder.work_folders() == [folder]
        assert not work_folder.is_abandoned_folder(folder / "root" / "proc")
    assert work_folder.work_folders() == []


def test_a_work_folder_of_a_process_that_ended_is_abandoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    folder = tmp_path / f"drillbook-base-{int(ended.stdout)}-x"
    folder.mkdir()
    assert work_folder.is_abandoned_folder(folder)
    work_folder.remove_work_folder(folder)
    assert not folder.exists()
    assert not work_folder.is_abandoned_folder(tmp_path / f"drillbook-base-{os.getpid()}-x")
