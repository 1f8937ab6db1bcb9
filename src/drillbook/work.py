"""What became of the work that a system accepted: a checker over the client's record, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from drillbook.client import Call
from drillbook.replica import Holdings

__all__ = ["Look", "Loss", "Work", "reconcile"]


@dataclass(frozen=True, slots=True)
class Look:
    """Where the work was at one moment.

    Attributes:
        at_s: When looking began, monotonic seconds.
        holdings: What was found.
        after: Id of the command that had just changed something; empty where none had.
    """

    at_s: float
    holdings: Holdings
    after: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Accepted pieces of work that are nowhere any more, and what can have lost them.

    Attributes:
        keys: Names of the pieces.
        by: Ids of the commands that ran between the last look that saw them and the first that did not; empty where no
            command ran in between: the fault lost them.
    """

    keys: tuple[str, ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Account of the accepted work.

    Attributes:
        accepted: Pieces that the system acknowledged.
        done: Of these, found at the end with the content that was handed in.
        waiting: Names of those that are still queued at the end.
        losses: Those that are nowhere, by what can have lost them.
        duplicated: Names of those that were done more than once.
        wrong: Names of those that were done with another content than was handed in.
        unread: Stores that could not be looked into at the end; while there is one, nothing counts as lost.
        unseen: Names of those that are in none of the stores that could be read, while others could not.
    """

    accepted: int
    done: int
    waiting: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    duplicated: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """How many pieces are lost."""
        return sum(len(loss.keys) for loss in self.losses)

    @property
    def is_at_rest(self) -> bool:
        """True where nothing is on its way any more: each accepted piece is done, or is nowhere."""
        return not (self.waiting or self.unseen)


def reconcile(calls: Sequence[Call], looks: Sequence[Look]) -> Work:
    """Hold what was accepted against what is there; pure.

    Args:
        calls: The client's record; a call without ``accepted`` handed in nothing that must be found.
        looks: In order of time; the last one is the end.

    Raises:
        ValueError: There is no look.
    """
    if not looks:
        raise ValueError("without a look at the stores nothing can be said of the work")
    end = looks[-1].holdings
    accepted = {call.key: call for call in calls if call.accepted is not None}
    missing = [key for key in accepted if key not in end.done and key not in end.waiting]
    found = [key for key in accepted if key in end.done]
    wrong = [key for key in found if set(end.done[key]) != {accepted[key].accepted}]
    return Work(
        accepted=len(accepted),
        done=len(found) - len(wrong),
        waiting=tuple(key for key in accepted if key in end.waiting and key not in end.done),
        losses=() if end.unread else _losses([accepted[key] for key in missing], looks),
        duplicated=tuple(key for key in found if len(end.done[key]) > 1),
        wrong=tuple(wrong),
        unread=end.unread,
        unseen=tuple(missing) if end.unread else (),
    )


def _losses(missing: Sequence[Call], looks: Sequence[Look]) -> tuple[Loss, ...]:
    by: dict[tuple[str, ...], list[str]] = {}
    for call in missing:
        by.setdefault(_suspects(call, looks), []).append(call.key)
    return tuple(Loss(tuple(keys), commands) for commands, keys in by.items())


def _suspects(call: Call, looks: Sequence[Look]) -> tuple[str, ...]:
    """Return the commands that ran after a piece was last seen and before a look at everything that missed it.

    When the system took the piece over is not known, only that it was between the request and its answer.
    """
    known = [number for number, look in enumerate(looks) if _holds(look.holdings, call.key)]
    began = known[-1] + 1 if known else 0
    after = [look for look in looks[began:] if look.at_s >= call.at_s]
    commands: list[str] = []
    for look in after:
        if look.after and look.after not in commands:
            commands.append(look.after)
        if not look.holdings.unread and look.at_s >= call.at_s + call.took_s:
            break
    return tuple(commands)


def _holds(holdings: Holdings, key: str) -> bool:
    return key in holdings.done or key in holdings.waiting
