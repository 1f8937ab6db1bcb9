"""What the functions that stand in for a person's hands share."""

import shlex

from drillbook.replica import Replica

__all__ = ["edit", "on_host"]


def on_host(replica: Replica, command: str) -> str:
    """Return what a command prints on the replica's host.

    Raises:
        LookupError: It fails; that is nothing that a person could go on with.
    """
    done = replica.host("machine").run(command)
    if done.exit_status:
        began = command.splitlines()[0][:80]
        raise LookupError(f"`{began}` ended with exit status {done.exit_status}: {done.err[-200:]}")
    return done.out


def edit(replica: Replica, file: str, old: str, new: str) -> None:
    """Replace the first place where a file on the replica's host has a text.

    Raises:
        LookupError: The file cannot be read or written.
    """
    text = on_host(replica, f"cat {file}").replace(old, new, 1)
    on_host(replica, f"printf '%s' {shlex.quote(text)} >{file}")
