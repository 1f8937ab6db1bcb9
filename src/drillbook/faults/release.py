"""A bad release is deployed: one that crashes, or one that answers its health check and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drillbook.errors import UsageError
from drillbook.faults._common import must_be_commands, must_be_name, must_hold, on_machine
from drillbook.replica import Replica

__all__ = ["BadRelease", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a user of the service would make, from the machine that carries it.

    Args:
        url: As it is on the machine.
        body: JSON value to POST; None for a GET.
    """

    url: str
    body: Mapping[str, Any] | None = None

    def status(self, replica: Replica) -> int:
        """Return the HTTP status that comes back within two seconds, or 0."""
        post = f"-H 'Content-Type: application/json' -d '{json.dumps(self.body)}'" if self.body is not None else ""
        command = f"curl -s -m 2 -o /dev/null -w '%{{http_code}}' {post} {self.url}"
        return int(on_machine(replica, command, strict=False).out or 0)


@dataclass(frozen=True, slots=True)
class BadRelease:
    """A release goes out by the system's own deployment command, and stays bad until it is rolled back.

    Args:
        service: Name as the runbook has it.
        deploy: Command on the machine that deploys the bad release.
        undo: Command on the machine that deploys the release before it.
        wrong_answer: Request that a good release answers with 200 and the bad one with ``wrong_status``; None for a
            release that crashes at start.
        wrong_status: HTTP status of the wrong answer.
    """

    service: str
    deploy: str
    undo: str
    wrong_answer: Request | None = None
    wrong_status: int = 500
    effect_within_s: float = 30.0
    _deployed: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        must_be_name(self, "service", self.service)
        must_be_commands(self, "deploy", "undo")
        if not 400 <= self.wrong_status <= 599:
            raise UsageError("BadRelease", f"wrong_status must be an HTTP error status, got {self.wrong_status!r}")

    def describe(self) -> str:
        wrong = f"answers {self.wrong_status} behind a green health check" if self.wrong_answer else "crashes at start"
        return f"a release of {self.service} goes out that {wrong}"

    def inject(self, replica: Replica) -> None:
        self._deployed[:] = [replica.service(self.service).identity()]
        on_machine(replica, self.deploy)

    def is_present(self, replica: Replica) -> bool:
        service = replica.service(self.service)
        if self.wrong_answer:
            return service.is_running() and self.wrong_answer.status(replica) == self.wrong_status
        return not service.is_running() and service.exit_status() not in {None, 0, 137, 139, 143}

    def revert(self, replica: Replica) -> None:
        if self._deployed and self.is_present(replica):
            on_machine(replica, self.undo)
        self._deployed.clear()
        must_hold(f"{self.service} runs a good release", lambda: not self.is_present(replica))
