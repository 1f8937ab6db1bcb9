"""A file that the service cannot do without is damaged."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_name, must_hold, on_own_machine
from drillbook.replica import Replica

__all__ = ["DamagedFile"]


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """The first bytes of a file in the service's volume are overwritten; the service ends and cannot come back.

    Args:
        service: Name as the runbook has it.
        file: Command on the machine that prints the file's path there (volumes have generated paths).
    """

    service: str
    file: str
    effect_within_s: float = 30.0
    _was: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.file.strip():
            raise UsageError("DamagedFile", "file must be a command that prints a path, got nothing")

    def describe(self) -> str:
        return f"a data file of {self.service} is damaged, again seen at every start"

    def inject(self, replica: Replica) -> None:
        path = on_own_machine(replica, self.file).out.strip()
        if not path.startswith("/"):
            raise InjectFailed(self.file, f"expected it to print an absolute path, got {path!r}")
        kept = shlex.quote(path + ".before-drill")
        self._was[:] = [path]
        on_own_machine(replica, f"cp -p {shlex.quote(path)} {kept}")
        on_own_machine(replica, f"printf damaged | dd of={shlex.quote(path)} conv=notrunc status=none")
        service = replica.service(self.service)
        service.stop()
        service.start()

    def is_present(self, replica: Replica) -> bool:
        if not self._was:
            return False
        path = shlex.quote(self._was[0])
        differs = on_own_machine(replica, f"cmp -s {path} {path}.before-drill", strict=False).exit_status == 1
        return differs and not replica.service(self.service).is_running()

    def revert(self, replica: Replica) -> None:
        if self._was:
            path = shlex.quote(self._was[0])
            on_own_machine(replica, f"if [ -e {path}.before-drill ]; then mv {path}.before-drill {path}; fi")
            if not replica.ask_as_customer().served:  # a runbook that went around the damage keeps its way
                replica.service(self.service).start()
        self._was.clear()
        must_hold(f"{self.service} has its file", lambda: not self.is_present(replica))
