"""A folder in a URI is where commands run."""

import pytest

from drillbook.errors import TargetUnreachable
from drillbook.target.connect import connect, way_to


def test_commands_run_in_the_folder(tmp_path):
    folder = tmp_path / "a b'c"
    folder.mkdir()
    with connect(f"local:{folder}") as target:
        assert target.run("pwd").out.strip() == str(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TargetUnreachable) as raised:
        connect(f"local:{tmp_path}/nowhere")
    assert "nowhere" in str(raised.value)
    assert "hint: the folder of the URI is not there" in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "end"),
    [
        ("docker://web/srv/app", ["web", "sh", "-c", "cd /srv/app && exec sh"]),
        ("ssh://ann@web:2222/srv/my app", ["ann@web", "exec sh -c 'cd '\"'\"'/srv/my app'\"'\"' && exec sh'"]),
        ("ssh://web/", ["web", "exec sh"]),
    ],
)
def test_every_kind_of_target_can_stand_in_a_folder(uri, end):
    assert list(way_to(uri).argv[-len(end) :]) == end
