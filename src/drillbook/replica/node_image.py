"""The image of a Kubernetes node, and the images of what the cluster itself runs."""

from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.replica.base_image import Progress
from drillbook.replica.builder import build_fixture_images, build_host_image, build_image
from drillbook.replica.go_programs import built_programs

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["build_node_image"]


def build_node_image(client: "DockerClient", progress: Progress) -> tuple[str, dict[str, str]]:
    """Return the tag of the node's image, and name in the cluster -> tag of the images that every cluster needs.

    Raises:
        ReplicaError: Something cannot be built.
    """
    host = build_host_image(client, progress)
    with ExitStack() as stack:
        folder = stack.enter_context(as_file(files("drillbook.replica") / "node"))
        arch = str(client.version()["Arch"])

        def programs() -> dict[str, Path]:
            built = stack.enter_context(built_programs(folder / "programs", arch, progress))
            return {f"bin/{name}": path for name, path in built.items()}

        args = {"HOST": host}
        tag = build_image(client, "drillbook/kube-programs", folder / "programs", args, progress, more=programs)
        args = {"PROGRAMS": tag}
        node = build_image(client, "drillbook/kube-node", folder, args, progress)
        system = build_fixture_images(client, "kube", folder, progress, args)
    return node, {f"drillbook/kube/{name}:latest": built for name, built in system.items()}
