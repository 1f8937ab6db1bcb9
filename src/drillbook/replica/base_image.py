"""The image that everything else is built on: there already, else pulled, else made from Debian's packages."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from drillbook.errors import ReplicaError
from drillbook.replica.engine import connect_engine, engine_error
from drillbook.replica.work_folder import root_words, work_folder

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["BASE_IMAGE", "Progress", "ensure_base_image"]

Progress = Callable[[str], None]
"""Gets one line about what is going on now."""

BASE_IMAGE = "drillbook/base:trixie"
_PUBLIC_IMAGE = ("debian", "trixie-slim")
_PULL_SILENCE_S = 20.0
_SMALL = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")


def ensure_base_image(client: "DockerClient", progress: Progress) -> str:
    """Return the id of the base image, which is made where it is missing.

    Args:
        client: The user's engine.
        progress: Told what is being done.

    Raises:
        ReplicaError: It is not there, cannot be pulled, and cannot be made here.
    """
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(BASE_IMAGE).id)
    except ImageNotFound:
        pass
    refused = _pull(client, progress)
    if refused:
        progress(f"base image: cannot be pulled ({refused[:100]}); making it with debootstrap, about 30 s")
        _bootstrap(client, refused)
    return str(client.images.get(BASE_IMAGE).id)


def _pull(client: "DockerClient", progress: Progress) -> str:
    """Pull the public image and give it our name; return why not, or an empty text."""
    import requests
    from docker.errors import DockerException

    repository, tag = _PUBLIC_IMAGE
    progress(f"base image: pulling {repository}:{tag}")
    impatient = connect_engine(_PULL_SILENCE_S)
    try:
        impatient.images.pull(repository, tag=tag).tag(BASE_IMAGE)
    except (DockerException, requests.RequestException) as error:
        return str(getattr(error, "explanation", None) or error)
    finally:
        impatient.close()
    return ""


def _bootstrap(client: "DockerClient", refused: str) -> None:
    root_rights = root_words()
    if root_rights is None:
        raise _cannot("this user is not root and sudo asks for a password", refused)
    program = _debootstrap(root_rights, refused)
    with work_folder() as folder:
        root = folder / "root"
        _run([*root_rights, program, "--variant=minbase", "trixie", str(root)], "debootstrap")
        _run(
            [*root_rights, "sh", "-c", 'cd "$0" && for f; do find "$f" -mindepth 1 -delete; done', str(root), *_SMALL],
            "clean-up",
        )
        _import(client, [*root_rights, "tar", "-C", str(root), "--one-file-system", "-c", "."])


def _debootstrap(root_rights: Sequence[str], refused: str) -> str:
    found = shutil.which("debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found:
        return found
    if not shutil.which("apt-get"):
        raise _cannot("debootstrap is not there and this system has no apt-get", refused)
    _run([*root_rights, "apt-get", "update", "-qq"], "apt-get update")
    _run([*root_rights, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"], "apt-get install")
    return "/usr/sbin/debootstrap"


def _cannot(why: str, refused: str) -> ReplicaError:
    public = ":".join(_PUBLIC_IMAGE)
    return ReplicaError(
        BASE_IMAGE,
        f"expected the base image, or a registry to pull it from, or root to make it with debootstrap; {why}",
        evidence=refused,
        hint=f"docker pull {public} && docker tag {public} {BASE_IMAGE}, or run this with sudo once",
    )


def _run(words: Sequence[str], what: str) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise engine_error(BASE_IMAGE, f"{what} (exit status {done.returncode})", done.stdout + done.stderr)


def _import(client: "DockerClient", tar: Sequence[str]) -> None:
    from docker.errors import DockerException

    repository, _, tag = BASE_IMAGE.partition(":")
    with subprocess.Popen(tar, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            said = client.api.import_image_from_stream(_chunks(process.stdout), repository=repository, tag=tag)
        except DockerException as error:
            raise engine_error(BASE_IMAGE, "importing the base image", error) from error
    if '"error"' in str(said):
        raise engine_error(BASE_IMAGE, "importing the base image", said)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(1 << 20):
        yield chunk
