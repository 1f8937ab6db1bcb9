"""A cluster that the user has, asked and changed with the rights that the user has there."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any

from drillbook.errors import ReplicaError, UsageError
from drillbook.target.connect import Way

__all__ = ["UserCluster", "context_of"]

_NEEDED = (
    "create namespaces",
    "delete namespaces",
    "create clusterroles.rbac.authorization.k8s.io",
    "delete clusterroles.rbac.authorization.k8s.io",
    "create clusterrolebindings.rbac.authorization.k8s.io",
    "delete clusterrolebindings.rbac.authorization.k8s.io",
    "escalate roles.rbac.authorization.k8s.io --all-namespaces",
    "bind roles.rbac.authorization.k8s.io --all-namespaces",
    "escalate clusterroles.rbac.authorization.k8s.io",
    "bind clusterroles.rbac.authorization.k8s.io",
)
"""What the end of a run takes is asked for before its beginning. A role that gives more than its maker has can be made
by whoever may ``escalate``, and bound by whoever may ``bind``; cluster-admin may both:
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping"""
_PROBE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "drillbook-time-"}}


def context_of(option: str) -> str:
    """Return the context that ``--cluster`` names.

    Raises:
        UsageError: It is written in another way.
    """
    kind, _, name = option.partition(":")
    if kind != "context" or not name or name.startswith("-"):
        raise UsageError(
            "--cluster",
            f"expected context:NAME, got {option!r}",
            hint="`kubectl config get-contexts` lists the contexts there are",
        )
    return name


class UserCluster:
    """Runs ``kubectl`` on this machine, so that every way to log in that kubectl knows works here too.

    Args:
        context: Of the user's kubectl configuration.
    """

    def __init__(self, context: str) -> None:
        self.context = context

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return the command line of a kubectl call."""
        return ("kubectl", "--context", self.context, *words)

    def kubectl(self, *words: str, given: str | IO[bytes] = "", within_s: float = 30.0) -> str:
        """Call kubectl and return what it printed.

        Args:
            words: Its arguments.
            given: Its standard input.
            within_s: Seconds that it may take.

        Raises:
            ReplicaError: kubectl is not there, took too long, or ended with another exit status than 0.
        """
        said = self._call(words, given, within_s)
        if said.returncode:
            raise self._failed(words, said)
        return said.stdout.decode("utf-8", "replace")

    def get(self, *words: str) -> Any:
        """Return what ``kubectl get`` shows, as JSON; None where there is no such thing.

        Raises:
            ReplicaError: The cluster does not answer, or refuses.
        """
        said = self.kubectl("get", *words, "--ignore-not-found", "-o", "json")
        return json.loads(said) if said.strip() else None

    def items(self, *words: str) -> Sequence[Mapping[str, Any]]:
        """Return the items of a list.

        Raises:
            ReplicaError: The cluster does not answer, or refuses.
        """
        found = self.get(*words)
        return list(found["items"]) if found else []

    def create(self, thing: Mapping[str, Any], *words: str) -> Mapping[str, Any] | None:
        """Create an object and return it as the cluster has it; None where one of that name is there already.

        Raises:
            ReplicaError: The cluster does not answer, or refuses.
        """
        try:
            said = self.kubectl("create", "-f", "-", "-o", "json", *words, given=json.dumps(thing))
        except ReplicaError as error:
            if any("(AlreadyExists)" in line for line in error.evidence):
                return None
            raise
        made: Mapping[str, Any] = json.loads(said)
        return made

    def create_all(self, things: Sequence[Mapping[str, Any]]) -> None:
        """Create objects in one call.

        Raises:
            ReplicaError: The cluster does not answer, or refuses.
        """
        self.kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)}))

    def now(self) -> datetime:
        """Return the time by the cluster's own clock, to the second.

        Raises:
            ReplicaError: The cluster does not answer, or refuses.
        """
        tried = self.create(_PROBE, "--dry-run=server")
        assert tried is not None
        return datetime.fromisoformat(tried["metadata"]["creationTimestamp"]).astimezone(UTC)

    def must_answer(self) -> None:
        """Return when the context exists, its cluster answers, and the user may do there what is necessary.

        Raises:
            ReplicaError: One of these is not so.
        """
        self.kubectl("version", "-o", "json", "--request-timeout=10s")
        for right in _NEEDED:
            if not self._may(right):
                raise ReplicaError(
                    f"context:{self.context}",
                    f"expected the right to {right}, which a drill needs there; it is refused",
                    hint=f"kubectl --context {self.context} auth can-i {right}",
                )

    def _may(self, right: str) -> bool:
        words = ("auth", "can-i", *right.split())
        said = self._call(words, "", 30.0)
        if said.returncode and not said.stdout.startswith(b"no"):
            raise self._failed(words, said)
        return said.returncode == 0

    def _failed(self, words: Sequence[str], said: "subprocess.CompletedProcess[bytes]") -> ReplicaError:
        err = said.stderr.decode("utf-8", "replace").strip()
        hint = Way("", self.argv(), f"--context {self.context}").hint(err)
        problem = f"{_called(words)} ended with exit status {said.returncode}"
        return ReplicaError(f"context:{self.context}", problem, evidence=err, hint=hint)

    def _call(
        self, words: Sequence[str], given: str | IO[bytes], within_s: float
    ) -> "subprocess.CompletedProcess[bytes]":
        source: dict[str, Any] = {"input": given.encode()} if isinstance(given, str) else {"stdin": given}
        try:
            # In a process group of its own: Ctrl-C in a terminal reaches every program of a group, also one that must
            # end what it has begun.
            return subprocess.run(
                self.argv(*words), capture_output=True, timeout=within_s, check=False, process_group=0, **source
            )
        except FileNotFoundError as error:
            hint = "install kubectl, as your cluster's provider describes it"
            raise ReplicaError("PATH", "expected the program kubectl, got none", hint=hint) from error
        except subprocess.TimeoutExpired as error:
            raise ReplicaError(
                f"context:{self.context}",
                f"{_called(words)} did not end within {within_s:.0f} s",
                evidence=(error.stderr or b"").decode("utf-8", "replace"),
                hint=f"kubectl --context {self.context} cluster-info",
            ) from error


def _called(words: Sequence[str]) -> str:
    return f"`kubectl {' '.join(words)[:80]}`"
