"""What a compose file defines, as far as a runbook can name it."""

from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import UsageError
from drillbook.yamlfile import read_yaml

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
    loaded = read_yaml(path, "a compose file")
    services = loaded.get("services") if isinstance(loaded, dict) else None
    if not isinstance(services, dict) or not services:
        raise UsageError(str(path), "expected a mapping `services`, got none", hint="give the file that Compose reads")
    named = (settings.get("container_name") for settings in services.values() if isinstance(settings, dict))
    return Compose(frozenset(map(str, services)), frozenset(str(name) for name in named if name))
