"""Statements, simple commands, effects, streams, terminals and placeholders on the shell's own grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.commands import simple_commands
from drillbook.effects import effect_of, shows_secret, streams, wants_terminal
from drillbook.model import Effect
from drillbook.placeholders import bind, placeholders
from drillbook.statements import Comment, Statement, split_block


def statements(text: str) -> list[str]:
    return [piece.text for piece in split_block(text) if isinstance(piece, Statement)]


def programs(text: str) -> list[str]:
    return [simple.program for simple in simple_commands(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a; b", ["a", "b"]),
        ("a | b && c || d", ["a | b && c || d"]),
        ("a &\nb", ["a &", "b"]),
        ("a \\\n  b\nc", ["a \\\n  b", "c"]),
        ("for i in 1 2; do\n  a\ndone\nb", ["for i in 1 2; do\n  a\ndone", "b"]),
        ('python -c "\nx\n\nprint()\n"\nls', ['python -c "\nx\n\nprint()\n"', "ls"]),
        ("cat <<EOF\na\n\nb\nEOF\nls", ["cat <<EOF\na\n\nb\nEOF", "ls"]),
        ("kill -9 <PID>\nls", ["kill -9 <PID>", "ls"]),
        ("$ ls\nfile\n$ df", ["ls", "df"]),
        ("root@web1:~# systemctl status x\n● x\nroot@web1:~# ls", ["systemctl status x", "ls"]),
        ("SELECT count(*) FROM x;\nls", ["SELECT count(*) FROM x;", "ls"]),
        ("# only\n\n# words", []),
    ],
)
def test_a_block_is_split_into_statements(text, expected):
    assert statements(text) == expected


def test_comments_keep_their_line_and_indentation():
    comments = [piece for piece in split_block("ls  # here\n# deploy:\n#   memory: 4G") if isinstance(piece, Comment)]
    assert comments == [Comment("here", 0, True), Comment("deploy:", 1), Comment("  memory: 4G", 2)]


def test_lines_that_are_no_shell_text_are_marked():
    assert [piece.broken for piece in split_block("ls\n)(\ndf") if isinstance(piece, Statement)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b && (c; d) || e $(f)", ["a", "b", "c", "d", "e", "f"]),
        ("bash -c 'a; b'", ["bash", "a", "b"]),
        ("docker exec -u root x redis-cli ping", ["docker", "redis-cli"]),
        ("docker compose exec -T x ls", ["docker", "ls"]),
        ("docker-compose -f a.yml exec x ls", ["docker-compose", "ls"]),
        ("kubectl -n a exec x -c b -- psql -c 'SELECT 1'", ["kubectl", "psql"]),
        ("ssh -p 22 h 'a && b'", ["ssh", "a", "b"]),
        ("sudo -u x env A=1 timeout -k 1 5 nice -n 3 a", ["sudo", "env", "timeout", "nice", "a"]),
        ("ls | xargs -I{} rm {}", ["ls", "xargs", "rm"]),
        ("/usr/bin/ls", ["ls"]),
        ("while ! a; do b; done", ["a", "b"]),
        ("grep >/dev/null -r x", ["grep"]),
    ],
)
def test_simple_commands_are_found_inside(text, expected):
    assert programs(text) == expected


def test_words_behind_a_redirection_are_arguments():
    assert simple_commands("sort >/dev/null -o x")[0].arguments == ("-o", "x")


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("docker-compose restart backend", Effect.CHANGE),
        ("docker-compose rm -f x", Effect.DESTROY),
        ("docker compose down", Effect.DESTROY),
        ("docker ps | grep restart", Effect.READ),
        ("docker exec dmarc-redis redis-cli FLUSHALL", Effect.DESTROY),
        ("docker exec dmarc-redis redis-cli ping", Effect.READ),
        ("kubectl rollout undo deployment/x", Effect.CHANGE),
        ("kubectl rollout status deployment/x", Effect.READ),
        ("kubectl delete pod -n a x", Effect.DESTROY),
        ("kubectl scale deployment/x --replicas=3", Effect.CHANGE),
        ("sudo systemctl restart pynomaly", Effect.CHANGE),
        ("systemctl edit x", Effect.EDIT),
        ("journalctl --vacuum-time=7d", Effect.DESTROY),
        ("kill -9 <PID>", Effect.DESTROY),
        ("kill -0 1", Effect.READ),
        ("curl http://x/health", Effect.READ),
        ("curl -X POST http://localhost:8000/predict -d '{}'", Effect.READ),
        ("curl -X POST http://x/api/trigger/process-reports", Effect.CHANGE),
        ("curl -X POST -d x $SLACK_WEBHOOK_URL", Effect.TELL),
        ("curl -X POST http://localhost:9094/incidents -d x", Effect.TELL),
        ("curl -G --data-urlencode a=b http://x", Effect.READ),
        ("echo x | slack-cli -c y", Effect.TELL),
        ("./scripts/notifications/send-resolved.sh", Effect.TELL),
        ("./scripts/monitoring/health-check-all.sh", Effect.READ),
        ("aws rds failover-db-cluster --x y", Effect.DESTROY),
        ("aws ec2 describe-instances", Effect.READ),
        ("aws autoscaling set-desired-capacity --x y", Effect.CHANGE),
        ("find /var/log -name x -delete", Effect.DESTROY),
        ("cp a /etc/b", Effect.CHANGE),
        ("cp /var/log/x /tmp/incident/", Effect.READ),
        ("mkdir -p /tmp/x", Effect.READ),
        ("journalctl -u x > /tmp/x.log", Effect.READ),
        ("psql -c 'SELECT pg_terminate_backend(1)'", Effect.DESTROY),
        ("psql -c 'SELECT 1'", Effect.READ),
        ("git checkout <commit>", Effect.CHANGE),
        ("git log --oneline", Effect.READ),
        ("ssh h 'sudo systemctl stop x'", Effect.CHANGE),
        ("sleep 30", Effect.READ),
        ("echo $?", Effect.READ),
    ],
)
def test_effects(text, effect):
    assert effect_of(text) is effect


@pytest.mark.parametrize(
    "text",
    ["docker logs x -f", "docker-compose logs -f x", "tail -f x", "tail -100f x", "journalctl -fu x", "docker stats x",
     "docker events --since 10m", "top", "htop", "watch ls", "ping 8.8.8.8", "kubectl get pods -w", "docker-compose up",
     "sudo tail -F x", "redis-cli monitor", "strace -p 1", "kubectl port-forward x 80"],
)  # fmt: skip
def test_streams_are_seen(text):
    assert streams(text)


@pytest.mark.parametrize(
    "text",
    ["docker logs x", "docker-compose -f a.yml logs x", "docker stats --no-stream", "docker events --until 0s",
     "grep -f x y", "top -b -n 1", "ping -c 3 x", "timeout 5 tail -f x", "docker-compose up -d", "docker rm -f x",
     "kubectl apply -f x"],
)  # fmt: skip
def test_what_ends_is_no_stream(text):
    assert not streams(text)


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("docker exec -it x sh", True),
        ("kubectl exec -it -n a x -- psql -c 'SELECT 1'", True),
        ("kubectl exec -n a x -- psql -t -c 'SELECT 1'", False),
        ("docker-compose exec x ls", True),
        ("docker-compose exec -T x ls", False),
        ("psql -h db", True),
        ("psql -c 'SELECT 1'", False),
        ("top", True),
        ("systemctl edit x", True),
        ("docker exec -i x ls", False),
        ("docker logs -t x", False),
    ],
)
def test_terminals(text, wants):
    assert wants_terminal(text) is wants


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kubectl logs <pod-name> -n <ns>", ["<pod-name>", "<ns>"]),
        ("curl -d a $WEBHOOK", ["$WEBHOOK"]),
        ("curl -d '$WEBHOOK' x", []),
        ("for i in 1 2; do echo $i; done", []),
        ("X=1; echo $X $HOME $? ${Y}", ["${Y}"]),
        ("curl http://x/{{ id }}", ["{{ id }}"]),
        ("docker inspect x --format='{{.State.ExitCode}}'", []),
        ("docker ps --format '{{json .Mounts}}'", []),
        ("curl 'http://x?time=2025-10-23T15:40:00Z'", ["2025-10-23T15:40:00Z"]),
        ("post at [TIME]", ["[TIME]"]),
        ("ls [A-Z]*", []),
        ("grep '[ERROR]' x", []),
        ("curl https://x/pages/PAGE_ID -H 'OAuth TOKEN'", ["PAGE_ID", "TOKEN"]),
        ("kubectl set env x LOG_LEVEL=debug", []),
        ("redis-cli FLUSHALL", []),
        ("ssh your-server", ["your-server"]),
        ("aws ec2 x --ids i-1234567890abcdef0 --arn arn:aws:elb:...", ["i-1234567890abcdef0", "arn:aws:elb:..."]),
        ("cat < a > b", []),
        ("cat <<EOF\nx\nEOF", []),
        ("diff <(a) <(b)", []),
    ],
)
def test_placeholders(text, names):
    assert [place.name for place in placeholders(text)] == names


def test_binding_fills_in_what_it_has_and_names_the_rest():
    bound = bind("kubectl logs <pod-name> -n <ns> $OTHER", {"pod-name": "web-0", "<ns>": "a"})
    assert bound.text == "kubectl logs web-0 -n a $OTHER"
    assert bound.unbound == ("$OTHER",)
    assert bound.values == (("<pod-name>", "web-0"), ("<ns>", "a"))


def test_who_listens_on_a_port_is_not_taken_for_the_main_process_of_a_unit():
    assert bind("kill -9 <PID>", {"pid": "4242"}).unbound == ("<PID>",)
    assert bind("kill -9 <PID>", {"pid": "4242", "PID": "812"}).text == "kill -9 812"
    assert bind("strace -p <pid>", {"pid": "4242", "PID": "812"}).text == "strace -p 4242"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo <x>", """echo 'a;"$b'"'"''"""),
        ("echo '<x>'", """echo 'a;"$b'"'"''"""),
        ('echo "<x>"', '''echo "a;\\"\\$b'"'''),
    ],
)
def test_a_bound_value_is_never_read_as_shell_text(text, expected):
    assert bind(text, {"x": "a;\"$b'"}).text == expected


@given(st.text())
def test_any_text_can_be_looked_at(text):
    split_block(text)
    simple_commands(text)
    effect_of(text)
    streams(text)
    wants_terminal(text)
    bind(text, {"x": text})


@pytest.mark.parametrize("text", ["a{\U0001f6a8x", "{\U0010ffff}", "echo 'na\u00efve' \U0001f6a8"])
def test_what_is_not_ascii_neither_ends_the_process_nor_gets_lost(text):
    assert statements(text) == [text]


@given(st.lists(st.sampled_from(["a", "b c", "d | e", "f 'x y'", "g \\\n  h", "for i in 1; do j; done"]), max_size=6))
def test_splitting_gives_back_what_was_joined(parts):
    assert statements("\n".join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("pct restart 102", Effect.CHANGE),
        ("qm stop 100", Effect.CHANGE),
        ("gcloud sql instances failover db", Effect.DESTROY),
        ("gcloud sql instances describe db", Effect.READ),
        ('sqlite3 a.db "DELETE FROM x"', Effect.DESTROY),
        ("./scripts/prune-backups.sh --apply", Effect.DESTROY),
        ("./scripts/backup-db.sh restore x", Effect.CHANGE),
        ("tofu apply -auto-approve", Effect.CHANGE),
        ("etcdctl defrag", Effect.CHANGE),
        ("flux suspend kustomization app", Effect.CHANGE),
        ("/usr/lib/postgresql/16/bin/postgres --help", Effect.READ),
        ("make verify-health", Effect.READ),
        ("make deploy", Effect.CHANGE),
        ("redis-cli EVAL \"return redis.call('LLEN', 'q')\" 0", Effect.READ),
        ("redis-cli EVAL \"return redis.call('DEL', 'q')\" 0", Effect.DESTROY),
        ("kubectl debug node/a -it", Effect.CHANGE),
        # A namespace may be called like a verb.
        ("kubectl -n logs delete pod web-0", Effect.DESTROY),
        ("kubectl --namespace history rollout restart deployment/web", Effect.CHANGE),
        ("kubectl --context=top -n get scale deployment/web --replicas=2", Effect.CHANGE),
        ("kubectl debug -it node/n1 --image=busybox", Effect.CHANGE),
        ("kubectl config use-context staging", Effect.CHANGE),
        ("kubectl config set-context --current --namespace=prod", Effect.CHANGE),
        ("kubectl auth reconcile -f roles.yaml", Effect.CHANGE),
        ("kubectl config view", Effect.READ),
        ("kubectl auth can-i delete pods", Effect.READ),
        ("kubectl --as-group get delete pod web-0", Effect.DESTROY),
        ("kubectl exec db-0 -- pg_ctl -D /var/lib/postgresql/data promote", Effect.CHANGE),
        ("pg_ctlcluster 17 main stop", Effect.CHANGE),
        ("pg_ctl -D /data status", Effect.READ),
        ("pg_ctl -D /data -l log start", Effect.CHANGE),
        ("pg_ctl -D /data -l x -m fast -t 30 stop", Effect.CHANGE),
        ("kubectl apply -f x --dry-run=server", Effect.READ),
        ("kubectl apply -f x --dry-run=none", Effect.CHANGE),
        ("kubectl -n delete get pods", Effect.READ),
        ("kubectl -n drain logs web-0", Effect.READ),
        ("kubectl rollout status deployment/web -n scale", Effect.READ),
    ],
)
def test_effects_of_programs_that_runbooks_elsewhere_use(text, effect):
    assert effect_of(text) is effect


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        ("kubectl get secret db -o jsonpath='{.data.password}' | base64 -d", True),
        ("kubectl -n prod get secrets -o go-template='{{range .items}}{{.data}}{{end}}'", True),
        ("kubectl get secret db --template='{{.data}}'", True),
        ("kubectl get cm,secret -o custom-columns=D:.data", True),
        ("kubectl get secret/db -o yaml | grep DATABASE_URL", True),
        ("aws secretsmanager get-secret-value --secret-id db", True),
        ("kubectl get secret db -o yaml", False),
        ("kubectl get secrets -n prod", False),
        ("kubectl get secret -o name | wc -l", False),
        ("kubectl get pods -o jsonpath='{.items[0].status}'", False),
        ("kubectl -n secrets get pods -o jsonpath='{.items}'", False),
    ],
)
def test_what_prints_values_of_secrets_is_told(command, shows):
    assert shows_secret(command) is shows


@pytest.mark.parametrize("text", ["pct restart {VMID}", "tar xf /path/to/backup.tar"])
def test_more_ways_to_write_a_placeholder(text):
    assert [place.name for place in placeholders(text)] == [text.split()[-1]]


def test_a_columns_title_is_no_placeholder():
    assert placeholders("kubectl get x -o custom-columns='NAMESPACE:.metadata.namespace'") == ()
