"""``drillbook init``: checks, drills, replica and target file for somebody else's runbook, ready to run and to edit."""

from dataclasses import dataclass, field
from pathlib import Path

from drillbook.errors import UsageError
from drillbook.lint.compose import read_compose
from drillbook.parser import parse_runbook
from drillbook.scaffold.manifests import read_manifests
from drillbook.scaffold.project import Files, carried_along
from drillbook.scaffold.written import (
    chaos_of,
    checks_of,
    in_front,
    kube_replica_of,
    replica_of,
    slug_of_file,
    target_of,
)

__all__ = ["Scaffold", "init"]

_CONFTEST = '''"""testinfra's ``host`` looks through drillbook's sessions."""

from drillbook.plugin.host import host

__all__ = ["host"]
'''
_PYTEST = "[pytest]\naddopts = --import-mode=importlib\ntestpaths = checks chaos\n"
_SETTINGS = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


@dataclass(slots=True)
class Scaffold:
    """What ``init`` did.

    Attributes:
        slug: Of the runbook.
        written: Files that are new, relative to the project.
        kept: Files that were there and were left as they are.
        notes: What is left to the user, a sentence each.
    """

    slug: str
    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def init(root: Path, runbook: Path, compose: Path | None = None, manifests: Path | None = None) -> Scaffold:
    """Write the scaffold of a runbook; what is there already is never touched.

    Args:
        root: The project's folder.
        runbook: The document; copied to ``runbooks/`` unless it lies there.
        compose: The system's compose file.
        manifests: Its Kubernetes manifests, a file or a folder; without either there is no replica.

    Raises:
        RunbookError: The document cannot be read.
        UsageError: The compose file or the manifests are none, both are given, or a name cannot be used.
    """
    if compose and manifests:
        raise UsageError("--manifests", "expected --compose or --manifests, got both: a runbook has one replica")
    slug = slug_of_file(runbook)
    done = Scaffold(slug)
    runbook = _document(root, runbook, slug, done.notes)
    document = parse_runbook(runbook)
    names = read_compose(compose) if compose else None
    files: Files = {
        Path("runbooks") / f"{slug}.md": runbook.read_bytes(),
        Path("conftest.py"): _CONFTEST,
        Path("checks") / f"test_{slug.replace('-', '_')}.py": checks_of(document, slug),
        Path("targets") / f"{slug}.toml": target_of(document, slug),
        Path("reports/.gitignore"): "*\n!.gitignore\n",
    }
    if not any((root / name).is_file() for name in _SETTINGS):
        files[Path("pytest.ini")] = _PYTEST
    elif not (root / "pytest.ini").is_file():
        done.notes.append("your pytest settings need `addopts = --import-mode=importlib`")
    folder, table = Path("fixtures") / slug, Path("chaos") / f"test_{slug.replace('-', '_')}.py"
    if compose and names:
        carried = carried_along(compose, folder / "project")
        files |= carried.files
        done.notes += carried.notes
        services = carried.services
        files[folder / "replica.py"] = replica_of(document, slug, compose, services, root)
        files[table] = chaos_of(slug, [service.name for service in in_front(services)])
    elif manifests:
        read = read_manifests(manifests, folder / "project" / "manifests")
        files |= read.files
        done.notes += read.notes
        files[folder / "replica.py"] = kube_replica_of(slug, read)
        files[table] = chaos_of(slug, [*read.workloads], of_pods=True)
    else:
        without = "without --compose FILE or --manifests PLACE there is no replica and there are no drills"
        done.notes.append(f"{without}; run init again with it")
    _write(root, files, done)
    return done


def _document(root: Path, runbook: Path, slug: str, notes: list[str]) -> Path:
    """Return the file to go by: the one in ``runbooks/`` where there is one, else the one that is given."""
    place = root / "runbooks" / f"{slug}.md"
    if runbook.resolve().parent == place.resolve().parent and runbook.stem != slug:
        problem = f"expected a name that is its own slug in runbooks/, got {runbook.stem!r}"
        raise UsageError(str(runbook), problem, hint=f"call it {slug}.md")
    if not place.is_file():
        return runbook
    if runbook.is_file() and place.read_bytes() != runbook.read_bytes():
        notes.append(f"runbooks/{slug}.md says something else than {runbook}; what is new was written for the former")
    return place


def _write(root: Path, files: Files, done: Scaffold) -> None:
    for name, content in files.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(str(path.parent), f"expected a folder, got none: {error.strerror}") from error
        try:
            with path.open("xb") as file:  # never over something that is there
                file.write(content if isinstance(content, bytes) else content.encode("utf-8"))
            done.written.append(name)
        except FileExistsError:
            done.kept.append(name)
        except OSError as error:
            raise UsageError(str(path), f"cannot be written: {error.strerror}") from error
