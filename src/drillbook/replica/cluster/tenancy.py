"""Namespaces of a user's cluster: made for one run, held by a lease, and removed by whoever finds them abandoned."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from drillbook.clock import SystemClock, poll
from drillbook.errors import ReplicaError
from drillbook.replica.base_image import Progress
from drillbook.replica.cluster.user import UserCluster
from drillbook.replica.ownership import OWNER_LABEL, RUN_LABEL, Owner
from drillbook.replica.reaper import Leftover

__all__ = ["LEASE_S", "Tenancy", "reap_cluster"]

LEASE_S = 60
"""How long a run counts as alive that cannot be looked at from here; the default of Kubernetes' own leases is 15 s, and
a drill must outlive a machine that is busy."""
_RENEW_EVERY_S = 10.0
_QUEUE_WITHIN_S = 1800.0
_REMOVED_WITHIN_S = 180.0
_HOME = "drillbook.home"
_LEASE = "drillbook"
_SHARED = "clusterrolebindings,clusterroles"


class Tenancy:
    """The namespaces of one run.

    Args:
        cluster: Where they are made.
        home: The one that holds the lease.
        namespaces: The others.
        run: Id that all of them carry.
        progress: Told what is waited for.
    """

    def __init__(
        self, cluster: UserCluster, home: str, namespaces: Sequence[str], run: str, progress: Progress
    ) -> None:
        self._cluster = cluster
        self._home = home
        self._names = (home, *sorted(namespaces))
        self._run = run
        self._progress = progress
        self._ahead = timedelta()
        self._is_begun = False
        self._made: set[str] = set()
        self._over = threading.Event()
        self._renewal: threading.Thread | None = None

    def acquire(self, within_s: float = _QUEUE_WITHIN_S) -> None:
        """Make the namespaces, after waiting for those who have them now, and keep the lease from here on.

        They are made in one order by everybody, so that nobody waits in a circle.

        Args:
            within_s: Seconds to wait for another run.

        Raises:
            ReplicaError: One of them is there and not drillbook's, or another run does not end.
        """
        self._is_begun = True
        for name in self._names:
            if not poll(lambda name=name: self._make(name), within_s=within_s, clock=SystemClock(), every_s=1.0):  # type: ignore[misc]
                raise ReplicaError(
                    f"namespace {name}",
                    f"expected the run that has it to end within {within_s:.0f} s, it still runs",
                    hint=f"drillbook reap --cluster context:{self._cluster.context} removes what dead runs left",
                )
            if name == self._home:
                self._begin_lease()

    def release(self) -> None:
        """Remove everything that carries this run's id; harmless when repeated.

        Raises:
            ReplicaError: The cluster did not remove it.
        """
        self._over.set()
        if self._renewal is not None:
            self._renewal.join()
            self._renewal = None
        if self._is_begun:
            _try_all((partial(_remove, self._cluster, self._run), self._remove_unlabelled))
            self._tell_what_is_kept()

    def _remove_unlabelled(self) -> None:
        """Remove a namespace of this run whose label a command of the runbook has taken away."""
        for one in self._cluster.items("namespaces"):
            if one["metadata"]["uid"] in self._made:
                _delete(self._cluster, "namespace", one["metadata"]["name"])

    def _tell_what_is_kept(self) -> None:
        """Name the volumes that their storage class keeps; what is on them may be wanted, and is not ours to judge."""
        try:
            volumes = self._cluster.items("persistentvolumes")
        except ReplicaError as error:
            self._progress(f"whether a storage class keeps volumes of this run is not known: {error.problem}")
            return
        for volume in volumes:
            claim, policy = volume["spec"].get("claimRef") or {}, volume["spec"].get("persistentVolumeReclaimPolicy")
            if claim.get("namespace") in self._names and policy == "Retain":
                name = volume["metadata"]["name"]
                self._progress(f"volume {name} of {claim['namespace']}/{claim['name']} stays: its class keeps volumes")

    def _make(self, name: str) -> bool:
        meta = {
            "name": name,
            "labels": {RUN_LABEL: self._run},
            "annotations": {OWNER_LABEL: Owner.me().label, _HOME: self._home},
        }
        made = self._cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        if made is not None:
            self._made.add(made["metadata"]["uid"])
            return True
        there = self._cluster.get("namespace", name)
        if there is None:
            return False
        run = (there["metadata"].get("labels") or {}).get(RUN_LABEL)
        if run is None:
            raise ReplicaError(
                f"namespace {name}",
                f"expected it not to be there, context {self._cluster.context} has one that drillbook did not make",
                hint="drills run in namespaces of their own only: take a cluster, or a name, that nobody else uses",
            )
        if there["status"].get("phase") != "Terminating":
            if _is_held(self._cluster, there, self._cluster.now()):
                self._progress(f"namespace {name}: another run has it; waiting for its end")
            else:
                self._progress(f"namespace {name}: left by a run that is dead; removing it")
                _remove(self._cluster, run)
        return False

    def _begin_lease(self) -> None:
        self._ahead = self._cluster.now() - datetime.now(UTC)
        spec = {"holderIdentity": self._run, "leaseDurationSeconds": LEASE_S, "renewTime": self._time()}
        meta = {"name": _LEASE, "namespace": self._home}
        self._cluster.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec})
        self._renewal = threading.Thread(target=self._renew, name=f"lease {self._home}", daemon=True)
        self._renewal.start()

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_EVERY_S):
            patch = json.dumps({"spec": {"renewTime": self._time()}})
            try:
                self._cluster.kubectl("-n", self._home, "patch", "lease", _LEASE, "--type=merge", "-p", patch)
            except ReplicaError as error:
                # The next one may go through; a cluster that is gone is told by everything else that asks it.
                self._progress(f"the lease in {self._home} was not renewed: {error.problem}")

    def _time(self) -> str:
        return (datetime.now(UTC) + self._ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def reap_cluster(cluster: UserCluster) -> list[Leftover]:
    """Remove what dead runs left on a cluster, and return what was removed.

    Raises:
        ReplicaError: The cluster does not answer, or did not remove it.
    """
    namespaces = cluster.items("namespaces", "-l", RUN_LABEL)
    now = cluster.now()
    alive = {_run_of(one) for one in namespaces if _is_held(cluster, one, now)}
    dead = [Leftover("namespace", one["metadata"]["name"], _run_of(one), owned=False) for one in namespaces]
    dead += [
        Leftover(one["kind"].lower(), one["metadata"]["name"], _run_of(one), owned=False)
        for one in cluster.items(_SHARED, "-l", RUN_LABEL)
    ]
    dead = [one for one in dead if one.run not in alive]
    _try_all(partial(_remove, cluster, run) for run in sorted({one.run for one in dead}))
    return dead


def _run_of(thing: Mapping[str, Any]) -> str:
    return str(thing["metadata"]["labels"][RUN_LABEL])


def _is_held(cluster: UserCluster, namespace: Mapping[str, Any], now: datetime) -> bool:
    """True where the run that made a namespace lives, as far as can be known from here."""
    notes = namespace["metadata"].get("annotations") or {}
    owner = Owner.parse(notes.get(OWNER_LABEL, ""))
    alive = owner.is_alive() if owner else None
    if alive is not None:
        return alive
    lease = cluster.get("-n", notes.get(_HOME, ""), "lease", _LEASE) if notes.get(_HOME) else None
    said = namespace["metadata"]["creationTimestamp"]  # between this and its lease a run is alive as well
    if lease and lease["spec"].get("holderIdentity") == _run_of(namespace):
        said = max(said, lease["spec"]["renewTime"])
    return now - datetime.fromisoformat(said) <= timedelta(seconds=LEASE_S)


def _remove(cluster: UserCluster, run: str) -> None:
    chosen = ("-l", f"{RUN_LABEL}={run}")
    _try_all(partial(_delete, cluster, kinds, *chosen) for kinds in (_SHARED, "namespaces"))


def _delete(cluster: UserCluster, *words: str) -> None:
    cluster.kubectl("delete", *words, "--ignore-not-found", within_s=_REMOVED_WITHIN_S)


def _try_all(removals: Iterable[Callable[[], None]]) -> None:
    """Try each removal, whatever became of the one before; the first failure is raised last."""
    failures: list[ReplicaError] = []
    for remove in removals:
        try:
            remove()
        except ReplicaError as error:
            failures.append(error)
    if failures:
        raise failures[0]
