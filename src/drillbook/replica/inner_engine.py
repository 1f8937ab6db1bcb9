"""The engine inside a replica, asked through the replica host's own shell."""

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from drillbook.errors import ReplicaError
from drillbook.target import Target

__all__ = ["ANSWERS_WITHIN_S", "SERVICE_LABEL", "InnerEngine", "json_answer"]

SERVICE_LABEL = "com.docker.compose.service"
ANSWERS_WITHIN_S = 60.0
"""For the drill's own questions to a replica: it says what is hopeless. An engine that restarts a service over and over
on a slow machine was seen to take more than 10 s for one answer."""
_SOCKET = "/var/run/docker.sock"


def json_answer(where: str, problem: str, out: str, err: str) -> Any:
    """Return what an API answered to curl, as JSON; None where there is no such thing.

    Args:
        where: Who was asked.
        problem: What is said where it did not answer.
        out: The answer, and in a last line its HTTP status.
        err: What curl complained of.

    Raises:
        ReplicaError: It did not answer, or with an error.
    """
    answer, _, status = out.rpartition("\n")
    if status == "404":
        return None
    try:
        if status == "200":
            return json.loads(answer)
    except ValueError:
        pass
    raise ReplicaError(where, problem, evidence=(answer + err)[-2000:])


class InnerEngine:
    """Reads what the engine of a replica's host says.

    Args:
        host: An open shell on the host.
    """

    def __init__(self, host: Target) -> None:
        self.host = host

    def get(self, path: str, **parameters: str) -> Any:
        """Return the answer to a GET of the engine's API, as JSON; None where there is no such thing.

        Raises:
            ReplicaError: It does not answer, or with an error.
        """
        query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        address = f"http://docker{path}" + (f"?{query}" if query else "")
        asked = f"curl -sS -w '\\n%{{http_code}}' --unix-socket {_SOCKET} {shlex.quote(address)}"
        said = self.host.run(asked, deadline_s=ANSWERS_WITHIN_S)
        return json_answer(self.host.name, f"the replica's engine does not answer to {path}", said.out, said.err)

    def containers(self) -> list[dict[str, Any]]:
        """Return all containers, as ``GET /containers/json`` tells them."""
        return list(self.get("/containers/json", all="1"))

    def container_of(self, service: str) -> dict[str, Any] | None:
        """Return a compose service's container, as ``GET /containers/<id>/json`` tells it, or None."""
        labels = json.dumps({"label": [f"{SERVICE_LABEL}={service}", "com.docker.compose.oneoff=False"]})
        found = self.get("/containers/json", all="1", filters=labels)
        if not found:
            return None
        newest: Mapping[str, Any] = max(found, key=lambda one: int(one["Created"]))
        # None where it was removed between the two questions.
        answer: dict[str, Any] | None = self.get(f"/containers/{newest['Id']}/json")
        return answer
