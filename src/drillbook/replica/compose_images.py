"""The images of somebody's own compose file: pulled or built by the user's engine, with the user's logins."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from drillbook.errors import ReplicaError
from drillbook.replica.archive import folder_as_tar
from drillbook.replica.base_image import Progress
from drillbook.replica.builder import build_image
from drillbook.replica.digest import folder_digest
from drillbook.replica.engine import engine_error
from drillbook.replica.flags import owner_labels
from drillbook.replica.ownership import new_run_id

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["ComposeImages", "compose_images", "pulled_image"]

_PROJECT = PurePosixPath("/srv/project")
_SETTINGS: dict[tuple[str, str, str], dict[str, Any]] = {}
"""What Compose makes of a file, by content; asked once a process."""


@dataclass(frozen=True, slots=True)
class ComposeImages:
    """Images of a project.

    Attributes:
        images: Name that Compose uses -> tag on the user's engine.
        ids: Tag -> the image's id, of those that were pulled.
    """

    images: Mapping[str, str]
    ids: Mapping[str, str] = field(default_factory=dict)


def compose_images(
    client: "DockerClient",
    slug: str,
    folder: Path,
    project: str,
    compose: str,
    build_root: Path,
    host_image: str,
    progress: Progress,
) -> ComposeImages:
    """Return the images of a compose file, pulled or built where they are missing.

    Compose itself, in the host image, says what the file means: variables, ``extends`` and ``.env`` are its affair.

    Args:
        client: The user's engine.
        slug: The fixture's name.
        folder: Where the compose file is.
        project: Name of the project: images of ``build`` without ``image`` are called by it.
        compose: The file's name.
        build_root: Folder that build contexts are relative to.
        host_image: What a replica's host runs from.
        progress: Told what is pulled and built.

    Raises:
        ReplicaError: Compose cannot read the file, an image cannot be pulled, or a build failed.
    """
    settings = _settings(client, folder, project, compose, host_image)
    images: dict[str, str] = {}
    ids: dict[str, str] = {}
    for service, wanted in sorted(settings.get("services", {}).items()):
        name = str(wanted.get("image") or f"{project}-{service}")
        if wanted.get("build"):
            images[name] = _built(client, slug, service, wanted["build"], build_root, progress)
        else:
            images[name] = name
            ids[name] = pulled_image(client, name, f"service {service}", progress)
    return ComposeImages(images, ids)


def _settings(client: "DockerClient", folder: Path, project: str, compose: str, host_image: str) -> dict[str, Any]:
    key = (folder_digest(folder), compose, host_image)
    if key not in _SETTINGS:
        _SETTINGS[key] = _ask_compose(client, folder, project, compose, host_image)
    return _SETTINGS[key]


def _ask_compose(client: "DockerClient", folder: Path, project: str, compose: str, host_image: str) -> dict[str, Any]:
    import requests
    from docker.errors import DockerException

    container = None
    try:
        container = client.containers.create(
            host_image,
            ["-f", compose, "-p", project, "config", "--format", "json"],
            entrypoint="docker-compose",
            working_dir=str(_PROJECT),
            network_mode="none",
            labels=owner_labels(new_run_id(), "compose"),
        )
        with folder_as_tar(folder) as content:
            container.put_archive(str(_PROJECT), content)
        container.start()
        status = int(container.wait(timeout=60)["StatusCode"])
        said, complained = (
            container.logs(stdout=out, stderr=not out).decode("utf-8", "replace") for out in (True, False)
        )
    except (DockerException, requests.RequestException) as error:
        raise engine_error(str(folder / compose), "asking Compose what the file means", error) from error
    finally:
        if container is not None:
            container.remove(force=True, v=True)
    if status:
        raise ReplicaError(str(folder / compose), "Compose cannot read it", evidence=complained or said)
    settings: dict[str, Any] = json.loads(said)
    return settings


def _built(
    client: "DockerClient", slug: str, service: str, build: Mapping[str, Any], root: Path, progress: Progress
) -> str:
    context = PurePosixPath(str(build.get("context", ".")))
    where = f"{root}, service {service}"
    if not context.is_relative_to(_PROJECT):
        hint = "build contexts lie below the project's folder; write the image's name instead"
        raise ReplicaError(where, f"expected a build context in the project, got {context}", hint=hint)
    folder = root / context.relative_to(_PROJECT)
    if not folder.is_dir():
        raise ReplicaError(
            where, f"expected the build context {folder}, found none", hint="set build_root in replica.py"
        )
    args = {str(name): str(value) for name, value in (build.get("args") or {}).items() if value is not None}
    dockerfile = str(build.get("dockerfile") or "Dockerfile")
    target = str(build.get("target") or "")
    return build_image(client, f"drillbook/{slug}-{service}", folder, args, progress, dockerfile, target)


def pulled_image(client: "DockerClient", name: str, where: str, progress: Progress) -> str:
    """Return the id of an image of a registry, pulled where the user's engine has none of that name.

    Args:
        client: The user's engine.
        name: As in ``docker pull NAME``.
        where: What asks for it, named in errors.
        progress: Told that it is pulled.

    Raises:
        ReplicaError: It cannot be pulled; the hint is the command to type.
    """
    import requests
    from docker.errors import DockerException, ImageNotFound

    try:
        try:
            return str(client.images.get(name).id)
        except ImageNotFound:
            progress(f"image {name}: pulling")
        repository, _, tag = name.partition("@") if "@" in name else _split(name)
        client.api.pull(repository, tag=tag, stream=False)
        return str(client.images.get(name).id)
    except (DockerException, requests.RequestException) as error:
        hint = f"docker pull {name}; where it is private: docker login {name.partition('/')[0]}"
        failed = engine_error(where, f"pulling {name}", error)
        raise ReplicaError(failed.where, failed.problem, evidence=failed.evidence, hint=hint) from error


def _split(name: str) -> tuple[str, str, str]:
    """Return repository, mark and tag; a port in the registry's name is no tag."""
    repository, mark, tag = name.rpartition(":")
    return (repository, mark, tag) if mark and "/" not in tag else (name, ":", "latest")
