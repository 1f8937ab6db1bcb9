"""The state of a host, and of its Docker, that a drill must leave as it found it, as paths and short values."""

import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drillbook.errors import ReplicaError
from drillbook.replica import Snapshot
from drillbook.replica.inner_engine import ANSWERS_WITHIN_S, SERVICE_LABEL, InnerEngine
from drillbook.target import Target

__all__ = [
    "container_state",
    "file_state",
    "fixed_address",
    "image_state",
    "iptables_state",
    "network_state",
    "own_aliases",
    "port_state",
    "process_state",
    "take_folder_snapshot",
    "take_host_snapshot",
    "take_snapshot",
    "volume_state",
]

_OWN_NETWORKS = frozenset({"bridge", "host", "none"})

_GIVEN_OUT = frozenset(map(str, range(32768, 61000)))
"""Linux' default for ``net.ipv4.ip_local_port_range``."""

# Processes of the host itself: in its PID namespace, and not below a session, whose root has no parent in there.
_PROCESSES = r"""
ns=$(readlink /proc/self/ns/pid)
for p in /proc/[0-9]*; do
  [ "$(readlink $p/ns/pid 2>/dev/null)" = "$ns" ] || continue
  s=$(cat $p/stat 2>/dev/null) && echo "$s"
done
"""

_ALWAYS = ".env compose.y*ml docker-compose.y*ml docker-compose.*.y*ml"
_HASH = r"""
{ git ls-files -z 2>/dev/null; printf '%s\0' "$@"; } | sort -zu |
  xargs -0r sh -c 'for f; do [ ! -f "$f" ] || printf "%s\0" "$f"; done' files | xargs -0r sha256sum
"""


def take_snapshot(engine: InnerEngine, project: str, tracked: Sequence[str] = ()) -> Snapshot:
    """Look at everything that a recovery may leave behind.

    Ids, start times and addresses that the engine gives out are not in it, because restarts are allowed.

    Args:
        engine: The replica's engine.
        project: The project's folder on the replica's host.
        tracked: Further files: patterns of the shell, absolute or relative to the project.

    Raises:
        ReplicaError: Something cannot be looked at.
    """
    found: dict[str, str] = {}
    for one in engine.containers():
        container = engine.get(f"/containers/{one['Id']}/json")
        found.update(container_state(container) if container else {})
    found.update(network_state(engine.get("/networks")))
    found.update(volume_state(engine.get("/volumes")))
    found.update(image_state(engine.get("/images/json")))
    found.update(take_host_snapshot(engine.host, project, tracked))
    return dict(sorted(found.items()))


def take_host_snapshot(host: Target, project: str, tracked: Sequence[str] = ()) -> Snapshot:
    """Look at ports, processes, packet filters and files of a replica's host, whatever it carries.

    Args:
        host: An open shell on it.
        project: The project's folder there.
        tracked: Further files: patterns of the shell, absolute or relative to the project.

    Raises:
        ReplicaError: Something cannot be looked at.
    """
    found = port_state(_said(host, "ss -H -lntup"))
    found.update(process_state(_said(host, _PROCESSES)))
    for table in ("filter", "nat"):
        found.update(iptables_state(table, _said(host, f"iptables-save -t {table} 2>/dev/null")))
    found.update(take_folder_snapshot(host, project, tracked))
    return found


def take_folder_snapshot(host: Target, project: str, tracked: Sequence[str] = ()) -> Snapshot:
    """Look at the project's repository and at files.

    Args:
        host: An open shell where they are.
        project: The project's folder there.
        tracked: Further files: patterns of the shell, absolute or relative to the project.

    Raises:
        ReplicaError: Something cannot be looked at.
    """
    return _git_state(host, project) | file_state(_said(host, _hash_files(project, tracked)), project)


def own_aliases(network: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a container's names on a network, without those made from its id."""
    id_ = str(container.get("Id", ""))
    names = set(network.get("Aliases") or ())
    return tuple(sorted(name for name in names if not (len(name) >= 12 and id_.startswith(name))))


def fixed_address(network: Mapping[str, Any]) -> str:
    """Return the address that a container asked for on a network; empty where the engine gave it one."""
    return str((network.get("IPAMConfig") or {}).get("IPv4Address") or "")


def container_state(container: Mapping[str, Any]) -> dict[str, str]:
    """Return what belongs to a container's definition, and whether it runs."""
    config, host = container["Config"], container["HostConfig"]
    labels = config.get("Labels") or {}
    service = labels.get(SERVICE_LABEL) if labels.get("com.docker.compose.oneoff") != "True" else None
    key = f"container/{service or str(container['Name']).lstrip('/')}"
    state = str(container["State"]["Status"])
    policy = host.get("RestartPolicy") or {}
    found = {
        f"{key}/image": f"{config['Image']} {str(container['Image']).removeprefix('sha256:')[:12]}",
        f"{key}/state": f"{state} {container['State']['ExitCode']}" if state in {"exited", "dead"} else state,
        f"{key}/restart_policy": f"{policy.get('Name') or 'no'}:{policy.get('MaximumRetryCount', 0)}",
        f"{key}/memory_bytes": str(host.get("Memory") or 0),
        f"{key}/environment": _digest("\n".join(sorted(config.get("Env") or ()))),
        f"{key}/command": json.dumps([*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())])[:200],
        f"{key}/mounts": " ".join(sorted(map(_mount, container.get("Mounts") or ()))),
    }
    for name, network in (container["NetworkSettings"].get("Networks") or {}).items():
        found[f"{key}/network/{name}"] = " ".join([*own_aliases(network, container), fixed_address(network)]).rstrip()
    return found


def network_state(networks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the networks that somebody made."""
    return {
        f"network/{one['Name']}": str(one["Driver"]) + (" internal" if one.get("Internal") else "")
        for one in networks
        if one["Name"] not in _OWN_NETWORKS
    }


def volume_state(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the volumes that have a name."""
    return {
        f"volume/{one['Name']}": str(one["Driver"])
        for one in answer.get("Volumes") or ()
        if not re.fullmatch(r"[0-9a-f]{64}", one["Name"])
    }


def image_state(images: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what each image name stands for."""
    return {
        f"image/{tag}": str(one["Id"]).removeprefix("sha256:")[:12]
        for one in images
        for tag in one.get("RepoTags") or ()
        if tag != "<none>:<none>"
    }


def port_state(text: str) -> dict[str, str]:
    """Return who listens where, from ``ss -H -lntup``.

    UDP has no listeners, only sockets. One on a port that the kernel gave out is a client's, such as a resolver's that
    asks which address is near, and gone in a moment.
    """
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5:
            if fields[0] == "udp" and fields[4].rpartition(":")[2] in _GIVEN_OUT:
                continue
            programs = re.findall(r'\("([^"]+)",', line)
            found.setdefault(f"port/{fields[0]}/{fields[4]}", set()).update(programs or ["?"])
    return {key: " ".join(sorted(programs)) for key, programs in found.items()}


def process_state(text: str) -> dict[str, str]:
    """Return how many processes of each name run on the host, from the ``stat`` files of /proc.

    What a session runs is left out, and so is what the engine starts for each container.
    """
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for line in text.splitlines():
        match = re.match(r"(\d+) \((.*)\) (\S) (\d+) ", line)
        if match and match[3] != "Z":
            names[int(match[1])], parents[int(match[1])] = match[2], int(match[4])
    kept = [names[pid] for pid in names if not _comes_and_goes(pid, parents, names)]
    return {f"process/{name}": str(count) for name, count in Counter(kept).items()}


def iptables_state(table: str, text: str) -> dict[str, str]:
    """Return a digest for each chain; addresses and bridges that the engine gives out do not count, nor does order.

    What Kubernetes and its network plugins make for their pods and services is left out.
    """
    chains: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.search(r"[: ](?:KUBE|CNI)-", line):
            continue
        if match := re.match(r"(?:\[\d+:\d+\] )?:(\S+) (\S+)", line):
            chains.setdefault(match[1], []).append(f"policy {match[2]}")
        elif match := re.match(r"(?:\[\d+:\d+\] )?-A (\S+) (.*)", line):
            rule = re.sub(r"\bbr-[0-9a-f]{12}\b", "<bridge>", match[2])
            if re.search(r"<bridge>|\bdocker0\b|-j MASQUERADE", rule):
                rule = re.sub(r"\b\d+\.\d+\.\d+\.\d+(?:/\d+)?", "<address>", rule)
            chains.setdefault(match[1], []).append(rule)
    return {f"iptables/{table}/{chain}": _digest("\n".join(sorted(rules))) for chain, rules in chains.items()}


def file_state(text: str, project: str) -> dict[str, str]:
    """Return a digest for each file, from ``sha256sum``."""
    found = {}
    for line in text.splitlines():
        digest, _, path = line.lstrip("\\").partition("  ")
        if path:
            found[f"file/{path.removeprefix(project + '/')}"] = digest[:12]
    return found


def _git_state(host: Target, project: str) -> dict[str, str]:
    git = f"git -C {shlex.quote(project)}"
    text = _said(
        host,
        f"if {git} rev-parse --git-dir >/dev/null 2>&1; then {git} rev-parse HEAD; {git} rev-parse --abbrev-ref HEAD; "
        f"{git} status --porcelain; fi",
    )
    lines = text.splitlines()
    if len(lines) < 2:
        return {}
    return {"git/head": lines[0][:12], "git/branch": lines[1], "git/status": "; ".join(lines[2:])[:500] or "clean"}


def _hash_files(project: str, tracked: Sequence[str]) -> str:
    # Patterns are for the shell to expand; whatever else it could make of one becomes "any character".
    more = " ".join(re.sub(r"[^\w./*?\[\]@%+=:,~-]", "?", pattern) for pattern in tracked)
    return f"cd {shlex.quote(project)} || exit; set -- {_ALWAYS} {more}" + _HASH


def _said(host: Target, command: str) -> str:
    said = host.run(command, deadline_s=ANSWERS_WITHIN_S)
    if said.exit_status:
        raise ReplicaError(
            host.name,
            f"the snapshot needs `{command.strip()[:80]}`, which ended with exit status {said.exit_status}",
            evidence=said.err,
        )
    return said.out


def _mount(mount: Mapping[str, Any]) -> str:
    source = str(mount.get("Name") or mount.get("Source") or mount.get("Type"))
    if re.fullmatch(r"[0-9a-f]{64}", source):
        source = "anonymous"
    return f"{source}:{mount['Destination']}:{'rw' if mount.get('RW', True) else 'ro'}"


def _comes_and_goes(pid: int, parents: Mapping[int, int], names: Mapping[int, str]) -> bool:
    """True for what a session runs (its root has no parent) and for what the engine runs for a container."""
    line = list(_line_up(pid, parents))
    above = {names.get(one, "") for one in line[1:]}
    if line[-1] != 1 or names[pid].startswith("containerd-shim"):
        return True
    return names[pid] != "containerd" and any(name == "dockerd" or name.startswith("containerd") for name in above)


def _line_up(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    while pid:
        yield pid
        pid = parents.get(pid, 0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
