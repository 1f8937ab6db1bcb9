"""Somebody's YAML file, read with one clear error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from drillbook.errors import UsageError

__all__ = ["read_yaml"]


def read_yaml(path: Path, wanted: str, *, load: Callable[[str], Any] = yaml.safe_load, hint: str = "") -> Any:
    """Return what a file holds.

    Args:
        path: The file.
        wanted: What it should be, for errors: ``a compose file``.
        load: Of ``yaml``; it takes the text.
        hint: What to do where it is no YAML.

    Raises:
        UsageError: It cannot be read, or is no YAML.
    """
    try:
        return load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"expected {wanted}, got an error: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(where, f"expected YAML, got {problem}", hint=hint) from error
