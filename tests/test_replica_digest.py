import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drillbook.replica.digest import combined_digest, folder_digest


def make(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("one")
    (folder / "sub" / "b").write_text("two")
    (folder / "replica.py").write_text("def replica(): ...")
    return folder


def test_equal_folders_have_equal_digests(tmp_path: Path) -> None:
    assert folder_digest(make(tmp_path / "x")) == folder_digest(make(tmp_path / "y"))


def test_content_names_and_execute_bits_count(tmp_path: Path) -> None:
    folder = make(tmp_path / "x")
    seen = {folder_digest(folder)}
    (folder / "a").write_text("other")
    seen.add(folder_digest(folder))
    (folder / "a").rename(folder / "c")
    seen.add(folder_digest(folder))
    (folder / "c").chmod(0o755)
    seen.add(folder_digest(folder))
    (folder / "link").symlink_to("c")
    seen.add(folder_digest(folder))
    assert len(seen) == 5


def test_times_and_pythons_caches_do_not_count(tmp_path: Path) -> None:
    folder = make(tmp_path / "x")
    before = folder_digest(folder)
    os.utime(folder / "a", (1, 1))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"x")
    (folder / "sub" / "b.pyc").write_bytes(b"x")
    assert folder_digest(folder) == before


def test_entries_at_the_top_can_be_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "x")
    before = folder_digest(folder, without={"replica.py"})
    (folder / "replica.py").write_text("changed")
    assert folder_digest(folder, without={"replica.py"}) == before
    (folder / "sub" / "replica.py").write_text("deeper: counts")
    assert folder_digest(folder, without={"replica.py"}) != before


TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")))


@given(TEXTS, TEXTS)
def test_lists_of_texts_share_a_digest_only_when_equal(one: list[str], other: list[str]) -> None:
    same = combined_digest(*one) == combined_digest(*other)
    assert same == ("\0".join(one) == "\0".join(other))
