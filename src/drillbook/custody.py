"""Follows accepted work through a drill: where it is after each change, and what of it is lost at the end."""

from drillbook.client import Client
from drillbook.clock import Clock, poll
from drillbook.course import Course
from drillbook.model import Command
from drillbook.replica import Replica
from drillbook.work import Look, Work, reconcile

__all__ = ["Custody"]

QUEUES_GIVE_BACK_WITHIN_S = 150.0
"""What a consumer held when its queue was cut off is given to another only after a while: Celery looks for it 10 s
after a worker's start and then every 100 s (kombu's ``maybe_restore_messages``), and a worker takes some seconds to
start."""

_TOLD_KEYS = 20


class Custody:
    """Looks into the stores of a replica and keeps what it saw; does nothing where the system keeps no work.

    Args:
        replica: Has the stores.
        client: Has the record of what was accepted.
        course: Of the drill; gets the account.
        clock: Where time comes from.
    """

    def __init__(self, replica: Replica, client: Client, course: Course, clock: Clock) -> None:
        self._replica = replica
        self._client = client
        self._course = course
        self._clock = clock
        self._looks: list[Look] = []

    def look(self, command: Command | None = None) -> None:
        """See where the work is now.

        Args:
            command: What has just changed something; None where nothing of the document has.
        """
        at_s = self._clock.monotonic_s()
        holdings = self._replica.work()
        if holdings is None:
            return
        self._looks.append(Look(at_s, holdings, command.id if command else ""))
        self._course.timeline.add(
            "work.look",
            after=command.id if command else None,
            done=len(holdings.done),
            waiting=len(holdings.waiting),
            unread=list(holdings.unread),
        )

    def settle(self, within_s: float) -> None:
        """Give what is queued time to be done, once the client has stopped, and record what became of everything.

        Args:
            within_s: Seconds; no fewer than ``QUEUES_GIVE_BACK_WITHIN_S`` where something still waits.
        """
        self.look()
        if not self._looks:
            return
        poll(self._has_settled, within_s=max(within_s, QUEUES_GIVE_BACK_WITHIN_S), clock=self._clock)
        work = self._account()
        self._course.facts.work = work
        self._course.timeline.add(
            "work",
            accepted=work.accepted,
            accepted_in_outage=self._accepted_in_outage(),
            done=work.done,
            waiting=len(work.waiting),
            duplicated=list(work.duplicated[:_TOLD_KEYS]),
            wrong=list(work.wrong[:_TOLD_KEYS]),
            unread=list(work.unread),
            unseen=len(work.unseen),
            lost=work.lost,
            losses=[
                {"count": len(loss.keys), "by": list(loss.by), "keys": list(loss.keys[:_TOLD_KEYS])}
                for loss in work.losses
            ],
        )

    def _has_settled(self) -> bool:
        """Say whether nothing was on its way in the last look; if something was, put a fresh one in its place."""
        if self._account().is_at_rest:
            return True
        holdings = self._replica.work()
        assert holdings is not None
        self._looks[-1] = Look(self._clock.monotonic_s(), holdings)
        return False

    def _account(self) -> Work:
        return reconcile([*self._client.calls, *self._client.asides], self._looks)

    def _accepted_in_outage(self) -> int:
        course = self._course
        origin_s = self._clock.monotonic_s() - course.timeline.now_s()
        end_s = course.timeline.now_s() if course.restored_s is None else course.restored_s
        since_s, until_s = origin_s + course.t0_s, origin_s + end_s
        return sum(call.accepted is not None and since_s <= call.at_s <= until_s for call in self._client.calls)
