"""The service crashes with a segmentation fault as often as it is started, until it is made anew."""

from dataclasses import dataclass, field

from drillbook.faults._common import Keeper, must_be_name, on_machine, start_again
from drillbook.replica import Replica

__all__ = ["Segfault"]

_SIGSEGV_STATUS = 139


@dataclass(frozen=True, slots=True)
class Segfault:
    """SIGSEGV to the main process after every start of this container, unit or pod, as damage inside it would cause.

    A container that is made anew does not have the damage. A process that is the first of its PID namespace ignores the
    signal: the service needs an init shim (``init: true`` in compose), else the effect is never seen.

    Args:
        service: Name as the runbook has it.
    """

    service: str
    effect_within_s: float = 30.0
    _keepers: list[Keeper] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)

    def describe(self) -> str:
        return f"{self.service} crashes with a segmentation fault after every start, until it is made anew"

    def inject(self, replica: Replica) -> None:
        service = replica.service(self.service)
        damaged = service.identity()

        def press() -> None:
            pid = service.main_pid()
            if pid is not None and service.identity() == damaged:
                on_machine(replica, f"kill -SEGV {pid}", strict=False)

        keeper = Keeper(press)
        self._keepers.append(keeper)
        keeper.start()

    def is_present(self, replica: Replica) -> bool:
        for keeper in self._keepers:
            keeper.raise_error()
        service = replica.service(self.service)
        return not service.is_running() and service.exit_status() == _SIGSEGV_STATUS

    def revert(self, replica: Replica) -> None:
        for keeper in self._keepers:
            keeper.stop()
        start_again(replica, self.service, lambda: self.is_present(replica), f"{self.service} does not crash")
        self._keepers.clear()
