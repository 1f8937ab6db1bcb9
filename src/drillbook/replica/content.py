"""What a replica starts from: host image, fixture images and the prepared cache, as one thing that is there or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.errors import ReplicaError
from drillbook.replica.base_image import Progress
from drillbook.replica.builder import build_fixture_images, build_host_image
from drillbook.replica.cache import Cache, cache_of, drop_cache, ensure_cache
from drillbook.replica.compose_images import compose_images, pulled_image
from drillbook.replica.engine import connect_engine
from drillbook.replica.flags import HostKind
from drillbook.replica.node_image import build_node_image

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Content"]


@dataclass(frozen=True, slots=True)
class Content:
    """What one fixture's replicas start from.

    Attributes:
        slug: The fixture's name.
        folder: The fixture's folder.
        project: Name of the project's folder below /srv.
        compose: File below ``project/`` whose services' images are pulled or built; None where all are in ``images/``.
        build_root: Folder that the build contexts of that file are relative to; None for the file's own.
        kind: What the host is.
        names: Folder below ``images/`` -> what the image is called inside; those without are called
            ``drillbook/SLUG/FOLDER:latest``.
        pulled: Images of a registry that are used by their own names, besides those of ``compose``.
    """

    slug: str
    folder: Path
    project: str
    compose: str | None = None
    build_root: Path | None = None
    kind: HostKind = HostKind.DOCKER
    names: Mapping[str, str] = field(default_factory=dict)
    pulled: Sequence[str] = ()

    def images(self, client: "DockerClient", progress: Progress) -> dict[str, str]:
        """Return name inside -> tag on the user's engine of the fixture's own images, built where they are missing.

        Raises:
            ReplicaError: A build failed, or a name is given to an image that is not there.
        """
        built = build_fixture_images(client, self.slug, self.folder, progress)
        if unknown := sorted(set(self.names) - set(built)):
            there = ", ".join(sorted(built)) or "none"
            raise ReplicaError(
                str(self.folder / "replica.py"), f"`images` names {', '.join(unknown)}; there is {there}"
            )
        return {self.names.get(name, f"drillbook/{self.slug}/{name}:latest"): tag for name, tag in built.items()}

    def ensure(self, progress: Progress) -> tuple[str, str]:
        """Return the host image and the cache's volume, both made where they are missing.

        Raises:
            DockerMissing: No engine answers.
            ReplicaError: Something cannot be built; one message says what.
        """
        client = connect_engine()
        try:
            cache = self._cache(client, progress)
            ensure_cache(client, cache, progress)
        finally:
            client.close()
        return cache.host_image, cache.volume

    def drop(self, progress: Progress) -> None:
        """Remove a cache that turned out to be no whole one.

        Raises:
            ReplicaError: It cannot be removed.
        """
        client = connect_engine()
        try:
            drop_cache(client, self._cache(client, progress))
        finally:
            client.close()

    def _cache(self, client: "DockerClient", progress: Progress) -> Cache:
        images: dict[str, str] = {}
        if self.kind is HostKind.KUBERNETES:
            image, images = build_node_image(client, progress)
        else:
            image = build_host_image(client, progress)
        images |= self.images(client, progress)
        where = str(self.folder / "replica.py")
        ids = {name: pulled_image(client, name, where, progress) for name in self.pulled}
        images |= {name: name for name in self.pulled}
        if self.compose:
            root = self.build_root or self.folder / "project"
            theirs = compose_images(
                client, self.slug, self.folder / "project", self.project, self.compose, root, image, progress
            )
            images |= theirs.images
            ids |= theirs.ids
        return cache_of(self.slug, self.folder, self.project, image, images, ids, self.kind)
