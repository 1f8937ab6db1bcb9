"""Where a replica is at home, whatever that is: a container on the user's engine, or a pod on the user's cluster."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from drillbook.target.connect import Way

__all__ = ["Host"]


class Host(Protocol):
    """The place that a replica's commands run in, with everything that comes and goes with it."""

    @property
    def container_name(self) -> str:
        """What errors call it."""
        ...

    def start(self) -> object:
        """Make it. Raises ReplicaError; ``stop`` then removes what there is of it."""
        ...

    def wait_for_engine(self, within_s: float) -> None:
        """Return when what it carries answers and the services have begun to start. Raises ReplicaError."""
        ...

    def address(self, port: int) -> str:
        """Return ``host:port`` where a port of it answers from this machine. Raises ReplicaError."""
        ...

    def way(self, name: str, shell: Sequence[str], place: str, folder: str) -> Way:
        """Return how a shell is opened in it.

        Args:
            name: Of the session.
            shell: The shell's command line.
            place: What hints call the place that the shell is in.
            folder: Where it begins.
        """
        ...

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the program that opens shells."""
        ...

    def last_words(self) -> str:
        """Return what explains its end; empty where nothing does. Never raises for an outage."""
        ...

    def stop(self) -> None:
        """Remove it and everything that came with it; harmless when repeated. Raises ReplicaError."""
        ...
