"""Drills of the web3 marketplace, on a Kubernetes node: what breaks, and what is declared of it.

A row says which alert must fire (None: none does, a finding about the alerts), which scenario diagnosis must name
(None: the document does not know the cause) and after which scenario verification is green (None: the document does
not heal it).
"""

import base64

import pytest

from drillbook.budget import Budget, Milestone
from drillbook.case import Case
from drillbook.faults.certificate import CertificateExpired
from drillbook.faults.connections import ConnectionsExhausted
from drillbook.faults.disconnect import Disconnect
from drillbook.faults.disk import DiskFull
from drillbook.faults.evicted import PodsEvicted
from drillbook.faults.killed_again import KilledAgain
from drillbook.faults.lagging import ReplicaLags
from drillbook.faults.node_part import PartDown
from drillbook.faults.object import NoAnswer, ObjectChanged, PodStuck
from drillbook.faults.oom import OutOfMemory
from drillbook.faults.pause import Pause
from drillbook.faults.policy import PolicyBlocks
from drillbook.faults.redis_full import RedisFull
from drillbook.faults.stop import Stop
from drillbook.units import parse_bytes

RESTART = "3. Immediate Recovery Attempts"
BACKEND = "Backend Service Down"
FRONTEND = "Frontend Service Down"
DATABASE = "Database Service Down"
REDIS = "Redis Service Down"
EXTERNAL = "6. External Dependencies"

NAMESPACE = "web3-marketplace-prod"
DEPLOYMENT = f"{NAMESPACE}/deployment/backend-deployment"
API_GONE = NoAnswer("http://backend-service.web3-marketplace-prod.svc:3000/live")

BUDGETS = (
    Budget(Milestone.PERSON, "Immediate Actions (0-5 minutes)"),
    Budget(Milestone.NAMED, "Investigation (5-15 minutes)"),
)


def down(service: str) -> str:
    """Return the alert that a service is down, which is one for all services."""
    return f'ServiceDown{{service_name="{service}"}}'


def stuck(*reasons: str) -> PodStuck:
    """Return the symptom of a pod of the backend that does not come up."""
    return PodStuck(NAMESPACE, "backend", reasons)


def container(**changes: object) -> dict[str, object]:
    """Return a patch of the backend's container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "backend", **changes}]}}}}


NO_ADDRESS = {"name": "EXTERNAL_API_URL", "value": "", "valueFrom": None}
OLD_PASSWORD = base64.b64encode(b"postgres://marketplace:old@postgres-primary-service:5432/web3marketplace").decode()
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "listings-cache"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "no-such-class",
        "resources": {"requests": {"storage": "32Mi"}},
    },
}
CACHE = {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "listings-cache"}}]}

CRASHES = ObjectChanged(
    DEPLOYMENT, container(env=[NO_ADDRESS]), stuck("CrashLoopBackOff"), "a release whose EXTERNAL_API_URL is empty"
)
NO_IMAGE = ObjectChanged(
    DEPLOYMENT,
    container(image="web3-marketplace/backend:2.5.0"),
    stuck("ErrImagePull", "ImagePullBackOff"),
    "a release whose image is in no registry",
)
NEVER_READY = ObjectChanged(
    DEPLOYMENT,
    container(readinessProbe={"httpGet": {"path": "/healthz", "port": "http"}}),
    stuck("ContainersNotReady"),
    "a release whose readiness probe asks for a path that is not there",
)
TOO_BIG = ObjectChanged(
    DEPLOYMENT,
    container(resources={"requests": {"memory": "3Gi"}, "limits": {"memory": "3Gi"}, "$patch": "replace"}),
    stuck("Unschedulable"),
    "a release that requests more memory than the node has",
)
UNBOUND = ObjectChanged(
    DEPLOYMENT,
    {"spec": {"template": {"spec": CACHE}}},
    stuck("Unschedulable"),
    "a release with a claim of a storage class that is not there",
    brings=(CLAIM,),
)
NO_KEY = ObjectChanged(
    f"{NAMESPACE}/configmap/web3-marketplace-config",
    {"data": {"REDIS_URL": None}},
    API_GONE,
    "REDIS_URL is gone from the ConfigMap, and the backend was started anew",
    restarts=("backend",),
)
OLD_SECRET = ObjectChanged(
    f"{NAMESPACE}/secret/web3-marketplace-secrets",
    {"data": {"DATABASE_URL": OLD_PASSWORD}},
    API_GONE,
    "the Secret has a password of the database that is not valid, and the backend was started anew",
    restarts=("backend",),
)
NO_SELECTOR = ObjectChanged(
    f"{NAMESPACE}/service/backend-service",
    {"spec": {"selector": {"app": "backend-v2"}}},
    API_GONE,
    "the Service of the backend selects pods that are not there",
)
NO_QUOTA = ObjectChanged(
    f"{NAMESPACE}/resourcequota/web3-marketplace-quota",
    {"spec": {"hard": {"pods": "2"}}},
    API_GONE,
    "the namespace may have two pods, and the backend's have to be made anew",
    restarts=("backend",),
)

IMPATIENT = ObjectChanged(
    DEPLOYMENT,
    container(
        command=["sh", "-c", "sleep 20; exec node server.js"],
        livenessProbe={"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 2},
    ),
    stuck("CrashLoopBackOff"),
    "a release that starts slowly, with a liveness probe that does not wait for it",
)

TABLE = (
    Case("backend-scaled", (Stop("backend"),), alert=down("backend"), cause=BACKEND, heals=RESTART),
    Case("backend-hung", (Pause("backend"),), alert=down("backend"), cause=BACKEND, heals=BACKEND),
    Case("backend-cut", (Disconnect("backend"),), alert=down("backend"), cause=BACKEND, heals=BACKEND),
    Case(
        "backend-evicted",
        (PodsEvicted(NAMESPACE, "backend", API_GONE),),
        alert=down("backend"),
        cause=BACKEND,
        heals=None,
    ),
    Case("backend-killed", (KilledAgain("backend"),), alert=down("backend"), cause=BACKEND, heals=None),
    Case("backend-impatient", (IMPATIENT,), alert=None, cause=BACKEND, heals=None),
    Case(
        "backend-oom", (OutOfMemory("backend", parse_bytes("180M")),), alert=down("backend"), cause=BACKEND, heals=None
    ),
    Case("backend-crashes", (CRASHES,), alert=None, cause=BACKEND, heals=None),
    Case("backend-image", (NO_IMAGE,), alert=None, cause=BACKEND, heals=None),
    Case("backend-never-ready", (NEVER_READY,), alert=None, cause=BACKEND, heals=None),
    Case("backend-too-big", (TOO_BIG,), alert=None, cause=BACKEND, heals=None),
    Case("backend-claim", (UNBOUND,), alert=None, cause=BACKEND, heals=None),
    Case("config-key", (NO_KEY,), alert=down("backend"), cause=BACKEND, heals=None),
    Case("secret", (OLD_SECRET,), alert=down("backend"), cause=BACKEND, heals=None),
    Case("selector", (NO_SELECTOR,), alert=down("backend"), cause=None, heals=None),
    Case("quota", (NO_QUOTA,), alert=down("backend"), cause=BACKEND, heals=None),
    Case("frontend-hung", (Pause("frontend"),), alert=down("frontend"), cause=FRONTEND, heals=FRONTEND),
    Case("database-hung", (Pause("postgres-primary"),), alert=down("postgres-primary"), cause=DATABASE, heals=DATABASE),
    Case(
        "database-cut",
        (Disconnect("postgres-primary"),),
        alert=down("postgres-primary"),
        cause=DATABASE,
        heals=DATABASE,
    ),
    Case("database-scaled", (Stop("postgres-primary"),), alert=down("postgres-primary"), cause=DATABASE, heals=None),
    Case(
        "database-connections",
        (ConnectionsExhausted("postgres-primary", "marketplace", "web3marketplace", sessions=60, ends_others=True),),
        alert=down("backend"),
        cause=DATABASE,
        heals=None,
    ),
    Case(
        "database-disk",
        (DiskFull("postgres-primary", "/var/lib/volumes/postgres-primary/backups/dump-1.sql"),),
        alert=None,
        cause=DATABASE,
        heals=None,
    ),
    Case(
        "database-lags", (ReplicaLags("postgres-replica", "postgres-primary"),), alert=None, cause=DATABASE, heals=None
    ),
    Case(
        "database-policy",
        (PolicyBlocks(NAMESPACE, "postgres-primary", 5432),),
        alert=down("backend"),
        cause=DATABASE,
        heals=None,
    ),
    Case("redis-hung", (Pause("redis-master"),), alert=down("redis-master"), cause=REDIS, heals=REDIS),
    Case("redis-cut", (Disconnect("redis-master"),), alert=down("redis-master"), cause=REDIS, heals=REDIS),
    Case("redis-full", (RedisFull("redis-master"),), alert=None, cause=REDIS, heals=None),
    Case("external", (Stop("outside"),), alert=None, cause=EXTERNAL, heals=None),
    Case("dns", (Stop("dns"),), alert=None, cause=None, heals=None),
    Case(
        "certificate",
        (CertificateExpired("https://api.web3marketplace.com/health", "./certificate expired", "./certificate valid"),),
        alert=None,
        cause=None,
        heals=None,
    ),
    Case("api-server", (PartDown("kube-apiserver"),), alert=None, cause=None, heals=None, blind=True),
    Case(
        "kubelet",
        (
            PartDown(
                "kubelet", shows="kubectl get node -o jsonpath={.items[0].status.conditions[-1].status} | grep -v True"
            ),
        ),
        alert=down("backend"),
        cause=None,
        heals=None,
    ),
)


@pytest.mark.chaos
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_drill(case, drill):
    """The runbook finds and heals what the table declares, keeps accepted orders, and leaves nothing behind."""
    drill(case, budgets=BUDGETS)
