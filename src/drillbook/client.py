"""A client that keeps calling the service during a drill, and what its record says about the impact."""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from drillbook.clock import Clock
from drillbook.replica import Reply
from drillbook.site import Slo

__all__ = ["Call", "Client", "Impact", "failed_again", "impact"]

_SEVERAL, _OFTEN = 3, 0.1


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the client.

    Attributes:
        at_s: When it was sent, monotonic seconds.
        took_s: Until its answer or its failure.
        ok: True where the answer was right, not only there.
        key: Name of the piece of work that it handed in.
        accepted: Content of that piece where the system acknowledged it, else None.
        parts: Parts of the system that it came to -> whether they were right.
    """

    at_s: float
    took_s: float
    ok: bool
    key: str = ""
    accepted: str | None = None
    parts: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Impact:
    """What users would have felt.

    Attributes:
        requests: Sent between the fault and the restoration.
        failed: Of these, without a right answer.
        failed_ratio: 0 to 1; 0 where nothing was sent.
        down_s: Seconds from the first failed request to the first right one that no failure followed.
        down_by_s: The same for each part of the system that requests tell apart.
        budget_ratio: Share of the error budget that the outage would use up in production: its seconds, compressed
            waits added, times ``failed_ratio``, over the seconds that the SLO's window allows to be bad.
    """

    requests: int
    failed: int
    failed_ratio: float
    down_s: float
    down_by_s: Mapping[str, float]
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
    failed_ratio = len(failed) / len(during) if during else 0.0
    down_s = _down_s([(call.at_s, call.ok) for call in calls], begin_s, end_s)
    bad_s = (down_s + compressed_s) * failed_ratio if failed else 0.0
    allowed_s = (1.0 - slo.availability_ratio) * slo.window_s
    return Impact(
        requests=len(during),
        failed=len(failed),
        failed_ratio=failed_ratio,
        down_s=down_s,
        down_by_s={
            part: _down_s([(call.at_s, call.parts[part]) for call in calls if part in call.parts], begin_s, end_s)
            for part in sorted({part for call in calls for part in call.parts})
        },
        budget_ratio=bad_s / allowed_s if allowed_s else 0.0,
    )


def _down_s(looks: Sequence[tuple[float, bool]], begin_s: float, end_s: float) -> float:
    """Return how long something was down, from looks at it: each when, and whether it was right."""
    failed_s = [at_s for at_s, ok in looks if begin_s <= at_s <= end_s and not ok]
    if not failed_s:
        return 0.0
    up_s = next((at_s for at_s, ok in looks if ok and at_s > failed_s[-1]), end_s)
    return max(0.0, up_s - failed_s[0])


def failed_again(calls: Sequence[Call], begin_s: float) -> int:
    """Return how many requests sent since a moment failed again: right after another one that failed, or too often.

    One alone may be chance on a busy machine. Two in a row are an outage, however short, and so are several that are
    more than a tenth of all: one of two instances is down.
    """
    since = [call for call in calls if call.at_s >= begin_s]
    failed = sum(not call.ok for call in since)
    is_often = failed >= _SEVERAL and failed > _OFTEN * len(since)
    return sum(not (one.ok or other.ok) for one, other in pairwise(since)) or (failed if is_often else 0)


class Client:
    """Calls the service at a steady pace from a thread of its own and keeps what came back.

    Each request hands in a piece of work of its own, ``work-00001`` and so on, where the service takes any.

    Args:
        ask: Makes the request that hands in the named piece; it never raises for a service that is down.
        clock: Where time comes from.
    """

    def __init__(self, ask: Callable[[str], Reply], clock: Clock) -> None:
        self._ask = ask
        self._numbers = itertools.count(1)
        self._clock = clock
        self._every_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_calling, name="client", daemon=True)
        self.calls: list[Call] = []
        """Those of the thread, in order: what a customer feels who keeps calling."""
        self.asides: list[Call] = []
        """Those of ``ask``."""
        self.error: BaseException | None = None

    def start(self, every_s: float) -> None:
        """Begin to call, with so many seconds between the beginnings of two requests."""
        self._every_s = every_s
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
        return Call(at_s, self._clock.monotonic_s() - at_s, reply.served, key, reply.accepted, reply.parts)

    def _keep_calling(self) -> None:
        try:
            while not self._over.is_set():
                self.calls.append(call := self._call())
                # Where an answer takes long, the service has as much time again for others.
                self._over.wait(max(self._every_s - call.took_s, min(call.took_s, 1.0)))
        except BaseException as error:  # raised again in stop(), where somebody sees it
            self.error = error
