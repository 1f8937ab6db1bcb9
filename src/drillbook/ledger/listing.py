"""The ledger as a table for people."""

from drillbook.ledger.account import Account, Entry, State
from drillbook.listing import shorten

__all__ = ["table_of"]


def table_of(account: Account) -> str:
    """Return a line a row, then what is outdated and what is red, then the sum."""
    rows = [f"{account.slug}", ""]
    rows += [_line(entry) for entry in account.entries]
    outdated = account.outdated
    if outdated:
        rows += ["", "outdated by an edit of the document; run these again:"]
        rows += [f"  {name}: {', '.join(ids)}" for name, ids in sorted(outdated.items())]
    if account.broken:
        rows += ["", f"drills that failed when they were last run: {', '.join(account.broken)}"]
    if account.failed:
        rows += ["", "red when it was last looked at:"]
        rows += [
            f"  {entry.row.id} ({proof.by}): {proof.why}"
            for entry in account.failed
            for proof in entry.proofs
            if proof.verdict != "PASSED"
        ]
    counts = ", ".join(f"{len(account.of(state))} {state}" for state in State if account.of(state))
    commands = sum(bool(entry.row.effect) for entry in account.entries)
    instructions = len(account.entries) - commands
    rows += ["", f"{commands} commands, {instructions} instructions: {counts or 'nothing'}"]
    rows.append(f"accounted for: {account.covered} of {len(account.entries)} ({account.covered_ratio:.0%})")
    return "\n".join(rows) + "\n"


def _line(entry: Entry) -> str:
    state = "outdated" if entry.outdated and entry.state is State.UNCOVERED else entry.state.value
    by = entry.proofs[0].by if entry.proofs else ""
    more = f" (and {len(entry.proofs) - 1} more)" if len(entry.proofs) > 1 else ""
    about = "; ".join(part for part in (f"{by}{more}", entry.why) if part)
    mark = "$ " if entry.row.effect else ""
    return f"{entry.row.line:5}  {state:<12}  {mark}{shorten(entry.row.text, 78)}" + (f"  # {about}" if about else "")
