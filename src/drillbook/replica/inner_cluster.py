"""The cluster that a replica is or lives on, asked through a shell that has the account for it."""

import shlex
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any
from urllib.parse import quote

from drillbook.errors import CommandTimeout, ReplicaError
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S, json_answer
from drillbook.target import Output, Target

__all__ = ["InnerCluster"]

_API = "https://kubernetes.default.svc"
_MARK = "--drillbook: next answer--"
_ACCOUNT = "/run/kube/curl"
"""Configuration of curl with the account and the way to the API, written by whoever made the shell's host."""


class InnerCluster:
    """Reads what the API server of a replica's cluster says, and changes it.

    A ``kubectl`` for each question would cost 100 ms of processor; curl costs 10.

    Args:
        host: An open shell on the node, or in the operator pod.
        has_node: True where that shell is on the node itself, root there, and sees the processes of all pods.
    """

    def __init__(self, host: Target, *, has_node: bool = True) -> None:
        self.host = host
        self.has_node = has_node

    def get(self, path: str, **parameters: str) -> Any:
        """Return the answer to a GET of the API, as JSON; None where there is no such thing.

        Raises:
            ReplicaError: It does not answer, or with an error.
        """
        query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        asked = f"{path}?{query}" if query else path
        return self.gather([asked])[asked]

    def items(self, path: str, **parameters: str) -> list[Mapping[str, Any]]:
        """Return the items of a list; none where the cluster does not know the kind.

        Raises:
            ReplicaError: It does not answer, or with an error.
        """
        answer = self.get(path, **parameters)
        return list(answer["items"]) if answer else []

    def gather(self, paths: Sequence[str]) -> dict[str, Any]:
        """Return path -> answer for several GETs over one connection; None where there is no such thing.

        Raises:
            ReplicaError: One is not answered, or with an error.
        """
        addresses = " ".join(shlex.quote(_API + path) for path in paths)
        problem, where = "the replica's API server does not answer to", self.host.name
        asking = f"curl -sS -m {ANSWERS_WITHIN_S:.0f} -w '\\n%{{http_code}}{_MARK}' -K {_ACCOUNT} {addresses}"
        try:
            said = self.host.run(asking, deadline_s=ANSWERS_WITHIN_S + 5)
        except CommandTimeout as error:
            raise ReplicaError(where, f"{problem} {len(paths)} questions within {ANSWERS_WITHIN_S:.0f} s") from error
        answers = said.out.split(_MARK)
        return {
            path: json_answer(where, f"{problem} {path}", text, said.err)
            for path, text in zip_longest(paths, answers[: len(paths)], fillvalue="")
        }

    def kubectl(self, words: str, *, within_s: float = ANSWERS_WITHIN_S) -> Output:
        """Change something as ``kubectl`` does.

        Args:
            words: Shell text behind ``kubectl``.
            within_s: Seconds that it may take.

        Raises:
            ReplicaError: It ends with another exit status than 0.
        """
        said = self.host.run(f"kubectl {words}", deadline_s=within_s)
        if said.exit_status:
            raise ReplicaError(
                self.host.name, f"`kubectl {words[:80]}` ended with exit status {said.exit_status}", evidence=said.err
            )
        return said
