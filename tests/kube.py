"""A system for a Kubernetes node that is as small as can be."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from drillbook.replica.kube_node import KubeReplica

NODE = "kubernetes-admin@tiny-kube"
"""The context that kubeadm gives the administrator: USER@CLUSTER."""
DOCKERFILE = """ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends procps perl-base && rm -rf /var/lib/apt/lists/*
CMD ["sleep", "infinity"]
"""
SERVER = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die; "
    "while (my $c = $s->accept) { my $l = <$c>; print $c qq(HTTP/1.0 200 OK\\r\\n\\r\\nopen\\n); close $c }"
)
"""A web server in Perl, on port 8000."""
PREPARE = """
git init -q && git add -A && git commit -qm 'Deploy 1'
"""


def deployment(
    name: str, image: str = "shop/web:1", command: str = "exec sleep infinity", shell: bool = True, space: str = "shop"
) -> str:
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"memory": "64Mi"}},
        **({"command": ["sh", "-c", command]} if shell else {}),
    }
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": space},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
        }
    )


MANIFESTS = "\n---\n".join(
    [
        json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        deployment("web"),
        deployment("crashing", command="exit 3"),
        deployment("shell-less", image="drillbook/kube/pause:latest", shell=False),
        json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "shop"}}),
    ]
)


def write_tiny(place: Path) -> Path:
    """Write the system's folder."""
    folder = place / "tiny-kube"
    (folder / "images" / "web").mkdir(parents=True)
    (folder / "project").mkdir()
    (folder / "images" / "web" / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (folder / "project" / "manifests.json").write_text(MANIFESTS, encoding="utf-8")
    (folder / "prepare").write_text(PREPARE, encoding="utf-8")
    return folder


def tiny(folder: Path, *, images: Mapping[str, str] | None = None, pulled: Sequence[str] = ()) -> KubeReplica:
    """Return its replica on a node of its own."""
    return KubeReplica(
        slug="tiny-kube",
        folder=folder,
        project="tiny-kube",
        workloads={"web": "shop/deployment/web"},
        ports={},
        images={"web": "shop/web:1", **(images or {})},
        pulled=pulled,
        start_command="kubectl create --validate=false -f manifests.json",
    )
