"""One system as checks and the operator see it: a replica, or the real thing that a target file describes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drillbook.model import Runbook
from drillbook.target import DEFAULT_DEADLINE_S, Target

__all__ = ["DEFAULT_SLO", "Site", "Slo"]


@dataclass(frozen=True, slots=True)
class Slo:
    """What is promised to users.

    Attributes:
        availability_ratio: Share of requests that succeed, 0 to 1.
        window_s: Seconds over which the share counts.
    """

    availability_ratio: float
    window_s: float


DEFAULT_SLO = Slo(0.999, 30 * 86400.0)
"""Three nines over thirty days, where nothing else is promised."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where commands run and URLs answer.

    Attributes:
        name: Target file's name, or ``replica``.
        runbook: The document that is judged there.
        open_host: Role -> open target; ``operator`` is where the runbook's commands run.
        urls: Endpoints by name.
        variables: Values for placeholders.
        slo: What is promised to users.
        is_replica: True where commands may change things.
        functional: Names of writing checks that a real system allows.
        deadline_s: Seconds that a command of a check may take.
        vouched_host: Role -> target without the read-only guard, for what the target file vouches for.
        reads: Ids of commands that the target file vouches for as reading.
    """

    name: str
    runbook: Runbook
    open_host: Callable[[str], Target]
    urls: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    slo: Slo = DEFAULT_SLO
    is_replica: bool = False
    functional: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    deadline_s: float = DEFAULT_DEADLINE_S
    vouched_host: Callable[[str], Target] | None = None

    def host_for(self, role: str, *, vouched: bool = False) -> Target:
        """Return the open target of a role.

        Args:
            role: As the target file or the replica names it.
            vouched: True for a command that the target file vouches for: no guard is asked.
        """
        if vouched and self.vouched_host:
            return self.vouched_host(role)
        return self.open_host(role)
