"""The service has another time than the rest of the world."""

import shlex
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from drillbook.faults._common import must_be_commands, must_be_name, must_be_positive, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["ClockOff"]


@dataclass(frozen=True, slots=True)
class ClockOff:
    """The clock of the service's processes is off. That of the machine belongs to everybody on it and is left alone.

    Args:
        service: Name as the runbook has it.
        url: Asked on the machine; the service itself writes the header ``Date`` of the answer.
        shift: Command on the machine that starts the service with another time.
        put_right: Command that takes that back; harmless where it was never done.
        off_by_s: From which difference on the clock counts as off.
    """

    service: str
    url: str
    shift: str
    put_right: str
    off_by_s: float = 3600.0
    effect_within_s: float = 20.0
    _shifted: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_positive(self, "off_by_s", self.off_by_s)
        must_be_commands(self, "shift", "put_right")

    def describe(self) -> str:
        return f"the clock of {self.service} is off"

    def inject(self, replica: Replica) -> None:
        self._shifted[:] = [True]
        on_machine(replica, self.shift)

    def is_present(self, replica: Replica) -> bool:
        """What the service writes as the date of its answer is not what the machine's clock says."""
        asked = f"date +%s; curl -s -m 3 -o /dev/null -w '%header{{date}}' {shlex.quote(self.url)}"
        now, _, date = on_machine(replica, asked, strict=False).out.partition("\n")
        try:
            told = parsedate_to_datetime(date.strip())
        except ValueError:
            return False  # no answer, or one without a date
        return abs(told.replace(tzinfo=told.tzinfo or UTC).timestamp() - float(now)) > self.off_by_s

    def revert(self, replica: Replica) -> None:
        if self._shifted:
            on_machine(replica, self.put_right)
        self._shifted.clear()
        must_hold(f"the clock of {self.service} is right", lambda: not self.is_present(replica))
