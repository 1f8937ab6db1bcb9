"""The service is killed after every start, so that its supervisor gives up or waits longer and longer."""

from dataclasses import dataclass, field

from drillbook.faults._common import Keeper, must_be_name, on_machine, start_again
from drillbook.replica import Replica

__all__ = ["KilledAgain"]

_SIGKILL_STATUS = 137


@dataclass(frozen=True, slots=True)
class KilledAgain:
    """SIGKILL from outside to the main process, again after every start, in each of its pods where it has several.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 45.0
    _keepers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} is killed (SIGKILL) again after every start"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)

        def press() -> None:
            if pid := service.main_pid():
                on_machine(replica, f"kill -KILL {pid}", strict=False)

        keeper = Keeper(press, every_s=0.2)
        self._keepers.append(keeper)
        keeper.start()

    def is_present(self, replica: Replica) -> bool:
        """It does not run, and SIGKILL ended it."""
        for keeper in self._keepers:
            keeper.raise_error()
        service = replica.service(self.service)
        return not service.is_running() and service.exit_status() == _SIGKILL_STATUS

    def revert(self, replica: Replica) -> None:
        for keeper in self._keepers:
            keeper.stop()
        self._keepers.clear()
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} is not killed any more")
