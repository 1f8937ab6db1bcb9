"""What a project says of itself in ``[tool.drillbook]`` of its ``pyproject.toml``."""

import tomllib
from pathlib import Path
from typing import Any

from drillbook.errors import UsageError

__all__ = ["setting"]


def setting(project: Path, name: str) -> Any:
    """Return a setting; None where it is not there, or the file is not.

    Raises:
        UsageError: The file is no TOML.
    """
    pyproject = project / "pyproject.toml"
    if not pyproject.is_file():
        return None
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(str(pyproject), f"expected TOML: {error}") from error
    return content.get("tool", {}).get("drillbook", {}).get(name)
