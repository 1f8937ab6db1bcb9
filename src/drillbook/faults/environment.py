"""A variable that the service cannot do without is gone from its environment file."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_name, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["MissingVariable"]


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A line is lost from the environment file and the service is made anew from it, as by a careless edit.

    Args:
        service: Name as the runbook has it.
        variable: Name of the variable.
        file: Environment file on the machine, absolute or relative to where the operator stands.
        apply: Command that makes the service anew from its definition.
    """

    service: str
    variable: str
    apply: str
    file: str = ".env"
    effect_within_s: float = 30.0
    _was: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_name(self, "variable", self.variable)
        if not self.apply.strip():
            raise UsageError("MissingVariable", "apply must be a command, got nothing")

    def describe(self) -> str:
        return f"{self.variable} is gone from {self.file}, and {self.service} was made anew without it"

    def _line(self, replica: Replica) -> str:
        return on_machine(replica, f"grep ^{self.variable}= {shlex.quote(self.file)}", strict=False).out.strip()

    def inject(self, replica: Replica) -> None:
        line = self._line(replica)
        if not line:
            raise InjectFailed(self.file, f"expected a line {self.variable}=…, it has none")
        self._was[:] = [line]
        on_machine(replica, f"sed -i '/^{self.variable}=/d' {shlex.quote(self.file)}")
        on_machine(replica, self.apply)

    def is_present(self, replica: Replica) -> bool:
        service = replica.service(self.service)
        return not self._line(replica) and not service.is_running() and service.exit_status() not in {None, 0}

    def revert(self, replica: Replica) -> None:
        if self._was and not self._line(replica):
            on_machine(replica, f"printf '%s\\n' {shlex.quote(self._was[0])} >>{shlex.quote(self.file)}")
            on_machine(replica, self.apply)
        self._was.clear()
        must_hold(f"{self.variable} is set", lambda: not self.is_present(replica))
