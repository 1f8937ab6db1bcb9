"""``drillbook init``: what it writes for somebody else's runbook runs at once, and nothing is ever overwritten."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
from kube import SERVER, write_tiny
from patience import READY_S, comes

from drillbook.errors import RunbookError, UsageError
from drillbook.replica.builder import build_fixture_images
from drillbook.replica.engine import connect_engine
from drillbook.replica.kube_node import KubeReplica
from drillbook.replica.loader import load_replica
from drillbook.scaffold import init

SAMPLES = Path(__file__).parent / "samples"
DOCUMENTS = [*sorted((SAMPLES / "sources").glob("*.md")), *sorted((SAMPLES / "shapes").glob("*.md"))]
RUNBOOK = """# Shop "is" down \\ now

## Look first

```bash
docker-compose ps
```

## Fix

### Cause A: out of memory

```bash
docker-compose restart web
```

### Cause B: gremlins

```bash
docker-compose up -d --force-recreate web
```

## Verification

```bash
curl -fsS http://localhost:8080/health
# Expected: {"status": "ok"}
curl -s http://localhost:8080/ | head -1
curl -f -X POST http://localhost:8080/orders -d '{}'
docker logs -f <container>
```

- [ ] The till prints "a receipt"
"""
COMPOSE = """
services:
  db:
    image: postgres:17
  web:
    build: ./web
    ports: ["${SHOP_PORT:-8080}:8000", "127.0.0.1:9000:9000/tcp"]
    env_file: [shop.env]
    volumes: ["./pages:/pages:ro", "state:/state", "/etc/hosts:/h:ro", "../other:/o"]
volumes: {state: {}}
"""
MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: wait, image: "registry.example/shop/tools:1", command: ["true"]}]
      containers:
        - name: web
          image: registry.example/shop/web
          imagePullPolicy: IfNotPresent
          command: [perl, -e, "@SERVER@"]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8000, nodePort: 30080}]}
""".replace("@SERVER@", SERVER)
ODD_MANIFESTS = """
apiVersion: v1
kind: List
items:
  - kind: StatefulSet
    metadata: {name: db}
    spec: {volumeClaimTemplates: [{}], template: {spec: {containers: [{image: "db@sha256:0f"}, {image: 5}, 5]}}}
  - kind: Deployment
    metadata: {name: db, namespace: b}
    spec: {template: {spec: {containers: [{image: "x:latest", ports: [{hostPort: 80}, {hostPort: eighty}]}]}}}
  - {kind: Ingress, metadata: {name: front}, spec: 5}
  - null
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app" / "pages").mkdir(parents=True)
    (tmp_path / "shop-down.md").write_text(RUNBOOK, encoding="utf-8")
    (tmp_path / "app" / "docker-compose.yml").write_text(COMPOSE, encoding="utf-8")
    (tmp_path / "app" / "shop.env").write_text("A=1\n", encoding="utf-8")
    (tmp_path / "app" / "pages" / "index.html").write_text("hello", encoding="utf-8")
    return tmp_path


def test_an_empty_folder_becomes_a_project(project):
    done = init(project, project / "shop-down.md", project / "app" / "docker-compose.yml")
    assert sorted(map(str, done.written)) == [
        "chaos/test_shop_down.py",
        "checks/test_shop_down.py",
        "conftest.py",
        "fixtures/shop-down/project/docker-compose.yml",
        "fixtures/shop-down/project/pages/index.html",
        "fixtures/shop-down/project/shop.env",
        "fixtures/shop-down/replica.py",
        "pytest.ini",
        "reports/.gitignore",
        "runbooks/shop-down.md",
        "targets/shop-down.toml",
    ]
    assert (project / "runbooks" / "shop-down.md").read_bytes() == (project / "shop-down.md").read_bytes()
    assert [note.partition(",")[0] for note in done.notes] == [
        "the compose file reads /etc/hosts",
        "the compose file reads ../other",
    ]


def test_nothing_is_ever_overwritten(project):
    first = init(project, project / "shop-down.md", project / "app" / "docker-compose.yml")
    for path in first.written:
        (project / path).write_text("# Mine\n", encoding="utf-8")
    (project / "fixtures" / "shop-down" / "project" / "docker-compose.yml").write_text(COMPOSE, encoding="utf-8")
    second = init(project, project / "shop-down.md", project / "app" / "docker-compose.yml")
    assert second.written == []
    assert sorted([*second.kept, Path("pytest.ini")]) == sorted(first.written)
    assert (project / "checks" / "test_shop_down.py").read_text(encoding="utf-8") == "# Mine\n"
    assert any("says something else" in note for note in second.notes)


def test_checks_assert_what_the_document_states_and_ask_for_the_rest(project):
    init(project, project / "shop-down.md")
    tree = ast.parse((project / "checks" / "test_shop_down.py").read_text(encoding="utf-8"))
    checks = {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert list(checks) == [
        "test_verification_curl",
        "test_verification_curl_2",
        "test_verification_curl_3",
        "test_verification_docker",
        "test_the_till_prints_a_receipt",
        "test_not_out_of_memory",
        "test_not_gremlins",
    ]
    assert '"status":"ok"' in checks["test_verification_curl"]
    assert "TODO: decide what the output must hold" in checks["test_verification_curl_2"]
    assert "verify(writes=True)" in checks["test_verification_curl_3"]
    assert "it does not end by itself" in checks["test_verification_docker"]
    assert "TODO: decide how a machine sees that" in checks["test_the_till_prints_a_receipt"]
    assert "transcript.find" in checks["test_not_out_of_memory"]
    assert "pytest.skip('TODO: decide which line" in checks["test_not_gremlins"]


def test_the_target_file_has_the_documents_addresses_and_asks_for_its_placeholders(project):
    init(project, project / "shop-down.md")
    text = (project / "targets" / "shop-down.toml").read_text(encoding="utf-8")
    target = tomllib.loads(text)
    assert target["runbook"] == "shop-down"
    assert target["hosts"]["operator"]["connect"] == ["local:"]
    assert target["urls"] == {"localhost-8080": "http://localhost:8080"}
    assert '# "container" = "TODO"' in text


def test_the_replica_is_made_of_the_compose_file(project):
    init(project, project / "shop-down.md", project / "app" / "docker-compose.yml")
    replica = load_replica(project, "shop-down")
    assert replica.services == ("db", "web")
    text = (project / "fixtures" / "shop-down" / "replica.py").read_text(encoding="utf-8")
    assert "ports={'web': 8080}" in text
    assert "ready={'web': '/health'}" in text
    assert "build_root=HERE.parent.parent / 'app'" in text


def test_the_scaffold_runs_at_once(project):
    init(project, project / "shop-down.md")
    command = [sys.executable, "-m", "pytest", "-m", "verify", "--target", "shop-down", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "TODO: decide how a machine sees that" in ran.stdout
    assert "step      runbooks/shop-down.md:" in ran.stdout
    assert "NOT verified at" in ran.stdout
    assert list((project / "reports").glob("*-verify-shop-down/report.html"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_document_gets_checks_that_pytest_can_collect(tmp_path, document):
    done = init(tmp_path, document)
    source = (tmp_path / "checks" / f"test_{done.slug.replace('-', '_')}.py").read_text(encoding="utf-8")
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert len(names) == len(set(names))
    tomllib.loads((tmp_path / "targets" / f"{done.slug}.toml").read_text(encoding="utf-8"))


def test_settings_that_are_there_stay_and_what_they_need_is_said(project):
    (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n", encoding="utf-8")
    done = init(project, project / "shop-down.md")
    assert Path("pytest.ini") not in done.written
    assert "your pytest settings need `addopts = --import-mode=importlib`" in done.notes
    assert any("without --compose FILE" in note for note in done.notes)


def test_a_document_that_lies_in_runbooks_stays_where_it_is(project):
    (project / "runbooks").mkdir()
    (project / "shop-down.md").rename(project / "runbooks" / "shop-down.md")
    done = init(project, project / "runbooks" / "shop-down.md")
    assert Path("runbooks/shop-down.md") in done.kept


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("missing.md", RunbookError, "there is no such runbook"),
        ("shop.txt", UsageError, "expected a Markdown file"),
        ("___.md", UsageError, "expected a Markdown file"),
    ],
)
def test_a_document_that_cannot_be_used_is_one_error_and_writes_nothing(tmp_path, name, kind, says):
    if kind is UsageError:
        (tmp_path / name).write_text("# T\n", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(kind, match=says):
        init(tmp_path, tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


ODD_COMPOSE = [
    "services: {web: {image: x, ports: 8080, env_file: 5, volumes: 5}}",
    "services: {web: {image: x, env_file: [{required: false}], volumes: [null], ports: ['\u00b2:80', '%s:1']}}"
    % ("9" * 5000),
    "services: {web: {image: x, env_file: ['%s']}}" % ("n" * 300),
    "services: {web: null}\nconfigs: [a]\nsecrets: abc\ninclude: [other.yaml]",
    "services: {web: {image: x, extends: {file: other.yaml}, volumes: ['~/y:/y']}}",
]


@pytest.mark.parametrize("text", ODD_COMPOSE, ids=["numbers", "odd", "long", "top", "extends"])
def test_odd_compose_files_are_read_as_far_as_they_go(project, text):
    path = project / "my c.yml"
    path.write_text(text, encoding="utf-8")
    init(project, project / "shop-down.md", path)
    for name in ("fixtures/shop-down/replica.py", "chaos/test_shop_down.py"):
        ast.parse((project / name).read_text(encoding="utf-8"))
    assert load_replica(project, "shop-down").services == ("web",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: {'we b': {image: x}}", "expected a service's name"),
        ("a: " + "[" * 20_000, "expected YAML"),
        ("a\0b: c", "expected YAML"),
    ],
    ids=["name", "deep", "NUL"],
)
def test_compose_files_that_cannot_be_used_are_one_error(project, text, says):
    path = project / "c.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        init(project, project / "shop-down.md", path)


def test_what_lies_in_the_project_itself_is_not_copied_into_itself(project):
    path = project / "compose.yaml"
    path.write_text("services: {web: {image: x, volumes: ['.:/app']}}\n", encoding="utf-8")
    (project / "secret").symlink_to("/etc/hostname")
    first = init(project, project / "shop-down.md", path)
    assert not any("secret" in str(written) or ".git" in written.parts for written in first.written)
    second = init(project, project / "shop-down.md", path)
    assert not any("fixtures/shop-down/project/fixtures" in str(written) for written in second.written)


def test_a_file_where_a_folder_belongs_is_one_error(project):
    (project / "checks").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="expected a folder"):
        init(project, project / "shop-down.md")


def test_a_document_in_runbooks_has_to_be_called_by_its_slug(project):
    (project / "runbooks").mkdir()
    (project / "shop-down.md").rename(project / "runbooks" / "Shop Down.md")
    with pytest.raises(UsageError, match="its own slug"):
        init(project, project / "runbooks" / "Shop Down.md")


def test_letters_from_everywhere_are_fine_in_a_target_file(tmp_path):
    path = tmp_path / "x.md"
    text = "# T\n\n## Verification\n\n```bash\ncurl -f http://\U0001d42chop:80/health\n```\n"
    path.write_text(text, encoding="utf-8")
    init(tmp_path, path)
    target = tomllib.loads((tmp_path / "targets" / "x.toml").read_text(encoding="utf-8"))
    assert list(target["urls"].values()) == ["http://\U0001d42chop:80"]


def test_the_replica_is_made_of_the_manifests(project):
    place = project / "k8s"
    (place / "base").mkdir(parents=True)
    (place / "base" / "web.yaml").write_text(MANIFESTS, encoding="utf-8")
    (place / "README.md").write_text("not for the cluster", encoding="utf-8")
    done = init(project, project / "shop-down.md", manifests=place)
    assert done.notes == []
    replica = load_replica(project, "shop-down")
    assert isinstance(replica, KubeReplica)
    assert replica.service_name("web") == "web"
    folder = project / "fixtures" / "shop-down"
    assert [path.name for path in (folder / "project").rglob("*") if path.is_file()] == ["web.yaml"]
    text = (folder / "replica.py").read_text(encoding="utf-8")
    for part in (
        "'web': 'shop/deployment/web'",
        "'registry.example/shop/web',",
        "'registry.example/shop/tools:1',",
        "ports={'web': 30080}",
    ):
        assert part in text
    assert "start_command='kubectl create namespace shop && kubectl apply -R -f manifests'" in text
    table = (project / "chaos" / "test_shop_down.py").read_text(encoding="utf-8")
    assert "Case('pause-web', (Pause('web'),)" in table
    assert "Case('stop-web', (Stop('web'),)" in table


@pytest.mark.docker
@pytest.mark.kubernetes
def test_the_replica_of_manifests_runs_as_it_was_written(project):
    client = connect_engine()
    built = build_fixture_images(client, "tiny-kube", write_tiny(project / "elsewhere"), print)["web"]
    names = ("registry.example/shop/web", "registry.example/shop/tools:1")
    for name in names:  # no registry is in reach: the engine has them already, as after a pull
        client.images.get(built).tag(name)
    (project / "all.yaml").write_text(MANIFESTS, encoding="utf-8")
    init(project, project / "shop-down.md", manifests=project / "all.yaml")
    replica = load_replica(project, "shop-down")
    try:
        replica.start()
        replica.wait_until_ready(READY_S)
        assert comes(lambda: httpx.get(replica.urls["web"], trust_env=False).text == "open\n")
    finally:
        replica.stop()
        for name in names:
            client.images.remove(name)
        client.close()


def test_what_a_node_lacks_for_the_manifests_is_said(project):
    place = project / "all.yaml"
    place.write_text(ODD_MANIFESTS, encoding="utf-8")
    notes = init(project, project / "shop-down.md", manifests=place).notes
    for part in ("a PersistentVolume for each claim", "by its digest", "imagePullPolicy", "no ingress controller"):
        assert sum(part in note for note in notes) == 1, part
    text = (project / "fixtures" / "shop-down" / "replica.py").read_text(encoding="utf-8")
    assert "'db': 'default/statefulset/db'" in text
    assert "'b-db': 'b/deployment/db'" in text
    load_replica(project, "shop-down")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("kind: ConfigMap", "Deployment or a StatefulSet, got none", id="nothing runs"),
        pytest.param("kind: {{ .Values.kind }}", "expected YAML.*\n.*helm template", id="a template"),
        pytest.param("a: &a [*a]", "has itself in it", id="within itself"),
        pytest.param("{kind: Deployment, metadata: {name: We b}}", "a name as Kubernetes has them", id="name"),
    ],
)
def test_manifests_that_cannot_be_used_are_one_error_and_nothing_is_written(project, text, says):
    place = project / "all.yaml"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=re.compile(says, re.DOTALL)):
        init(project, project / "shop-down.md", manifests=place)
    assert not (project / "fixtures").exists()


def test_a_runbook_has_one_replica(project):
    with pytest.raises(UsageError, match="got both"):
        init(project, project / "shop-down.md", project / "app" / "docker-compose.yml", project)
