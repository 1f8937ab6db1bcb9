"""What every replica of a fixture starts from: images, registry and repository, prepared once for each content.

The engine itself keeps two processes apart: the container that prepares has a name made from the digest, and a name
can be had once. The volume counts as prepared only with the file that the last command of the preparation writes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.clock import SystemClock, poll
from drillbook.errors import ReplicaError
from drillbook.replica.archive import folder_as_tar
from drillbook.replica.base_image import Progress
from drillbook.replica.digest import combined_digest, folder_digest
from drillbook.replica.engine import connect_engine, engine_error
from drillbook.replica.flags import STATE, HostKind, host_flags, owner_labels
from drillbook.replica.ownership import CACHE_LABEL, is_abandoned, new_run_id
from drillbook.replica.removal import created_at, remove_container
from drillbook.signals import uninterrupted

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["Cache", "cache_of", "drop_cache", "ensure_cache"]

_PREPARE_WITHIN_S = 600.0
_KEEP = 2
_NOT_CONTENT = frozenset({"README.md", "faults.py", "replica.py"})
"""Files of a fixture that stay on this machine."""


@dataclass(frozen=True, slots=True)
class Cache:
    """One prepared state.

    Attributes:
        slug: Fixture that it belongs to.
        folder: The fixture's folder.
        project: Name below /srv.
        host_image: What the host runs from.
        images: Name inside of the replica -> tag on the user's engine.
        digest: Of all this.
        kind: What the host is.
    """

    slug: str
    folder: Path
    project: str
    host_image: str
    images: Mapping[str, str]
    digest: str
    kind: HostKind = HostKind.DOCKER

    @property
    def volume(self) -> str:
        """Name of the volume that keeps it."""
        return f"drillbook-cache-{self.digest}"

    @property
    def preparer(self) -> str:
        """Name of the container that makes it; the engine lets one process have it."""
        return f"drillbook-prepare-{self.slug}-{self.digest}"


def cache_of(
    slug: str,
    folder: Path,
    project: str,
    host_image: str,
    images: Mapping[str, str],
    ids: Mapping[str, str],
    kind: HostKind = HostKind.DOCKER,
) -> Cache:
    """Return the cache that belongs to this content, whether it is there or not.

    Args:
        slug: Fixture that it belongs to.
        folder: The fixture's folder.
        project: Name below /srv.
        host_image: What the host runs from.
        images: Name inside of the replica -> tag on the user's engine.
        ids: Tag -> what it stands for, where the tag alone does not say: one that was pulled.
        kind: What the host is.
    """
    content = folder_digest(folder, without=_NOT_CONTENT)
    tags = (f"{name}={tag} {ids.get(tag, '')}" for name, tag in sorted(images.items()))
    return Cache(slug, folder, project, host_image, images, combined_digest(content, project, host_image, *tags), kind)


def ensure_cache(client: "DockerClient", cache: Cache, progress: Progress) -> None:
    """Prepare the cache unless it is there; wait where another process is preparing it.

    A volume that is there and that nobody is preparing is taken to be whole; the host that starts from it looks, and
    says with exit status 42 that it is not (then ``drop_cache`` and come here again).

    Raises:
        ReplicaError: The preparation failed; the message ends with its last lines.
    """
    waited = False

    def settled() -> bool:
        nonlocal waited
        other = _named(client, cache.preparer)
        if other is None:
            return True
        if is_abandoned(other.labels, created_at(other.attrs)):
            _abandon(client, cache, other)
            return True
        if not waited:
            progress(f"{cache.slug}: another process is preparing the replica's content; waiting for it")
            waited = True
        return False

    while True:
        if not poll(settled, within_s=_PREPARE_WITHIN_S, clock=SystemClock(), every_s=0.3):
            raise ReplicaError(
                cache.preparer,
                f"expected its end within {_PREPARE_WITHIN_S:.0f} s, it still runs",
                hint="drillbook reap",
            )
        if _volume_exists(client, cache.volume):
            return
        progress(f"{cache.slug}: preparing the replica's content (images, registry, repository), once")
        if _prepare(client, cache, progress):
            _forget_old(client, cache)
            return


def drop_cache(client: "DockerClient", cache: Cache) -> None:
    """Remove a cache that turned out to be no whole one; harmless where it is gone or used."""
    from docker.errors import APIError

    if _named(client, cache.preparer) is not None:
        return
    try:
        client.api.remove_volume(cache.volume, force=True)
    except APIError as error:
        if error.status_code not in {404, 409}:
            raise engine_error(cache.volume, "removing the half-made cache", error) from error


def _prepare(client: "DockerClient", cache: Cache, progress: Progress) -> bool:
    """Make the volume; False where another process was quicker."""
    run = new_run_id()
    container: Container | None = None
    done = False
    try:
        with uninterrupted():
            container = _create(client, cache, run)
        if container is None:
            return False
        _fill(client, cache, container)
        _run(container, cache, progress)
        done = True
        return True
    finally:
        if container is not None:
            with uninterrupted():
                remove_container(client, container, run, cache.host_image)
                if not done:
                    drop_cache(client, cache)


def _create(client: "DockerClient", cache: Cache, run: str) -> "Container | None":
    from docker.errors import APIError
    from docker.types import Mount

    labels = {CACHE_LABEL: cache.digest, "drillbook.slug": cache.slug}
    try:
        return client.containers.create(
            cache.host_image,
            ["prepare"],
            name=cache.preparer,
            hostname=cache.slug,
            environment={
                "DRILLBOOK_RUN": run,
                "DRILLBOOK_PROJECT": cache.project,
                "DRILLBOOK_IMAGES": " ".join(f"{tag}={name}" for name, tag in cache.images.items() if tag != name),
            },
            labels={**owner_labels(run, "prepare"), "drillbook.volume": cache.volume},
            mounts=[Mount(STATE, cache.volume, labels=labels)],
            **host_flags(client, cache.kind),
        )
    except APIError as error:
        if error.status_code == 409:
            return None
        raise engine_error(cache.preparer, "preparing the replica's content", error) from error


def _fill(client: "DockerClient", cache: Cache, container: "Container") -> None:
    """Copy fixture and images into the container, which does not run yet."""
    import requests
    from docker.errors import DockerException

    try:
        with folder_as_tar(cache.folder) as fixture:
            container.put_archive("/fixture", fixture)
        if cache.images:
            with _saved(client, sorted(set(cache.images.values()))) as stream:
                container.put_archive("/images", stream)
    except (DockerException, requests.RequestException) as error:
        raise engine_error(cache.preparer, "copying the images into the replica", error) from error


@contextmanager
def _saved(client: "DockerClient", names: list[str]) -> Iterator[Any]:
    """Yield one stream that holds all the images, so that what they share is in it once."""
    address = f"{client.api.base_url}/v{client.api.api_version}/images/get"
    response = client.api.get(address, params={"names": names}, stream=True, timeout=600)
    try:
        response.raise_for_status()
        yield response.iter_content(1 << 20)
    finally:
        response.close()


def _run(container: "Container", cache: Cache, progress: Progress) -> None:
    import requests
    from docker.errors import DockerException

    patient = connect_engine(_PREPARE_WITHIN_S)
    lines: list[str] = []
    try:
        container.start()
        for chunk in patient.containers.get(str(container.id)).logs(stream=True, follow=True):
            for line in chunk.decode("utf-8", "replace").splitlines():
                lines = [*lines[-40:], line]
                if line.startswith("drillbook: "):
                    progress(f"{cache.slug}: {line.removeprefix('drillbook: ')}")
        status = int(container.wait()["StatusCode"])
    except (DockerException, requests.RequestException) as error:
        raise engine_error(
            cache.preparer, "preparing the replica's content", f"{chr(10).join(lines)}\n{error}"
        ) from error
    finally:
        patient.close()
    if status:
        what = f"preparing the replica's content ({cache.folder / 'prepare'}, exit status {status})"
        raise engine_error(cache.preparer, what, "\n".join(lines))


def _abandon(client: "DockerClient", cache: Cache, other: "Container") -> None:
    """Remove what a killed preparation left."""
    remove_container(client, other, other.labels.get("drillbook.run", ""), cache.host_image)
    drop_cache(client, cache)


def _named(client: "DockerClient", name: str) -> "Container | None":
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def _volume_exists(client: "DockerClient", name: str) -> bool:
    from docker.errors import NotFound

    try:
        client.volumes.get(name)
    except NotFound:
        return False
    return True


def _forget_old(client: "DockerClient", cache: Cache) -> None:
    """Remove all but the newest caches of this fixture; those in use stay."""
    from docker.errors import APIError

    ours = [
        volume
        for volume in client.volumes.list(filters={"label": [CACHE_LABEL, f"drillbook.slug={cache.slug}"]})
        if volume.name != cache.volume
    ]
    for volume in sorted(ours, key=lambda volume: created_at(volume.attrs), reverse=True)[_KEEP - 1 :]:
        try:
            volume.remove()
        except APIError as error:
            if error.status_code not in {404, 409}:
                raise engine_error(str(volume.name), "removing an old cache", error) from error
