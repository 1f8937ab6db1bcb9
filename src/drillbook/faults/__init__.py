"""What can go wrong. A fault injects, shows its effect to an independent probe, and reverts; one a file."""

from typing import Protocol, runtime_checkable

from drillbook.clock import Clock, poll
from drillbook.replica import Replica

__all__ = ["Fault", "confirm"]

_LOOKS = 3
_STARTS = 6
_LOOK_GAP_S = 0.4


@runtime_checkable
class Fault(Protocol):
    """One fault; a dataclass whose fields are its parameters, refused at construction when they are wrong.

    The drill asks ``is_present`` before (must be False), after ``inject`` (must become True within ``effect_within_s``)
    and after recovery or ``revert`` (must become False).
    """

    @property
    def effect_within_s(self) -> float:
        """Seconds after ``inject`` within which the effect shows."""
        ...

    def describe(self) -> str:
        """Return one sentence for the report: what is broken, and how."""
        ...

    def inject(self, replica: Replica) -> None:
        """Break the replica. Raises NotSupported or InjectFailed."""
        ...

    def is_present(self, replica: Replica) -> bool:
        """Look at the effect, not at what ``inject`` did: the kernel's, the runtime's or a client's own view."""
        ...

    def revert(self, replica: Replica) -> None:
        """Undo, also where ``inject`` stopped halfway, was never called, or a runbook repaired it already.

        Raises:
            RevertFailed: The fault is still there.
        """
        ...


def confirm(fault: Fault, replica: Replica, clock: Clock) -> bool:
    """Wait until a fault's effect shows and stays; True where it did within ``effect_within_s``.

    A service that its supervisor starts again and again is down for moments long before it is down. Only what three
    looks in a row see, 0.4 s apart, has an effect. It has no less than six healthy starts of the replica: the starts
    that it takes until the supervisor gives up are slow on a slow machine (systemd allows five, Compose what the file
    says).
    """

    def stays() -> bool:
        for look in range(_LOOKS):
            if look:
                clock.pause(_LOOK_GAP_S)
            if not fault.is_present(replica):
                return False
        return True

    return poll(stays, within_s=max(fault.effect_within_s, _STARTS * replica.healthy_start_s), clock=clock)
