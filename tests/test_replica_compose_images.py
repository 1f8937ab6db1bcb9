"""Somebody's own compose file: read by Compose itself, built or pulled by the user's engine."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.errors import ReplicaError
from drillbook.replica.builder import build_host_image
from drillbook.replica.compose_images import ComposeImages, compose_images
from drillbook.replica.engine import connect_engine
from drillbook.replica.ownership import ROLE_LABEL

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("replica")]

BASE = "drillbook/base:trixie"


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    client = connect_engine()
    yield client
    client.close()


@pytest.fixture(scope="module")
def host_image(client) -> str:
    return build_host_image(client, lambda line: None)


@pytest.fixture
def images(client, host_image, tmp_path: Path):
    said: list[str] = []

    def of(compose: str, **files: str) -> ComposeImages:
        for name, text in {"compose.yaml": compose, **files}.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return compose_images(client, "own", tmp_path, "own", "compose.yaml", tmp_path, host_image, said.append)

    of.said = said
    return of


def test_variables_and_env_files_are_composes_affair(images):
    found = images("services: {web: {image: 'drillbook/base:${TAG:-none}'}}", **{".env": "TAG=trixie\n"})
    assert list(found.images) == [BASE]
    assert found.images[BASE] == BASE
    assert found.ids[BASE].startswith("sha256:")


def test_what_is_built_is_built_once_and_called_as_compose_calls_it(client, images):
    new = uuid.uuid4().hex  # an image of an earlier run must not be at hand
    dockerfile = f"FROM {BASE} AS first\nARG WORD=none\nRUN echo $WORD {new} >/word\nFROM first\nRUN false\n"
    compose = "services: {web: {build: {context: web, dockerfile: File, target: first, args: {WORD: yes}}}}"
    first = images(compose, web__File=dockerfile)
    assert list(first.images) == ["own-web"]
    assert first.images["own-web"].startswith("drillbook/own-web:")
    assert any("drillbook/own-web" in line for line in images.said)
    images.said.clear()
    assert images(compose, web__File=dockerfile) == first
    assert images.said == []
    client.images.remove(first.images["own-web"])


def test_an_image_that_cannot_be_pulled_is_one_error_with_the_command_to_type(images):
    with pytest.raises(ReplicaError) as caught:
        images("services: {web: {image: 'localhost:1/nobody/nothing:1.2'}}")
    text = str(caught.value)
    assert "service web" in text
    assert "localhost:1/nobody/nothing:1.2" in text
    assert "docker login localhost:1" in text


def test_a_file_that_compose_cannot_read_is_one_error_with_its_words(images):
    with pytest.raises(ReplicaError) as caught:
        images("services: {web: {image: x, portz: []}}")
    assert "compose.yaml: Compose cannot read it" in str(caught.value)
    assert "portz" in str(caught.value)


def test_a_build_context_that_is_not_there_is_one_error(images):
    with pytest.raises(ReplicaError, match="expected the build context"):
        images("services: {web: {build: gone}}")


def test_nothing_is_left_of_the_question(client, images):
    images(f"services: {{web: {{image: '{BASE}'}}}}")
    assert client.containers.list(all=True, filters={"label": f"{ROLE_LABEL}=compose"}) == []
