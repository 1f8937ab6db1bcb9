"""The ledger: every command and every instruction of a runbook, and what is known of it.

Drilled means that exit status and output were judged: on a replica that was well (before the fault, and after the
recovery), or in the recovery that healed it. That a command ran while everything was broken proves nothing of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.ledger.account import Account, Entry, State, account
from drillbook.ledger.lock import lock_path, read_lock, write_lock
from drillbook.ledger.proofs import Kind, Proof, documents_of, proofs_of
from drillbook.ledger.rows import Row, rows_of

__all__ = [
    "Account",
    "Entry",
    "Kind",
    "Proof",
    "Row",
    "State",
    "account",
    "account_of_record",
    "lock_path",
    "proofs_of",
    "read_lock",
    "rows_of",
    "write_lock",
]


def account_of_record(events: Sequence[Mapping[str, Any]]) -> list[Account]:
    """Account for the documents that a run's record is about, with that record alone."""
    return [account(slug, rows, proofs_of(events, slug)) for slug, rows in documents_of(events).items()]
