import tarfile
from pathlib import Path

import pytest

from drillbook.errors import ReplicaError
from drillbook.replica.archive import folder_as_tar
from drillbook.replica.builder import in_build_order


def image(folder: Path, name: str, first_line: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "Dockerfile").write_text(f"{first_line}\nFROM x\n")


def test_images_that_others_need_come_first(tmp_path: Path) -> None:
    image(tmp_path, "app", "# needs: python, tools")
    image(tmp_path, "python", "# needs: tools")
    image(tmp_path, "tools", "ARG BASE")
    assert in_build_order(tmp_path) == [("tools", ()), ("python", ("tools",)), ("app", ("python", "tools"))]


def test_a_fixture_may_have_no_images(tmp_path: Path) -> None:
    assert in_build_order(tmp_path / "images") == []


def test_images_that_wait_for_each_other_or_for_nothing_are_named(tmp_path: Path) -> None:
    image(tmp_path, "a", "# needs: b")
    image(tmp_path, "b", "# needs: a")
    image(tmp_path, "c", "# needs: nowhere")
    with pytest.raises(ReplicaError, match="these images wait") as caught:
        in_build_order(tmp_path)
    assert "a needs b, b needs a, c needs nowhere" in caught.value.problem


def test_a_folder_without_a_dockerfile_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReplicaError, match="expected a Dockerfile") as caught:
        in_build_order(tmp_path)
    assert caught.value.where == str(tmp_path / "empty")


def test_an_archive_holds_a_folder_and_what_is_added(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("x")
    with folder_as_tar(tmp_path, {"more/ca.pem": b"certificates"}) as file, tarfile.open(fileobj=file) as tar:
        assert sorted(tar.getnames()) == [".", "./run", "more/ca.pem"]
        assert tar.getmember("./run").mode & 0o111
        assert tar.getmember("./run").uid == 0
        content = tar.extractfile("more/ca.pem")
        assert content is not None
        assert content.read() == b"certificates"
