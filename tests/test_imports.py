"""Imports run one way, stay lazy, and `__all__` is true."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import drillbook

ROOT = Path(drillbook.__file__).parent
PACKAGES = {"target", "replica", "faults", "report", "plugin"}

# A part may import its own layer (without a circle) and those above it.
LAYERS = (
    {"__init__", "errors", "units", "clock", "signals"},
    {"outcome", "alerts", "redact", "shell", "statements", "commands", "yamlfile"},
    {"model"},
    {
        "parser",
        "annotations",
        "clients",
        "outline",
        "prose",
        "wording",
        "expectations",
        "languages",
        "listing",
        "target",
        "timeline",
        "effects",
        "blocks",
        "phases",
        "placeholders",
        "rewrite",
        "guard",
        "guard_programs",
        "guard_sql",
    },
    {"evidence", "site", "lint", "ledger"},
    {"found"},
    {"replica", "client", "work", "operator", "budget", "judge"},
    {"faults", "recovery", "course"},
    {"aftermath", "case", "custody"},
    {"verification"},
    {"drill"},
    {"verdict"},
    {"report"},
    {"plugin", "bookkeeping", "scaffold"},
    {"cli", "doctor", "__main__"},
)
ENGINES = {"docker", "testcontainers", "testinfra"}

MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the module, or the package that it is in, directly under drillbook."""
    return [*module.split("."), "__init__"][1]


def layer_of(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise LookupError(f"drillbook.{part} is in no layer; put it where it belongs in {Path(__file__).name}")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from ((inner, alias.name) for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            assert inner.level == 0, "imports are absolute"
            submodules = [f"{inner.module}.{alias.name}" for alias in inner.names]
            known = {name_of(path) for path in MODULES}
            yield from ((inner, name if name in known else str(inner.module)) for name in submodules)


def own(path: Path) -> set[str]:
    return {name for _, name in imports(tree(path)) if name.split(".")[0] == "drillbook"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    mine = layer_of(part_of(name_of(path)))
    below = {name for name in own(path) if layer_of(part_of(name)) > mine}
    assert not below, f"{name_of(path)} imports {sorted(below)}, which may import it"


def test_no_module_imports_itself_through_others() -> None:
    graph = {name_of(path): own(path) - {name_of(path)} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_target_and_replica_know_docker(path: Path) -> None:
    used = {name for statement, name in imports(tree(path)) if not is_for_types(tree(path), statement)}
    if part_of(name_of(path)) not in {"target", "replica"}:
        assert not {name for name in used if name.split(".")[0] in ENGINES}


def test_a_module_that_loads_docker_is_itself_loaded_inside_functions_only() -> None:
    eager = {
        name_of(path): {name for node, name in imports(tree(path)) if is_eager(tree(path), node)} for path in MODULES
    }
    load_docker = {module for module, names in eager.items() if ENGINES & {name.split(".")[0] for name in names}}
    assert not {module: names & load_docker for module, names in eager.items() if names & load_docker}


def is_eager(module: ast.Module, statement: ast.stmt) -> bool:
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return not is_for_types(module, statement) and not any(statement in ast.walk(node) for node in functions)


def is_for_types(module: ast.Module, statement: ast.stmt) -> bool:
    guards = [node for node in module.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return any(statement in ast.walk(node) for node in guards)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_plugin_imports_pytest(path: Path) -> None:
    used = {name.split(".")[0] for _, name in imports(tree(path))}
    if part_of(name_of(path)) != "plugin":
        assert not used & {"pytest", "_pytest", "pytest_html"}


@pytest.mark.parametrize("module", ["drillbook.plugin", "drillbook.cli"])
def test_pytest_help_and_the_console_script_do_not_load_docker(module: str) -> None:
    code = f"import sys, {module}; print(sorted({ENGINES!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem != "__main__"], ids=name_of)
def test_all_names_what_is_there(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    assert len(module.__all__) == len(set(module.__all__))
    assert not [name for name in module.__all__ if not hasattr(module, name)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_others_import_stands_in_all(path: Path) -> None:
    hidden = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "drillbook":
            taken = {alias.name for alias in node.names if f"{node.module}.{alias.name}" not in map(name_of, MODULES)}
            hidden += sorted(taken - set(importlib.import_module(str(node.module)).__all__))
    assert not hidden


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))
