"""The console script ``drillbook``: what is done beside pytest."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drillbook import __version__
from drillbook.errors import DrillbookError, RunbookError

if TYPE_CHECKING:
    from drillbook.model import Runbook

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="drillbook")
def _drillbook() -> None:
    """Prove incident runbooks. Drills, verification and diagnosis run under pytest: see `pytest --help`."""


@_drillbook.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def doctor(as_json: bool) -> None:
    """Say what is missing on this machine and how to get it; exit status 1 where something needed is."""
    from drillbook.doctor import State, ThisMachine, examine

    needs = examine(ThisMachine())
    if as_json:
        click.echo(json.dumps([asdict(need) for need in needs], indent=2))
    else:
        width = max(len(need.name) for need in needs)
        for need in needs:
            click.echo(f"{need.state:<8}  {need.name:<{width}}  {need.found}")
            if need.how:
                click.echo(f"{'':<8}  {'':<{width}}  -> {need.how}")
    if any(need.state is State.MISSING for need in needs):
        raise SystemExit(1)


@_drillbook.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, on one line.")
def steps(files: Sequence[Path], as_json: bool) -> None:
    """List the steps and commands of runbooks with their ids, as `covers(...)` takes them."""
    from drillbook.listing import json_of, table_of

    failed = False
    for file, runbook in _read(files):
        failed = failed or isinstance(runbook, RunbookError)
        if as_json:
            click.echo(json.dumps(json_of(file, runbook), ensure_ascii=False))
        elif not isinstance(runbook, RunbookError):
            click.echo(table_of(runbook))
    if failed:
        raise SystemExit(2)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _read(files: Sequence[Path]) -> Iterator[tuple[Path, "Runbook | RunbookError"]]:
    """Yield every file with what it holds; one that cannot be read is told at once."""
    from drillbook.parser import parse_runbook

    for file in files:
        try:
            yield file, parse_runbook(file)
        except RunbookError as error:
            click.echo(f"drillbook: {error}", err=True)
            yield file, error


@_drillbook.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--compose", type=click.Path(path_type=Path), help="The runbook's compose file: its names are looked up.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, on one line.")
def lint(files: Sequence[Path], compose: Path | None, as_json: bool) -> None:
    """Find what is rotten in runbooks; exit status 1 where something is."""
    from drillbook.lint import lint as look
    from drillbook.lint.compose import read_compose

    names = read_compose(compose) if compose else None
    total = failed = 0
    for file, runbook in _read(files):
        if isinstance(runbook, RunbookError):
            failed += 1
            continue
        found = look(runbook, names)
        total += len(found)
        if as_json:
            click.echo(json.dumps({"path": str(file), "findings": [asdict(one) for one in found]}, ensure_ascii=False))
        for one in () if as_json else found:
            click.echo(f"{file}:{one.line}: {one.rule} {one.text}\n    mend: {one.mend}")
    if not as_json and len(files) > failed:
        looked_at = _count(len(files) - failed, "runbook")
        click.echo(f"{_count(total, 'finding')} in {looked_at}" if total else f"nothing found in {looked_at}")
    if total or failed:
        raise SystemExit(2 if failed else 1)


@_drillbook.command()
@click.argument("slug", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a runbook, on one line.")
@click.option("--write", is_flag=True, help="Write runbooks/SLUG.lock.json from what passed.")
@click.option("--strict", is_flag=True, help="Fail where an edit has outdated a check or a drill, or one is red.")
@click.option(
    "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Fail where less is accounted for."
)
def ledger(slug: str | None, as_json: bool, write: bool, strict: bool, fail_under: float | None) -> None:
    """Account for every command and instruction of the runbooks in ./runbooks, or of one of them."""
    from drillbook.bookkeeping import Books, runbooks_of
    from drillbook.ledger.listing import table_of

    if fail_under is not None and fail_under != fail_under:
        raise click.BadParameter("expected a number from 0 to 100, got nan", param_hint="--fail-under")
    root = Path.cwd()
    failed = False
    runbooks = runbooks_of(root, slug)
    books = Books(root, runbooks)
    for runbook in runbooks:
        if write:
            path, number = books.write_lock(runbook)
            click.echo(f"{path.relative_to(root)}: {_count(number, 'proof')}", err=as_json)
        account = books.account(runbook)
        click.echo(json.dumps(account.to_json(), ensure_ascii=False) if as_json else table_of(account))
        failed = failed or (strict and bool(account.outdated or account.failed or account.broken))
        failed = failed or (fail_under is not None and account.covered_ratio * 100 < fail_under)
    if failed:
        raise SystemExit(1)


@_drillbook.command()
@click.argument("runbook", type=click.Path(path_type=Path))
@click.option(
    "--compose", type=click.Path(path_type=Path), help="The system's compose file: a replica is made from it."
)
@click.option(
    "--manifests",
    type=click.Path(path_type=Path),
    help="Its Kubernetes manifests, a file or a folder: a replica is made from them.",
)
def init(runbook: Path, compose: Path | None, manifests: Path | None) -> None:
    """Write checks, drills, replica and target file for a runbook into this folder; nothing is ever overwritten."""
    from drillbook.scaffold import init as write

    done = write(Path.cwd(), runbook, compose, manifests)
    for path in done.written:
        click.echo(f"new   {path}")
    for path in done.kept:
        click.echo(f"kept  {path}")
    for note in done.notes:
        click.echo(f"note: {note}")
    click.echo(f"next: pytest -m verify --target {done.slug}")
    if compose or manifests:
        click.echo("      pytest -m chaos")


@_drillbook.command()
@click.argument("run", type=click.Path(path_type=Path))
def render(run: Path) -> None:
    """Write the report of a run (a folder in reports/) again, also of one that was killed."""
    from drillbook.report import render_run

    render_run(run)
    click.echo(run / "report.html")


@_drillbook.command()
@click.option("--cluster", metavar="context:NAME", help="Look there, instead of on this machine.")
def reap(cluster: str | None) -> None:
    """Remove what killed runs left behind; what a living run owns stays."""
    from drillbook.replica.cluster.tenancy import reap_cluster
    from drillbook.replica.cluster.user import UserCluster, context_of
    from drillbook.replica.reaper import reap

    removed = reap() if cluster is None else reap_cluster(UserCluster(context_of(cluster)))
    for left in removed:
        click.echo(f"removed {left}")
    click.echo(f"{len(removed)} left-overs removed" if removed else "nothing is left over")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the console script.

    Args:
        arguments: Words after the program's name; None takes them from the command line.

    Raises:
        SystemExit: Always; 0 done, 1 something needed is missing, 2 an error, told in one message.
    """
    command: Callable[..., Any] = _drillbook
    try:
        command(args=None if arguments is None else list(arguments), prog_name="drillbook")
    except DrillbookError as error:
        click.echo(f"drillbook: {error}", err=True)
        raise SystemExit(2) from error
