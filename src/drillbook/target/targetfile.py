"""The file that says what a real system is: hosts, URLs, values for placeholders, objectives."""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from drillbook.errors import UsageError
from drillbook.target import Target
from drillbook.target.connect import connect_first, way_to
from drillbook.target.session import Guard
from drillbook.target.settings import setting
from drillbook.units import parse_duration

__all__ = ["HostEntry", "TargetFile", "default_target", "find_target", "load_target"]

_KEYS = ("runbook", "hosts", "urls", "variables", "slo", "functional", "reads")
_HOST_KEYS = ("connect", "become")
_SLO_KEYS = ("availability", "window")
_SLO_DEFAULT = (0.999, 30 * 86400.0)
_FOLDER = "targets"
_OPTION = "--target"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class HostEntry:
    """How the host of one role is reached.

    Attributes:
        connect: URIs, tried in this order.
        become: Run everything as root there.
    """

    connect: tuple[str, ...]
    become: bool = False


@dataclass(frozen=True, slots=True)
class TargetFile:
    """A real system as its file describes it.

    Attributes:
        path: The file.
        runbook: Slug of the runbook; checks of others are deselected.
        hosts: By role; the runbook's commands run on ``operator``.
        urls: By name.
        variables: Values for placeholders.
        availability_ratio: Share of requests that must succeed, between 0 and 1; `[slo]` has it.
        window_s: Seconds over which that share counts.
        functional: Ids of checks that write and may run here.
        reads: Ids of commands that are vouched for to only read.
    """

    path: Path
    runbook: str
    hosts: Mapping[str, HostEntry] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    availability_ratio: float = 0.999
    window_s: float = 30 * 86400.0
    functional: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without ``.toml``."""
        return self.path.stem

    def open(self, role: str, *, guard: Guard | None = None, stateful: bool = False) -> Target:
        """Open a session to the host of a role.

        Args:
            role: As in ``[hosts.ROLE]``.
            guard: Returns why a command is refused, or None.
            stateful: Carry directory, variables and functions from one command to the next, as in one terminal.

        Raises:
            UsageError: The file has no such role.
            TargetUnreachable: None of its URIs answers.
        """
        if role not in self.hosts:
            roles = f"it has {', '.join(self.hosts)}" if self.hosts else f'write [hosts.{role}] and connect = ["URI"]'
            raise UsageError(str(self.path), f"expected a host with the role {role!r}, got none", hint=roles)
        entry = self.hosts[role]
        return connect_first(entry.connect, become=entry.become, guard=guard, role=role, stateful=stateful)


def load_target(path: Path) -> TargetFile:
    """Read a target file.

    Raises:
        UsageError: It cannot be read or holds what it must not hold; all problems at once, each with its line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise UsageError(str(path), f"the target file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}", "expected UTF-8, got other bytes") from error
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise UsageError(f"{path}:{at[1]}" if at else str(path), f"expected TOML: {error}") from error
    reader = _Reader(path, text)
    target = reader.target(content)
    reader.complain()
    return target


class _Reader:
    """Takes a file apart and collects what is wrong with it."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = _lines_of_keys(text)
        self._problems: list[tuple[int, str, str]] = []

    def target(self, content: Mapping[str, Any]) -> TargetFile:
        self._refuse_unknown(content, (), _KEYS)
        if "runbook" not in content:
            self._add((), 'expected runbook = "SLUG", got none', "SLUG is the runbook's file name without .md")
        hosts = self._table(content, "hosts", self._host)
        availability_ratio, window_s = self._slo(content["slo"]) if "slo" in content else _SLO_DEFAULT
        return TargetFile(
            path=self._path,
            runbook=self._text(content.get("runbook", ""), ("runbook",), empty="runbook" not in content),
            hosts=hosts,
            urls=self._table(content, "urls", self._url),
            variables=self._table(content, "variables", self._variable),
            availability_ratio=availability_ratio,
            window_s=window_s,
            functional=self._texts(content.get("functional", []), ("functional",)),
            reads=self._texts(content.get("reads", []), ("reads",)),
        )

    def complain(self) -> None:
        if not self._problems:
            return
        problems = sorted(self._problems)
        line, problem, hint = problems[0]
        if len(problems) == 1:
            raise UsageError(f"{self._path}:{line}" if line else str(self._path), problem, hint=hint)
        told = [
            f"{self._path}:{line or 1}: {problem}" + (f" ({hint})" if hint else "") for line, problem, hint in problems
        ]
        raise UsageError(str(self._path), f"{len(told)} problems", evidence=told)

    def _add(self, keys: Sequence[str], problem: str, hint: str = "") -> None:
        line = 0
        for length in range(len(keys), 0, -1):
            if line := self._lines.get(tuple(keys[:length]), 0):
                break
        self._problems.append((line, problem, hint))

    def _refuse_unknown(self, table: Mapping[str, Any], keys: tuple[str, ...], valid: Sequence[str]) -> None:
        for key in table:
            if key in valid:
                continue
            inside = f" in [{'.'.join(keys)}]" if keys else ""
            near = difflib.get_close_matches(key, valid, 1)
            hint = f"did you mean {near[0]}?" if near else ""
            self._add((*keys, key), f"expected one of {', '.join(valid)}{inside}, got the unknown key {key!r}", hint)

    def _table(
        self, content: Mapping[str, Any], name: str, read: Callable[[Any, tuple[str, ...]], _T]
    ) -> Mapping[str, _T]:
        table = content.get(name, {})
        if not isinstance(table, dict):
            self._add((name,), f"expected a table [{name}], got {table!r}")
            return MappingProxyType({})
        return MappingProxyType({key: read(value, (name, key)) for key, value in table.items()})

    def _host(self, value: Any, keys: tuple[str, ...]) -> HostEntry:
        role = ".".join(keys)
        if not isinstance(value, dict):
            self._add(keys, f"expected a table [{role}], got {value!r}", 'write [hosts.ROLE] and connect = ["URI"]')
            return HostEntry(())
        self._refuse_unknown(value, keys, _HOST_KEYS)
        become = value.get("become", False)
        if not isinstance(become, bool):
            self._add((*keys, "become"), f"expected become = true or false, got {become!r}")
        if not value.get("connect"):
            self._add((*keys, "connect"), f'expected connect = ["URI", ...] in [{role}], got none')
        uris = self._texts(value.get("connect", []), (*keys, "connect"))
        for uri in uris:
            try:
                way_to(uri)
            except UsageError as error:
                self._add((*keys, "connect"), error.problem, error.hint)
        return HostEntry(uris, become is True)

    def _url(self, value: Any, keys: tuple[str, ...]) -> str:
        if not isinstance(value, str) or not re.match(r"https?://[^/]", value):
            self._add(keys, f"expected a URL with http:// or https://, got {value!r}")
        return str(value)

    def _variable(self, value: Any, keys: tuple[str, ...]) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._add(keys, f"expected a text or a number, got {value!r}")
        return str(value)

    def _slo(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, dict):
            self._add(("slo",), f"expected a table [slo], got {value!r}")
            return _SLO_DEFAULT
        self._refuse_unknown(value, ("slo",), _SLO_KEYS)
        missing = [key for key in _SLO_KEYS if key not in value]
        if missing:
            hint = 'write availability = 0.999 and window = "30d"'
            self._add(("slo",), f"expected availability and window in [slo], got no {' and no '.join(missing)}", hint)
            return _SLO_DEFAULT
        ratio, window_s = value["availability"], 0.0
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
            hint = f"write {ratio / 100:.6g}" if isinstance(ratio, int | float) and 1 < ratio < 100 else "write 0.999"
            self._add(("slo", "availability"), f"expected a ratio between 0 and 1, got {ratio!r}", hint)
            ratio = 0.0
        try:
            window_s = parse_duration(str(value["window"]))
        except UsageError as error:
            self._add(("slo", "window"), error.problem, error.hint)
        return float(ratio), window_s

    def _text(self, value: Any, keys: tuple[str, ...], *, empty: bool = False) -> str:
        if not isinstance(value, str) or not (value or empty):
            self._add(keys, f"expected a text for {keys[-1]}, got {value!r}")
        return str(value)

    def _texts(self, value: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._add(keys, f"expected a list for {keys[-1]}, got {value!r}", f'write {keys[-1]} = ["..."]')
            return ()
        return tuple(self._text(item, keys) for item in value)


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each table and key, as far as one regular expression a line can tell."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\[\]]+)\]+\s*(?:#.*)?$", line):
            table = _key_parts(header[1])
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], number)
        elif pair := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            lines.setdefault((*table, *_key_parts(pair[1])), number)
    return lines


def _key_parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted))


def find_target(name: str, project_dir: Path) -> TargetFile:
    """Read the target file that a name or a path means.

    Args:
        name: A path (with a slash or ``.toml``), or the name of a file in the project's ``targets/``.
        project_dir: Where ``targets/`` is.

    Raises:
        UsageError: There is none (the hint lists those there are), or it holds what it must not hold.
    """
    places = [project_dir / _FOLDER / f"{name}.toml"]
    if "/" in name or name.endswith(".toml"):
        places = [Path(name), project_dir / name, project_dir / _FOLDER / name]
    for place in places:
        if place.is_file():
            return load_target(place)
    raise UsageError(_OPTION, f"expected a target's name or file, got {name!r}", hint=_there_are(project_dir))


def default_target(project_dir: Path) -> TargetFile:
    """Read the project's default target (``default_target`` in ``[tool.drillbook]``), or its only one.

    Raises:
        UsageError: There is none, or there are more and none is the default; the hint lists them.
    """
    pyproject = project_dir / "pyproject.toml"
    name = setting(project_dir, "default_target")
    if name is not None:
        if not isinstance(name, str):
            raise UsageError(str(pyproject), f"expected a name for tool.drillbook.default_target, got {name!r}")
        try:
            return find_target(name, project_dir)
        except UsageError as error:
            if error.where != _OPTION:
                raise
            where = f"{pyproject}: tool.drillbook.default_target"
            raise UsageError(where, error.problem, hint=error.hint) from error
    names = _names(project_dir)
    if len(names) == 1:
        return find_target(names[0], project_dir)
    got = f"{len(names)} targets and no default" if names else "no target"
    raise UsageError(
        _OPTION, f"expected --target FILE|NAME, got none, and there is {got}", hint=_there_are(project_dir)
    )


def _names(project_dir: Path) -> list[str]:
    return sorted(path.stem for path in (project_dir / _FOLDER).glob("*.toml"))


def _there_are(project_dir: Path) -> str:
    names = _names(project_dir)
    folder = project_dir / _FOLDER
    return f"{folder} has {', '.join(names)}" if names else f"{folder} has no target file yet; write {folder}/NAME.toml"
