"""From a URI to an open session: which program reaches the target, and what its complaints mean."""

import os
import re
import shlex
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drillbook.errors import TargetUnreachable, UsageError
from drillbook.target.session import Guard, ShellSession

__all__ = ["KUBE_NAME", "SCHEMES", "Way", "connect", "connect_first", "docker_argv", "way_to"]

SCHEMES = (
    "local:[/FOLDER]",
    "docker://NAME[/FOLDER]",
    "ssh://[USER@]HOST[:PORT][/FOLDER]",
    "kubectl://CONTEXT/NAMESPACE/KIND/NAME",
)
"""The URIs that can be connected to; commands run in the folder, where one is given.

A kubectl context is percent-encoded, because those of EKS hold ``:`` and ``/``.
"""

_SSH_CONNECT_WITHIN_S = 10
_DOCKER_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
KUBE_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
"""What Kubernetes calls an object (a DNS subdomain)."""
_KUBE_KINDS = frozenset(
    "pod pods po deployment deployments deploy statefulset statefulsets sts daemonset daemonsets ds "
    "replicaset replicasets rs service services svc job jobs".split()
)
_KUBE_WRITING = (
    "KIND is pod, deployment, statefulset, daemonset, replicaset, service or job; "
    "a CONTEXT that holds `/` or `:` is written with %2F and %3A in their place"
)
_LOG_IN = "log in as your provider describes it, until `kubectl {place} auth whoami` answers"
_KUBE_HINTS = (
    ("context", "does not exist", "`kubectl config get-contexts` lists the contexts there are"),
    ("context was not found", "", "`kubectl config get-contexts` lists the contexts there are"),
    ("getting credentials", "", _LOG_IN),
    ("(unauthorized)", "", _LOG_IN),
    ("must be logged in", "", _LOG_IN),
    ("unable to upgrade connection: forbidden", "", "the API server itself may not: its account lacks `nodes/proxy`"),
    ("(forbidden)", "pods/exec", "`kubectl {place} auth can-i create pods --subresource=exec` has to say yes"),
    ("(forbidden)", "", "`kubectl {place} auth can-i --list` lists what you may do there"),
    ("(notfound)", "", "`kubectl {place} get pods` lists the pods there are"),
    ("container not found", "", "`kubectl {place} get pods` tells what became of it"),
    ("cannot exec", "", "`kubectl {place} get pods` tells what became of it"),
    ("executable file not found", "", "there is no sh in its image: connect to a pod that has one"),
    ("connection to the server", "", "the API server is not in reach: `kubectl {place} cluster-info`"),
    ("unable to connect to the server", "", "the API server is not in reach: `kubectl {place} cluster-info`"),
)

_HINTS = (
    ("no such container", "`docker ps -a` lists the containers there are"),
    ("is paused", "`docker unpause {place}` lets it go on"),
    ("is not running", "`docker logs {place}` tells why it ended, `docker start {place}` starts it"),
    ("cannot connect to the docker daemon", "start the Docker engine, or let DOCKER_HOST name the right one"),
    ("docker daemon socket", "your user may not use the Docker engine: join the group docker"),
    ("executable file not found", "there is no sh in {place}: connect to a host that has one"),
    ("host key verification failed", "connect once by hand (`ssh {place}`) and check its key"),
    ("permission denied", "`ssh {place}` has to work without a password: check key, agent and ~/.ssh/config"),
    ("could not resolve hostname", "check the name, or give it a HostName in ~/.ssh/config"),
    ("a password is required", "let the user run sudo without a password there, or leave out `become`"),
    ("connection refused", "check the port, and that sshd runs there"),
    ("can't cd to", "the folder of the URI is not there"),
    ("timed out", "check that this machine may reach it: VPN, firewall, jump host in ~/.ssh/config"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a target is reached.

    Attributes:
        uri: As it was written.
        argv: Program that gives a shell there on its standard input and output.
        place: Container or host, for hints; empty for this machine.
    """

    uri: str
    argv: tuple[str, ...]
    place: str = ""

    def hint(self, words: str) -> str:
        """Return what to do about the program's last words; empty where they are not known."""
        words = words.lower()
        if self.argv[0] == "kubectl":
            found = (hint for sign, too, hint in _KUBE_HINTS if sign in words and too in words)
            return next((hint.format(place=self.place) for hint in found), "")
        return next((hint.format(place=self.place) for sign, hint in _HINTS if sign in words), "")


def docker_argv() -> tuple[str, ...]:
    """Return the ``docker`` command line that talks to the same engine as the Docker SDK does here."""
    from testcontainers.core.docker_client import get_docker_host

    return ("docker", "-H", get_docker_host() or "unix:///var/run/docker.sock")


def way_to(uri: str, *, become: bool = False, where: str = "") -> Way:
    """Return how a target is reached, without reaching for it.

    Args:
        uri: One of ``SCHEMES``.
        become: Run everything as root: ``sudo -n`` here and over ssh, ``-u 0`` in a container; not possible in a pod.
        where: Named in errors; the URI itself where empty.

    Raises:
        UsageError: The URI is none that can be connected to.
    """
    scheme, _, rest = uri.partition(":")
    ways: dict[str, Callable[[str, str, bool], tuple[tuple[str, ...], str] | None]] = {
        "local": _local,
        "docker": _docker,
        "ssh": _ssh,
        "kubectl": _kubectl,
    }
    valid = "one of " + ", ".join(SCHEMES)
    found = ways[scheme](rest, uri, become) if scheme in ways else None
    if found is None:
        hint = _KUBE_WRITING if scheme == "kubectl" else ""
        raise UsageError(where or "target", f"expected {valid}, got {uri!r}", hint=hint)
    argv, place = found
    return Way(uri, argv, place)


def _local(rest: str, uri: str, become: bool) -> tuple[tuple[str, ...], str] | None:
    if rest and (not rest.startswith("/") or rest.startswith("//")):
        return None
    as_root = ("sudo", "-n") if become and os.geteuid() != 0 else ()
    return (*as_root, "sh", *(("-c", _stand_in(rest)) if rest else ())), ""


def _docker(rest: str, uri: str, become: bool) -> tuple[tuple[str, ...], str] | None:
    name, slash, folder = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not re.fullmatch(_DOCKER_NAME, name):
        return None
    as_root = ("-u", "0") if become else ()
    shell = ("sh", "-c", _stand_in(slash + folder)) if folder else ("sh",)
    return (*docker_argv(), "exec", "-i", *as_root, name, *shell), name


def _ssh(rest: str, uri: str, become: bool) -> tuple[tuple[str, ...], str] | None:
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    # A host or user that begins with a dash would be an option of ssh.
    host = urllib.parse.unquote(parts.netloc.rpartition("@")[2])
    host = re.sub(r":\d+$", "", host).strip("[]") if port else host.strip("[]")
    user = urllib.parse.unquote(parts.username or "")
    if not re.fullmatch(r"[\w.:%-]+", host) or host.startswith("-") or user.startswith("-"):
        return None
    if parts.password is not None or parts.query or parts.fragment:
        return None
    folder = urllib.parse.unquote(parts.path).rstrip("/")
    place = f"{user}@{host}" if user else host
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_SSH_CONNECT_WITHIN_S}"]
    if port:
        options += ["-p", str(port)]
    # `exec` is understood by every login shell, fish and csh too.
    shell = "sudo -n sh" if become else "sh"
    if folder:
        shell += f" -c {shlex.quote(_stand_in(folder))}"
    return ("ssh", *options, "--", place, f"exec {shell}"), place


def _kubectl(rest: str, uri: str, become: bool) -> tuple[tuple[str, ...], str] | None:
    if become:
        raise UsageError(uri, "a command in a pod runs as the container's own user, so `become` cannot be had")
    parts = rest.removeprefix("//").split("/")
    if not rest.startswith("//") or len(parts) != 4:
        return None
    context, (namespace, kind, name) = urllib.parse.unquote(parts[0]), parts[1:]
    if not context or context.startswith("-") or kind not in _KUBE_KINDS:
        return None
    if not re.fullmatch(KUBE_NAME, namespace) or not re.fullmatch(KUBE_NAME, name):
        return None
    where = ("--context", context, "--namespace", namespace)
    return ("kubectl", *where, "exec", "-i", f"{kind}/{name}", "--", "sh"), f"--context {context} -n {namespace}"


def _stand_in(folder: str) -> str:
    """Return shell text that becomes a shell in a folder."""
    return f"cd {shlex.quote(folder)} && exec sh"


def connect(
    uri: str,
    *,
    become: bool = False,
    guard: Guard | None = None,
    role: str | None = None,
    stateful: bool = False,
) -> ShellSession:
    """Open a session to a target.

    Args:
        uri: One of ``SCHEMES``.
        become: Run everything as root.
        guard: Returns why a command is refused, or None.
        role: The target's role, for its name.
        stateful: Carry directory, variables and functions from one command to the next, as in one terminal.

    Raises:
        UsageError: The URI is none that can be connected to.
        TargetUnreachable: Nothing answers there; the evidence has docker's or ssh's own words.
    """
    way = way_to(uri, become=become)
    name = f"{role} ({uri})" if role else uri
    return ShellSession(name, way.argv, guard=guard, stateful=stateful, hint=way.hint).open()


def connect_first(
    uris: Sequence[str],
    *,
    become: bool = False,
    guard: Guard | None = None,
    role: str | None = None,
    stateful: bool = False,
) -> ShellSession:
    """Open a session to the first target of a list that answers; see ``connect``.

    Raises:
        UsageError: There is no URI, or one that can never be connected to; nothing has been tried then.
        TargetUnreachable: None answers; the evidence has what each said.
    """
    if not uris:
        raise UsageError(role or "target", "expected at least one URI to connect to, got none")
    for uri in uris:
        way_to(uri, become=become)
    failures: list[TargetUnreachable] = []
    for uri in uris:
        try:
            return connect(uri, become=become, guard=guard, role=role, stateful=stateful)
        except TargetUnreachable as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    evidence = [line for error in failures for line in (f"{error.where}: {error.problem}", *error.evidence[-3:])]
    problem = f"expected one of {len(uris)} to answer, got none"
    raise TargetUnreachable(role or uris[0], problem, evidence=evidence, hint=failures[0].hint)
