"""Lint: what each rule finds, what it must leave alone, and what it finds in the five sources."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import on_this_machine

from drillbook.errors import UsageError
from drillbook.lint import RULES, lint
from drillbook.lint.compose import Compose, read_compose
from drillbook.parser import parse_runbook, parse_text

SOURCES = Path(__file__).parent / "samples" / "sources"
RUNBOOKS = Path(__file__).parent.parent / "runbooks"
COMPOSE = Compose(frozenset({"backend", "redis"}), frozenset({"shop-redis"}))


def rules_of(text: str, path: Path = Path("some.md"), compose: Compose | None = None) -> list[str]:
    return [found.rule for found in lint(parse_text(text, path), compose)]


def block(*lines: str, heading: str = "Verification") -> str:
    return "\n".join(["# T", "", f"## {heading}", "", "```bash", *lines, "```", ""])


FINDS = [
    ("DB101", block("curl http://x:8000/health")),
    ("DB101", block("curl http://x/api/items", heading="Verification")),
    ("DB101", block("curl -s http://x/healthz", heading="Diagnosis")),
    ("DB101", block("curl -X POST http://x/predict -d '{}'", "# Expected: HTTP 200")),
    ("DB102", block("curl -sf http://x/health | jq .")),
    ("DB102", block("kubectl get pods | head -5")),
    ("DB102", block("curl -s http://x/ready | head", heading="Diagnosis")),
    ("DB103", block("redis-cli ping")),
    ("DB103", block("docker exec cache redis-cli -a x FLUSHALL", "systemctl restart web", heading="Fix")),
    ("DB104", block("ps aux | grep worker", heading="Diagnosis")),
    ("DB105", block("grep -c 5xx access.log", heading="Diagnosis")),
    ("DB201", block("""curl -fg0 x""", """curl -f 'http://p/api/v1/query?query=up{job="x"}'""")),
    ("DB201", block("curl -f 'http://p:9090/api/v1/query?query=rate(x[5m])'")),
    ("DB202", block("docker logs -f web", "curl -f http://x/health")),
    ("DB202", block("docker events --since 10m", "docker inspect web", heading="Diagnosis")),
    ("DB202", block("sudo systemctl edit web", "systemctl restart web", heading="Fix")),
    ("DB202", block("psql -h db", "systemctl status web", heading="Diagnosis")),
    ("DB203", block("kubectl exec -it web-0 -n p -- ls /", heading="Diagnosis")),
    ("DB203", block("docker exec -ti db pg_isready", heading="Diagnosis")),
    ("DB204", block("kill -9 <PID>  # WARNING: loses work", heading="Fix")),
    ("DB205", block("mkdir /tmp/a-$(date +%H%M)", "cp x /tmp/a-$(date +%H%M)/", heading="Diagnosis")),
    ("DB206", block("docker run \\ ", "  --rm x", heading="Fix")),
    ("DB301", block("./scripts/smoke.sh")),
    ("DB301", block("kubectl apply -f deploy/load.yaml -n x")),
    ("DB301", block("curl -f -w '@format.txt' http://x/health")),
    ("DB302", "# T\n\nSee [this](./gone.md) and ![that](img/gone.png).\n"),
    ("DB401", block("kubectl get pods -n x", "kubectl get configmap web -o yaml", heading="Diagnosis")),
    ("DB402", block("kubectl get secret db -n x -o yaml", heading="Diagnosis")),
    ("DB402", block('kubectl exec web-0 -n x -- node -e "console.log(process.env.DATABASE_URL)"', heading="Fix")),
    ("DB402", block("echo $DB_PASSWORD", heading="Diagnosis")),
    ("DB402", block("docker exec web env", heading="Diagnosis")),
    ("DB403", block("psql -c 'DROP TABLE jobs'", heading="Fix")),
    ("DB403", block("psql -h db", "DELETE FROM jobs;", heading="Fix")),
    ("DB403", block("rm -rf /var/lib/app", heading="Fix")),
    ("DB403", block("docker compose down -v", heading="Fix")),
    ("DB403", block("docker volume rm app_data", heading="Restore from Backup")),
    ("DB501", block("systemctl restart web", heading="Fix")),
    ("DB502", "# T\n\n## Verification\n\n```bash\nls\n"),
    ("DB503", "# T\n\n## Fix\n\n## Fix\n"),
    ("DB504", block("echo 'open", heading="Diagnosis")),
    ("DB505", block("# drillbook: phase=nowhere", "ls")),
    ("DB505", block("# drillbook: ignore=DB999", "ls")),
]
LEAVES_ALONE = [
    ("DB101", block("curl -f http://x/health")),
    ("DB101", block("curl -fsS http://x/health")),
    ("DB101", block("curl --fail-with-body http://x/health")),
    ("DB101", block("curl -I http://x/health")),
    ("DB101", block("curl -s -o /dev/null -w '%{http_code}' http://x/health")),
    ("DB101", block('test "$(curl -s http://x/health)" = ok')),
    ("DB101", block("curl http://x/health", '# Expected: {"status": "healthy"}')),
    ("DB101", block("curl http://x/api/items", heading="Diagnosis")),
    ("DB101", block("curl http://x/ready", '# Should return 200 OK with "ready"')),
    ("DB101", block("curl http://es:9200/_cluster/health?pretty", heading="Diagnosis")),
    ("DB101", block("curl -X POST https://hooks.slack.com/x -d '{}'", heading="Communication")),
    ("DB102", block("curl -sf http://x/health | jq -e .ok")),
    ("DB102", block("curl -s http://x/health | grep -q ok")),
    ("DB102", block("set -o pipefail", "curl -sf http://x/health | jq .")),
    ("DB102", block("docker logs web | tail -5", heading="Diagnosis")),
    ("DB103", block("redis-cli -e ping")),
    ("DB103", block("redis-cli ping | grep -q PONG")),
    ("DB103", block("redis-cli info memory", heading="Diagnosis")),
    ("DB103", block("redis-cli ping", "# Expected: PONG")),
    ("DB103", block("redis-cli config set maxmemory 2gb", heading="Fix")),
    ("DB104", block("ps aux | grep '[w]orker'", heading="Diagnosis")),
    ("DB104", block("ps aux | grep worker | grep -v grep", heading="Diagnosis")),
    ("DB105", block("grep -c ' 500 ' access.log", heading="Diagnosis")),
    ("DB201", block("""curl -f -G http://p/api/v1/query --data-urlencode 'query=up{job="x"}'""")),
    ("DB201", block("""curl -g 'http://p/api/v1/query?query=up{job="x"}'""")),
    ("DB201", block("curl -f http://[::1]:8000/health")),
    ("DB201", block("curl -f 'http://x/{id}/y' -d '{\"a\": [1]}'")),
    ("DB202", block("docker inspect web", "docker logs -f web", heading="Diagnosis")),
    ("DB202", block("timeout 5 docker logs -f web", "ls", heading="Diagnosis")),
    ("DB202", block("psql -h db", "SELECT 1;", "SELECT 2;", heading="Diagnosis")),
    ("DB202", block("ping -c 3 x", "ls", heading="Diagnosis")),
    ("DB202", block("docker logs -f", "docker logs -f web", heading="Diagnosis")),
    ("DB202", block("kubectl port-forward svc/web 80:80 &", "curl -f localhost", heading="Diagnosis")),
    ("DB203", block("kubectl exec -it web-0 -n p -- sh", heading="Diagnosis")),
    ("DB203", block("docker exec web nginx -t", heading="Diagnosis")),
    ("DB203", block("docker exec -it db psql -U app", heading="Diagnosis")),
    ("DB203", block("docker exec -i db psql <dump.sql", heading="Fix")),
    ("DB204", block('kubectl get pod "<pod>" -n x', heading="Diagnosis")),
    ("DB204", block("cat <in.txt >out.txt", heading="Diagnosis")),
    ("DB205", block("DIR=/tmp/a-$(date +%H%M)", "mkdir $DIR", heading="Diagnosis")),
    ("DB206", block("docker run \\", "  --rm x", heading="Fix")),
    ("DB301", block("cd /opt/app", "./start.sh", heading="Fix")),
    ("DB301", block("/opt/app/start.sh", "bash -c 'ls'", heading="Fix")),
    ("DB302", "# T\n\n[a](https://x/y), [b](#t), [c](mailto:x@y), [d](/abs), [e](you@example.com)\n"),
    ("DB401", block("kubectl get pods", "kubectl logs web", heading="Diagnosis")),
    ("DB401", block("kubectl get pods -n x", "kubectl get nodes", "kubectl describe pv a", heading="Diagnosis")),
    ("DB401", block("kubectl get pods -n x", "kubectl get events -A", heading="Diagnosis")),
    ("DB401", block("kubectl get pods -n x", "kubectl cp a.aof x/web-0:/data/", heading="Diagnosis")),
    ("DB401", block("kubectl get pods -n x", heading="Diagnosis") + "\nRun `kubectl get pods` again.\n"),
    ("DB402", block("kubectl get secret -n x", heading="Diagnosis")),
    ("DB402", block("echo $HOME", "printenv LOG_LEVEL", heading="Diagnosis")),
    ("DB403", block("# WARNING: loses the cache", "redis-cli -e FLUSHALL", heading="Fix")),
    ("DB403", block("docker-compose rm -f web", "rm -rf /tmp/web", heading="Fix")),
    ("DB403", block("docker compose down", "docker image prune -f", heading="Fix")),
    ("DB403", block("psql -c 'DELETE FROM embeddings'", heading="Wipe only the embeddings")),
    ("DB403", "# T\n\n## Fix\n\nWARNING: this loses all data.\n\n```bash\n# Clear it\nredis-cli -e FLUSHALL\n```\n"),
    ("DB501", block("systemctl status web", heading="Diagnosis")),
    ("DB501", block("systemctl restart web", heading="Fix") + "\n4. **Verify** that the page loads\n"),
    ("DB501", block("kubectl rollout undo deployment/x", "kubectl rollout status deployment/x", heading="Fix")),
    ("DB504", "# T\n\n## Diagnosis\n\n```console\nmin_over_time(up[5m])\n```\n"),
    ("DB503", "# T\n\n## A\n\n### Fix\n\n## B\n\n### Fix\n"),
]


@pytest.mark.parametrize(("rule", "text"), FINDS)
def test_a_rule_finds(rule, text):
    assert rule in rules_of(text)


@pytest.mark.parametrize(("rule", "text"), LEAVES_ALONE)
def test_a_rule_leaves_alone(rule, text):
    assert rule not in rules_of(text)


def test_every_rule_is_tried_both_ways_or_needs_more_than_a_snippet():
    assert {rule for rule, _ in FINDS} | {"DB303"} == set(RULES)
    assert set(RULES) - {rule for rule, _ in LEAVES_ALONE} <= {"DB303", "DB502", "DB504", "DB505"}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_what_and_how_to_mend_it(rule):
    assert rule.says.endswith(".")
    assert rule.mend
    assert not rule.mend.endswith(".")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_documented(rule):
    documented = (RUNBOOKS.parent / "docs" / "runbooks.md").read_text(encoding="utf-8")
    escaped = [text.replace("|", "\\|") for text in (rule.says, rule.mend)]
    assert f"| {rule.id} | {escaped[0]} Mend: {escaped[1]} |" in documented


def test_what_is_there_is_not_missed(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "smoke.sh").touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other page.md").touch()
    text = block("./scripts/smoke.sh") + "\n[other](other%20page.md#there)\n"
    assert rules_of(text, tmp_path / "docs" / "some.md") == []


@pytest.mark.parametrize(
    ("command", "finds"),
    [
        ("docker-compose restart backend", False),
        ("docker compose logs --tail=50 worker", True),
        ("docker-compose exec -T redis redis-cli -e ping", False),
        ("docker-compose restart backend worker", True),
        ("docker logs --tail 50 shop-redis", False),
        ("docker exec shop-cache ls", True),
        ("docker logs shop-backend-1", False),
        ("docker inspect <container>", False),
        ("docker ps", False),
        ("docker-compose up -d", False),
    ],
)
def test_names_are_looked_up_in_the_compose_file(command, finds):
    assert ("DB303" in rules_of(block(command), compose=COMPOSE)) is finds


def test_a_compose_file_gives_services_and_names(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text("services:\n  backend: {}\n  redis:\n    container_name: shop-redis\n", encoding="utf-8")
    assert read_compose(path) == COMPOSE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("services: [", "expected YAML"),
        ("version: 3\n", "expected a mapping `services`, got none"),
        (None, "expected a compose file, got an error"),
    ],
)
def test_a_bad_compose_file_is_one_error(tmp_path, content, says):
    path = tmp_path / "compose.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_compose(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        block("# drillbook: ignore=DB101", "curl http://x/health"),
        block("curl http://x/health  # drillbook: ignore=DB101,DB102"),
        "# T\n\n## Verification\n\n<!-- drillbook: ignore=DB101 -->\n\n```bash\ncurl http://x/health\n```\n",
        "<!-- drillbook: ignore=DB101 -->\n# T\n\n## Verification\n\n```bash\ncurl http://x/health\n```\n",
    ],
)
def test_the_author_can_switch_a_rule_off(text):
    assert rules_of(text) == []


def test_a_rule_is_off_only_where_the_author_says_so():
    text = block("# drillbook: ignore=DB101", "curl http://x/health", "curl http://x/ready")
    assert [(found.rule, found.line) for found in lint(parse_text(text, Path("some.md")))] == [("DB101", 8)]


def test_a_finding_says_where_what_and_which_command():
    (found,) = lint(parse_text(block("curl http://x/health"), Path("some.md")))
    assert (found.rule, found.line, found.command) == ("DB101", 6, "verification#1.1")
    assert found.text == "curl exits 0 whatever the server answers, and the code is not shown"
    assert found.mend.startswith("add -f")


def test_the_sources_are_found_out():
    found = {
        (slug, one.rule, runbook.find(one.command).text if one.command else "")
        for slug in ("dmarc-dashboard", "microdiff-matdesign", "web3-marketplace", "inference-gateway", "pynomaly")
        for runbook in [parse_runbook(SOURCES / f"{slug}.md")]
        for one in lint(runbook)
    }
    texts = {(rule, text) for _, rule, text in found}
    assert sum(rule == "DB201" for rule, _ in texts) == 3, "the three PromQL curls"
    assert ("DB101", "curl http://localhost:8000/health") in texts
    assert ("DB103", "docker exec dmarc-redis redis-cli ping") in texts
    assert ("DB202", "docker-compose logs -f inference-gateway") in texts
    assert ("DB202", "docker events --filter 'container=inference-gateway' --since 10m") in texts
    assert sum(rule == "DB301" and text.startswith("./scripts/") for rule, text in texts) == 5
    assert ("DB401", "kubectl get secret web3-marketplace-secrets -o yaml") in texts
    assert ("DB401", "kubectl get configmap web3-marketplace-config -o yaml") in texts
    assert ("DB402", "kubectl get secret web3-marketplace-secrets -o yaml") in texts
    assert sum(rule == "DB402" for rule, _ in texts) == 2, "two commands print secrets"
    assert ("DB204", "kill -9 <PID>") in texts
    needless = {text for slug, rule, text in found if rule == "DB203"}
    assert all("-it" in text for text in needless)
    assert len(needless) == 14


def test_our_own_runbooks_have_only_what_docs_findings_explains():
    found = [(one.rule, one.command) for one in lint(parse_runbook(RUNBOOKS / "inference-gateway.md"))]
    assert found == [("DB202", "investigation-next-5-minutes/step-4-check-container-logs#1.2")]


@pytest.mark.parametrize(
    "text",
    [
        block(*["rm -rf /data"] * 3_000, heading="Fix"),
        block(*["./gone.sh"] * 3_000),
        block(*["curl http://x/health | jq ."] * 3_000),
        block(*["kubectl get pods -n x", "kubectl get pods"] * 1_500),
        "# T\n" + "[a](./gone.md) " * 5_000,
        "# A\n## B\n" * 3_000,
        "```bash\nls\n```\n" * 3_000,
    ],
    ids=["destroys", "scripts", "pipes", "namespaces", "links", "headings", "fences"],
)
def test_big_documents_are_linted_within_seconds(text):
    begin_s = time.process_time()
    lint(parse_text(text, Path("some.md")))
    assert time.process_time() - begin_s < on_this_machine(20)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400), st.sampled_from(["", "bash", "sql", "console"]))
def test_lint_takes_any_text(text, language):
    document = f"# T\n\n{text}\n\n```{language}\n{text}\n```\n"
    for found in lint(parse_text(document, Path("some.md"))):
        assert 1 <= found.line <= document.count("\n") + 1
        assert found.text
