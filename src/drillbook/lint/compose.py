"""What a compose file defines, as far as a runbook can name it."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from drillbook.errors import UsageError

__all__ = ["Compose", "read_compose"]


@dataclass(frozen=True, slots=True)
class Compose:
    """Names that a compose file defines.

    Attributes:
        services: Of the services.
        containers: Those that it gives to containers (``container_name``).
    """

    services: frozenset[str]
    containers: frozenset[str]


def read_compose(path: Path) -> Compose:
    """Read a compose file.

    Raises:
        UsageError: It cannot be read, is no YAML, or defines no services.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"expected a compose file, got an error: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(where, f"expected YAML, got {problem}") from error
    services = loaded.get("services") if isinstance(loaded, dict) else None
    if not isinstance(services, dict) or not services:
        raise UsageError(str(path), "expected a mapping `services`, got none", hint="give the file that Compose reads")
    named = (settings.get("container_name") for settings in services.values() if isinstance(settings, dict))
    return Compose(frozenset(map(str, services)), frozenset(str(name) for name in named if name))
