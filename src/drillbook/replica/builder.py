"""Images of a replica: built by the user's engine, once for each content."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from drillbook.errors import ReplicaError
from drillbook.replica.archive import folder_as_tar
from drillbook.replica.base_image import Progress, ensure_base_image
from drillbook.replica.digest import combined_digest, folder_digest
from drillbook.replica.engine import engine_error

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["build_fixture_images", "build_host_image", "build_image", "in_build_order"]

_KEEP = 3
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_CERTIFICATE_ARGS = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")
_IN_IMAGE = "/drillbook/ca.pem"


def build_host_image(client: "DockerClient", progress: Progress) -> str:
    """Return the tag of the image that a replica's host runs from.

    Raises:
        ReplicaError: There is no base image, no network, or no room.
    """
    base = ensure_base_image(client, progress)
    with as_file(files("drillbook.replica") / "host") as folder:
        return build_image(client, "drillbook/host", folder, {"BASE": base}, progress)


def build_fixture_images(
    client: "DockerClient", slug: str, folder: Path, progress: Progress, args: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return name -> tag for every folder below ``images/`` of a fixture; what is there already is not built again.

    Args:
        client: The user's engine.
        slug: The fixture's name.
        folder: The fixture's folder.
        progress: Told what is being built.
        args: Further build arguments.

    Raises:
        ReplicaError: A build failed; the message ends with its last lines.
    """
    base = ensure_base_image(client, progress)
    built: dict[str, str] = {}
    for name, needs in in_build_order(folder / "images"):
        needed = {f"NEEDS_{need.upper().replace('-', '_')}": built[need] for need in needs}
        with_args = {"BASE": base, **(args or {}), **needed}
        built[name] = build_image(client, f"drillbook/{slug}-{name}", folder / "images" / name, with_args, progress)
    return built


def in_build_order(images: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Return the images below a folder with what each needs, those that are needed first.

    Raises:
        ReplicaError: A Dockerfile is missing, or an image needs one that is not there, or itself.
    """
    needs: dict[str, tuple[str, ...]] = {}
    for folder in sorted(path for path in images.glob("*") if path.is_dir()):
        dockerfile = folder / "Dockerfile"
        if not dockerfile.is_file():
            raise ReplicaError(str(folder), "expected a Dockerfile, found none")
        first = dockerfile.read_text(encoding="utf-8").partition("\n")[0]
        match = re.fullmatch(r"#\s*needs:\s*(.+)", first.strip())
        needs[folder.name] = tuple(re.split(r"[,\s]+", match[1].strip())) if match else ()
    order: list[tuple[str, tuple[str, ...]]] = []
    while len(order) < len(needs):
        done = {name for name, _ in order}
        ready = [(name, need) for name, need in needs.items() if name not in done and done.issuperset(need)]
        if not ready:
            stuck = ", ".join(f"{name} needs {' '.join(need)}" for name, need in needs.items() if name not in done)
            raise ReplicaError(str(images), f"these images wait for what is not there: {stuck}")
        order += ready
    return order


def build_image(
    client: "DockerClient",
    repository: str,
    folder: Path,
    args: Mapping[str, str],
    progress: Progress,
    dockerfile: str = "Dockerfile",
    target: str = "",
    more: Callable[[], Mapping[str, Path]] | None = None,
) -> str:
    """Return the tag of an image, built where its content was not built before.

    Args:
        client: The user's engine.
        repository: What the tag begins with; this module alone writes it.
        folder: The build context.
        args: Build arguments.
        progress: Told what is being built.
        dockerfile: Its path in the folder.
        target: The stage to build; empty for the last.
        more: Makes further programs for the build context, path in it -> file, from what is in the folder; called only
            where something is built.

    Raises:
        ReplicaError: The build failed; the message ends with its last lines.
    """
    from docker.errors import ImageNotFound

    how = [text for text in (dockerfile if dockerfile != "Dockerfile" else "", target) if text]
    tag = f"{repository}:{combined_digest(folder_digest(folder), *args.values(), *how)}"
    try:
        client.images.get(tag)
        return tag
    except ImageNotFound:
        progress(f"image {repository}: building")
    certificates = _certificate_bundle()
    all_args = {**args, **_proxies(), **(dict.fromkeys(_CERTIFICATE_ARGS, _IN_IMAGE) if certificates else {})}
    # The folder is always there, so that a Dockerfile can copy it; an earlier stage uses what is in it.
    with folder_as_tar(folder, {".drillbook/ca.pem": certificates, **(more() if more else {})}) as context:
        _follow(_steps(client, context, tag, all_args, dockerfile, target), tag, progress)
    _forget_old(client, repository)
    return tag


def _steps(
    client: "DockerClient", context: IO[bytes], tag: str, args: Mapping[str, str], dockerfile: str, target: str
) -> Iterator[dict[str, Any]]:
    import requests
    from docker.errors import DockerException

    local_proxy = any(re.search(r"//(127\.|localhost)", value) for value in _proxies().values())
    try:
        yield from client.api.build(
            fileobj=context,
            custom_context=True,
            tag=tag,
            buildargs=dict(args),
            dockerfile=dockerfile,
            target=target or None,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=600,
            use_config_proxy=True,
            network_mode="host" if local_proxy else None,
        )
    except (DockerException, requests.RequestException) as error:
        raise engine_error(tag, "building the image", error) from error


def _follow(steps: Iterator[dict[str, Any]], tag: str, progress: Progress) -> None:
    lines: list[str] = []
    for step in steps:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(step.get("stream") or step.get("error") or ""))
        lines = (lines + [line for line in text.splitlines() if line.strip()])[-60:]
        if "error" in step:
            raise engine_error(tag, "building the image", "\n".join(lines))
        if match := re.match(r"Step \d+/\d+ : (?:RUN|COPY)\b.{0,60}", text):
            progress(f"image {tag.partition(':')[0]}: {match[0]}")


def _certificate_bundle() -> bytes:
    path = os.environ.get("SSL_CERT_FILE", "")
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise ReplicaError(path, f"SSL_CERT_FILE names what cannot be read: {error.strerror}") from error


def _proxies() -> dict[str, str]:
    names = [*_PROXIES, *(name.lower() for name in _PROXIES)]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _forget_old(client: "DockerClient", repository: str) -> None:
    """Remove all but the newest tags of a repository that only this module writes; those in use stay."""
    from docker.errors import APIError

    tagged = [(image.attrs.get("Created", ""), tag) for image in client.images.list(repository) for tag in image.tags]
    for _, tag in sorted((entry for entry in tagged if entry[1].startswith(repository + ":")), reverse=True)[_KEEP:]:
        try:
            client.images.remove(tag)
        except APIError as error:
            if error.status_code != 409:
                raise engine_error(tag, "removing an old image", error) from error
