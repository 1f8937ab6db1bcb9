"""The ledger of a project: its documents, their lock files, and the runs in ``reports/``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.errors import UsageError
from drillbook.ledger import Account, Proof, account, lock_path, proofs_of, read_lock, rows_of, write_lock
from drillbook.model import Runbook
from drillbook.parser import parse_runbook
from drillbook.report import read_run

__all__ = ["Books", "runbooks_of"]


def runbooks_of(root: Path, slug: str | None = None) -> list[Runbook]:
    """Return the documents of a project, or the one with this slug.

    Raises:
        UsageError: There is none.
        RunbookError: One of them cannot be read.
    """
    paths = sorted((root / "runbooks").glob("*.md"))
    there = ", ".join(path.stem for path in paths) or "none"
    wanted = [path for path in paths if slug in (None, path.stem)]
    if not wanted:
        expected = f"a runbook named {slug!r}" if slug else "a runbook"
        raise UsageError(str(root / "runbooks"), f"expected {expected}, got {there}", hint="drillbook init RUNBOOK.md")
    return [parse_runbook(path) for path in wanted]


class Books:
    """What is known of a project's documents; the records of its runs are read once.

    Args:
        root: Of the project.
        runbooks: The documents that are asked about.

    Raises:
        EvidenceError: A record cannot be read.
    """

    def __init__(self, root: Path, runbooks: Sequence[Runbook]) -> None:
        self._proved: dict[str, list[Proof]] = {runbook.slug: [] for runbook in runbooks}
        for folder in _runs(root / "reports"):
            events = read_run(folder)
            for slug, proofs in self._proved.items():
                proofs += proofs_of(events, slug)

    def account(self, runbook: Runbook) -> Account:
        """Account for a document with its lock file and with the runs in ``reports/``.

        Raises:
            EvidenceError: The lock file is broken.
        """
        return account(runbook.slug, rows_of(runbook), self._known(runbook))

    def write_lock(self, runbook: Runbook) -> tuple[Path, int]:
        """Write the lock file of a document from what is known of it; return its path and how many proofs it holds.

        Raises:
            EvidenceError: The lock file is broken, or cannot be written.
        """
        path = lock_path(runbook.path)
        return path, write_lock(path, rows_of(runbook), self._known(runbook))

    def _known(self, runbook: Runbook) -> list[Proof]:
        return [*read_lock(lock_path(runbook.path)), *self._proved[runbook.slug]]


def _runs(reports: Path) -> Iterator[Path]:
    """Yield the folders of runs, those of incidents included; the committed example is no run of this project."""
    folders = {record.parent for record in reports.glob("**/run*.jsonl")} - {reports, reports / "example"}
    yield from sorted(folders)
