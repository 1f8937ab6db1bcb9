"""Somebody edited the configuration, and it is wrong."""

import shlex
from dataclasses import dataclass, field

from drillbook.errors import InjectFailed, UsageError
from drillbook.faults._common import must_be_commands, must_be_name, must_hold, on_machine
from drillbook.faults.release import Request
from drillbook.replica import Replica

__all__ = ["ConfigChanged"]

_OK = 200


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """A text in the configuration file is replaced and the service takes the file over; it lasts until it is undone.

    Args:
        service: Name as the runbook has it.
        file: The file on the machine.
        old: Text in it; the first place counts.
        new: What stands there instead: no syntax at all, or a value that is valid and wrong.
        apply: Command on the machine that makes the service take the file over; its exit status does not matter.
        asked: Request that a service with the right configuration answers with 200.
        what: The change in words, for the report.
    """

    service: str
    file: str
    old: str
    new: str
    apply: str
    asked: Request
    what: str
    effect_within_s: float = 30.0
    _was: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        if not self.file.startswith("/"):
            raise UsageError("ConfigChanged", f"file must be an absolute path, got {self.file!r}")
        if not self.old or self.old == self.new:
            raise UsageError("ConfigChanged", "old must be a text, and new another one")
        must_be_commands(self, "apply")

    def describe(self) -> str:
        return f"the configuration of {self.service} was edited: {self.what}"

    def _text(self, replica: Replica) -> str:
        return on_machine(replica, f"cat {shlex.quote(self.file)}", strict=False).out

    def _write(self, replica: Replica, text: str) -> None:
        on_machine(replica, f"printf '%s' {shlex.quote(text)} >{shlex.quote(self.file)}")

    def inject(self, replica: Replica) -> None:
        text = self._text(replica)
        if self.old not in text:
            raise InjectFailed(self.file, f"expected {self.old!r} in it, it is not there")
        self._was[:] = [text]
        self._write(replica, text.replace(self.old, self.new, 1))
        on_machine(replica, self.apply, strict=False)

    def is_present(self, replica: Replica) -> bool:
        """The file is not what it was, and a request that it should answer is not answered with 200."""
        return bool(self._was) and self._text(replica) != self._was[0] and self.asked.status(replica) != _OK

    def revert(self, replica: Replica) -> None:
        if self._was and self._text(replica) != self._was[0]:
            self._write(replica, self._was[0])
            on_machine(replica, self.apply, strict=False)
        must_hold(f"{self.service} has its configuration", lambda: not self.is_present(replica))
        self._was.clear()
