"""Throwaway copies of a system. The drill and the faults know this page only, not what a replica is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drillbook.alerts import Alert
from drillbook.replica.process import Process
from drillbook.site import Slo
from drillbook.target import Target

__all__ = ["Attachment", "HandStep", "Holdings", "Replica", "Reply", "Service", "Snapshot", "Wait"]

Snapshot = Mapping[str, str]
"""State that must not change by itself: ``container/gateway/image`` -> value. Keys are paths, values are short."""


class Service(Protocol):
    """One service of a replica: a container, a unit or a pod; the faults are written against this."""

    name: str

    def is_running(self) -> bool:
        """True where its main process is alive and not frozen."""
        ...

    def has_process(self) -> bool:
        """True where its main process exists, frozen or not."""
        ...

    def main_pid(self) -> int | None:
        """Process id of the program itself (not of an init shim) in the replica host's numbering, or None."""
        ...

    def exit_status(self) -> int | None:
        """Exit status of the last end of its main process, or None where it never ended or is running."""
        ...

    def identity(self) -> str:
        """Changes when the service is made anew (another container or pod), not when it is restarted."""
        ...

    def start(self) -> None:
        """Make it run as its definition says, whatever state it is in now."""
        ...

    def stop(self) -> None:
        """End it gracefully so that it stays down until somebody starts it."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL so that it stays down until somebody starts it."""
        ...

    def freeze(self) -> None:
        """Take all of its processes off the processor; they stay alive and hold their sockets."""
        ...

    def thaw(self) -> None:
        """Let frozen processes go on; harmless where none is."""
        ...

    def is_frozen(self) -> bool:
        """True where its processes are off the processor."""
        ...

    def leave_networks(self) -> Sequence["Attachment"]:
        """Cut it off from all its networks and return how it was attached."""
        ...

    def join_networks(self, attachments: Sequence["Attachment"]) -> None:
        """Attach it as it was, aliases and addresses included; harmless where it is attached already."""
        ...

    def networks(self) -> Sequence["Attachment"]:
        """Return how it is attached now."""
        ...

    def oom_kills(self) -> int:
        """How often the kernel killed one of its processes for lack of memory, by the kernel's own count."""
        ...

    def main_processes(self) -> Sequence[Process]:
        """The program itself in each container, unit or pod of it that runs, with its control group; empty for none."""
        ...


@dataclass(frozen=True, slots=True)
class Attachment:
    """One network as a service is attached to it.

    Attributes:
        network: Its name.
        aliases: Names that the service has there.
        address: The address that the service's definition asks for; empty where it gets whichever is free.
    """

    network: str
    aliases: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class HandStep:
    """An edit that the document describes in words and that a small named function does in its place.

    Attributes:
        step: Id of the step whose instruction it carries out.
        does: ``f(replica, transcript_text) -> sentence`` about what was done; raises LookupError where the
            transcript does not hold what a person would need.
    """

    step: str
    does: Callable[["Replica", str], str]


@dataclass(frozen=True, slots=True)
class Wait:
    """A production wait and what stands for it in the replica (both float seconds)."""

    what: str
    production_s: float
    drill_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request of a customer.

    Attributes:
        served: True where the answer was right, not only there.
        accepted: Content of the piece of work that the system took over: it said so, and from then on has to do it.
            None where nothing was handed in, or nothing acknowledged.
        parts: What customers use of the system -> whether it was right; for a system that can be half down. A part
            that this request did not come to is left out.
    """

    served: bool
    accepted: str | None = None
    parts: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Where the work is that customers handed in.

    Attributes:
        done: Name of a piece -> content of each copy of it that was done.
        waiting: Names of pieces that are queued or being worked on.
        unread: Stores that could not be looked into; what is only there is not known.
    """

    done: Mapping[str, Sequence[str]]
    waiting: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


class Replica(Protocol):
    """A copy of the system that a drill may break.

    Attributes:
        slug: Runbook that it belongs to.
        time_factor: How many times shorter scrape intervals and the like are than in production.
        waits: The compressed waits that lie between a fault and its alert.
        hand_steps: What is done in place of a person.
        changes: Scenario title -> patterns (fnmatch) of snapshot keys that its recovery may change.
        variables: Values for placeholders that are no secret of the fault.
        sample_labels: What an alert could say: fills placeholders where the system is well and none fires.
        slo: What is promised to users.
        healthy_start_s: Seconds that its services took from start to ready; 0 before that.
        progress: Told in a line what is going on while it is built and started; replaced by who wants to hear it.
    """

    slug: str
    time_factor: float
    waits: Sequence[Wait]
    hand_steps: Sequence[HandStep]
    changes: Mapping[str, Sequence[str]]
    variables: Mapping[str, str]
    sample_labels: Mapping[str, str]
    slo: Slo
    healthy_start_s: float
    progress: Callable[[str], None]

    def start(self) -> None:
        """Create it; returns when its host answers. Raises ReplicaError."""
        ...

    def wait_until_ready(self, within_s: float) -> None:
        """Return when every service answers. Raises ReplicaError naming what does not, with its last output."""
        ...

    def host(self, role: str) -> Target:
        """Return the open target of a role.

        ``operator`` is where the runbook's commands run; ``machine`` is a session of its own, as root, on the machine
        that carries the services (faults work there); any other role is a service's own container, unit or pod.
        """
        ...

    def service(self, name: str) -> Service:
        """Return a service by the name that the runbook uses. Raises NotSupported where there is none."""
        ...

    @property
    def has_machine(self) -> bool:
        """False where the machine that carries the services is the user's.

        Faults leave its disks, its packet filter and its programs alone then, and say that they are not supported.
        """
        ...

    @property
    def urls(self) -> Mapping[str, str]:
        """Where the replica's endpoints answer from this machine, by name."""
        ...

    def ask_as_customer(self, key: str = "") -> Reply:
        """Make one request as a user would. Never raises for an outage.

        Args:
            key: Name of the piece of work that the request hands in; empty for one that hands in nothing.
        """
        ...

    def work(self) -> Holdings | None:
        """Return where the accepted work is; None for a system that keeps none. Never raises for an outage."""
        ...

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that fire now, as the replica's alerting system tells them. Raises ReplicaError."""
        ...

    def evidence(self) -> Sequence[str]:
        """Return what its parts say of themselves, for whoever finds out why it is not well."""
        ...

    def posted(self) -> Sequence[Mapping[str, object]]:
        """Return what was posted to the replica's sink instead of to people, each as ``path`` and ``body``."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the state that a drill must leave as it found it."""
        ...

    def stop(self) -> None:
        """Remove it and everything that belongs to it; harmless when repeated."""
        ...
