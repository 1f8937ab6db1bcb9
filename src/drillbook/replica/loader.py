"""Finding a fixture's replica by the runbook's slug."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from drillbook.errors import DrillbookError, UsageError
from drillbook.replica import Replica
from drillbook.replica.kube_node import KubeReplica
from drillbook.target.settings import setting

__all__ = ["load_fixture", "load_replica", "registry_of"]


def load_replica(project: Path, slug: str, context: str | None = None) -> Replica:
    """Return a new replica as ``fixtures/<slug>/replica.py`` makes it; nothing is started.

    Args:
        project: Folder that holds ``fixtures/``.
        slug: The runbook's.
        context: Of the user's kubectl, where it is to live on a cluster of the user's.

    Raises:
        UsageError: The file is missing, cannot be loaded, or makes no replica, or not one for a cluster.
    """
    path = project / "fixtures" / slug / "replica.py"
    if not path.is_file():
        there = sorted(found.parent.name for found in project.glob("fixtures/*/replica.py"))
        raise UsageError(
            str(path),
            f"expected the file that makes the replica of {slug!r}, found none",
            hint=f"there are replicas of: {', '.join(there)}"
            if there
            else "drillbook init RUNBOOK.md writes a first one",
        )
    made = _made_by(path)
    if getattr(made, "slug", None) != slug or not callable(getattr(made, "snapshot", None)):
        got = f"{type(made).__name__} of slug {getattr(made, 'slug', None)!r}"
        raise UsageError(str(path), f"expected replica() to return a Replica of slug {slug!r}, got {got}")
    if context is not None:
        if not isinstance(made, KubeReplica):
            raise UsageError(
                str(path), f"--cluster needs a replica that is made of manifests, got {type(made).__name__}"
            )
        made.move_to(context, registry_of(project))
    return made


def registry_of(project: Path) -> str | None:
    """Return what brings images to a cluster of the user's (``registry`` in ``[tool.drillbook]``), or None.

    Raises:
        UsageError: It is no text, or the file no TOML.
    """
    found = setting(project, "registry")
    if found is not None and (
        not isinstance(found, str) or not re.fullmatch(r"[\w.-]+(:\d+)?(/[a-z0-9._/-]+)?", found)
    ):
        raise UsageError(
            str(project / "pyproject.toml"), f"expected HOST[:PORT][/PATH] for tool.drillbook.registry, got {found!r}"
        )
    return found


def load_fixture(path: Path) -> ModuleType:
    """Return a Python file below ``fixtures/`` as a module, for the fixture of another runbook of the same system.

    Raises:
        UsageError: It is missing or cannot be loaded.
    """
    name = f"drillbook_fixture_{path.parent.name}_{path.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look their module up
    try:
        spec.loader.exec_module(module)
    except DrillbookError:
        raise
    except Exception as error:
        # Whatever a user's file raises is the file's problem, told in one message.
        raise UsageError(str(path), f"it cannot be used: {type(error).__name__}: {error}") from error
    return module


def _made_by(path: Path) -> Replica:
    module = load_fixture(path)
    if not hasattr(module, "replica"):
        raise UsageError(str(path), "expected a function replica() in it, found none")
    try:
        made: Replica = module.replica()
    except DrillbookError:
        raise
    except Exception as error:
        raise UsageError(str(path), f"replica() failed: {type(error).__name__}: {error}") from error
    return made
