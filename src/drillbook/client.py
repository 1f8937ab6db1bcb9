"""A client that keeps calling the service during a drill, and what its record says about the impact."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from drillbook.clock import Clock
from drillbook.replica import Reply
from drillbook.site import Slo

__all__ = ["Call", "Client", "Impact", "failed_again", "impact"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the client.

    Attributes:
        at_s: When it was sent, monotonic seconds.
        took_s: Until its answer or its failure.
        ok: True where the answer was right, not only there.
        key: Name of the piece of work that it handed in.
        accepted: Content of that piece where the system acknowledged it, else None.
    """

    at_s: float
    took_s: float
    ok: bool
    key: str = ""
    accepted: str | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What users would have felt.

    Attributes:
        requests: Sent between the fault and the restoration.
        failed: Of these, without a right answer.
        failed_ratio: 0 to 1; 0 where nothing was sent.
        down_s: Seconds from the first failed request to the first right one that no failure followed.
        budget_ratio: Share of the error budget that the outage would use up in production: its seconds, compressed
            waits added, times ``failed_ratio``, over the seconds that the SLO's window allows to be bad.
    """

    requests: int
    failed: int
    failed_ratio: float
    down_s: float
    budget_ratio: float


def impact(calls: Sequence[Call], begin_s: float, end_s: float, slo: Slo, *, compressed_s: float = 0.0) -> Impact:
    """Compute the impact of an outage from the client's record; pure.

    Args:
        calls: In order of sending.
        begin_s: Monotonic seconds of the fault's confirmed effect.
        end_s: Monotonic seconds of the restoration.
        slo: What is promised to users.
        compressed_s: Seconds that the outage would have lasted longer in production, where waits are not compressed.
    """
    during = [call for call in calls if begin_s <= call.at_s <= end_s]
    failed = [call for call in during if not call.ok]
    good_again = [call.at_s for call in calls if failed and call.ok and call.at_s > failed[-1].at_s]
    failed_ratio = len(failed) / len(during) if during else 0.0
    down_s = max(0.0, (good_again[0] if good_again else end_s) - failed[0].at_s) if failed else 0.0
    bad_s = (down_s + compressed_s) * failed_ratio if failed else 0.0
    allowed_s = (1.0 - slo.availability_ratio) * slo.window_s
    return Impact(
        requests=len(during),
        failed=len(failed),
        failed_ratio=failed_ratio,
        down_s=down_s,
        budget_ratio=bad_s / allowed_s if allowed_s else 0.0,
    )


def failed_again(calls: Sequence[Call], begin_s: float) -> int:
    """Return how many requests sent since a moment failed right after another one that failed.

    One alone may be chance on a busy machine; two in a row are an outage, however short.
    """
    since = [call for call in calls if call.at_s >= begin_s]
    return sum(not (one.ok or other.ok) for one, other in pairwise(since))


class Client:
    """Calls the service at a steady pace from a thread of its own and keeps what came back.

    Each request hands in a piece of work of its own, ``work-00001`` and so on, where the service takes any.

    Args:
        ask: Makes the request that hands in the named piece; it never raises for a service that is down.
        clock: Where time comes from.
        every_s: Seconds between the beginnings of two requests.
    """

    def __init__(self, ask: Callable[[str], Reply], clock: Clock, every_s: float = 0.1) -> None:
        self._ask = ask
        self._numbers = itertools.count(1)
        self._clock = clock
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_calling, name="client", daemon=True)
        self.calls: list[Call] = []
        """Those of the thread, in order: what a customer feels who keeps calling."""
        self.asides: list[Call] = []
        """Those of ``ask``."""
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def ask(self) -> bool:
        """Make one request now, beside those of the thread, and return whether it was served."""
        self.asides.append(call := self._call())
        return call.ok

    def stop(self) -> None:
        """Stop calling and wait for the last answer; harmless when repeated. Raises what ended the thread early."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.error:
            raise self.error

    def _call(self) -> Call:
        at_s = self._clock.monotonic_s()
        key = f"work-{next(self._numbers):05d}"
        reply = self._ask(key)
        return Call(at_s, self._clock.monotonic_s() - at_s, reply.served, key, reply.accepted)

    def _keep_calling(self) -> None:
        try:
            while not self._over.is_set():
                self.calls.append(call := self._call())
                # On a slow machine it must not keep a processor busy that the service needs.
                self._over.wait(max(self._every_s - call.took_s, min(call.took_s, 1.0)))
        except BaseException as error:  # raised again in stop(), where somebody sees it
            self.error = error
