"""The named rules for what cannot run as it stands."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.effects import streams
from drillbook.rewrite import SLEEP_UNTIL_READY, STREAM_BOUNDED, TERMINAL_DROPPED, Rewritten, rewrite, typed_into


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker logs inference-gateway -f", "docker logs inference-gateway"),
        ("docker-compose logs -f inference-gateway | head", "docker-compose logs inference-gateway | head"),
        ("kubectl logs -f x --tail=5", "kubectl logs x --tail=5"),
        ("docker stats inference-gateway", "docker stats --no-stream inference-gateway"),
        ("docker events --filter 'c=i' --since 10m", "docker events --filter 'c=i' --since 10m --until 0s"),
        ("docker events", "{ timeout -s INT 3 docker events || [ $? -eq 124 ]; }"),
        ("tail -f /var/log/x", "tail /var/log/x"),
        ("tail -100f /var/log/x", "tail -100 /var/log/x"),
        ("journalctl -u p -f", "journalctl -u p -n 10"),
        ("journalctl -u p -f --lines=100", "journalctl -u p --lines=100"),
        ("top -o %CPU", "top -b -n 1 -o %CPU"),
        ("htop", "top -b -n 1"),
        ("ping 8.8.8.8", "ping 8.8.8.8 -c 3"),
        ("watch -n 1 kubectl get pods", "kubectl get pods"),
        ("watch 'ls | wc'", "ls | wc"),
        ("docker exec x tail -f /log", "docker exec x tail /log"),
        ("docker-compose up", "docker-compose up -d"),
        ("kubectl get pods -w", "kubectl get pods"),
        ("vmstat 1", "vmstat 1 2"),
        ("A=1 strace -p 5", "{ A=1 timeout -s INT 3 strace -p 5 || [ $? -eq 124 ]; }"),
        ("bash -c 'tail -f x'", "{ timeout -s INT 3 bash -c 'tail -f x' || [ $? -eq 124 ]; }"),
    ],
)
def test_streams_are_bounded(text, expected):
    assert rewrite(text) == Rewritten(expected, (STREAM_BOUNDED,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker exec -it r redis-cli ping", "docker exec r redis-cli ping"),
        ("kubectl exec -it -n w d/b -- \\\n psql -t", "kubectl exec -n w d/b -- \\\n psql -t"),
        ("docker-compose exec prometheus ping x -c 3", "docker-compose exec -T prometheus ping x -c 3"),
        ("docker compose exec x ls", "docker compose exec -T x ls"),
        ("ssh -t h ls", "ssh h ls"),
    ],
)
def test_terminals_are_dropped(text, expected):
    assert rewrite(text) == Rewritten(expected, (TERMINAL_DROPPED,))


@pytest.mark.parametrize(
    ("text", "expected", "wait_s"),
    [("sleep 30", "", 30), ("sleep 2m", "", 120), ("sleep 1.5 && curl x", "true && curl x", 1.5)],
)
def test_sleeps_become_waits(text, expected, wait_s):
    assert rewrite(text) == Rewritten(expected, (SLEEP_UNTIL_READY,), wait_s)


@pytest.mark.parametrize(
    "text",
    [
        "for i in 1 2; do sleep 5; done",
        "sleep $N",
        "docker exec -i x tar -t",
        "docker logs -t x",
        "docker-compose -f a.yml logs x",
        "docker-compose exec -T x ls",
        "timeout 5 tail -f x",
        "echo 'tail -f x'",
        "curl -f http://localhost:8000/health",
    ],
)
def test_everything_else_runs_verbatim(text):
    assert rewrite(text) == Rewritten(text)


STREAMS = st.sampled_from(
    ["tail -f x", "docker logs -f x", "top", "docker stats", "ping h", "watch ls", "redis-cli monitor"]
)
WRAPS = st.sampled_from(["{}", "{} | head", "ls && {}", "({})", "sudo {}", "echo $({})"])


@given(STREAMS, WRAPS)
def test_nothing_streams_after_a_rewrite(command, wrap):
    assert not streams(rewrite(wrap.format(command)).text)


@given(st.text())
def test_any_text_can_be_rewritten(text):
    assert isinstance(rewrite(text), Rewritten)


def test_a_shell_gets_what_is_typed_into_it_and_quotes_nothing():
    text = "cat <<TYPED\n$HOME\nTYPED\necho 'it is' \"$((1 + 1))\""
    changed = typed_into(["bash -c 'exec bash --norc'", "sh"], text)
    ran = subprocess.run(["bash", "-c", changed.text], capture_output=True, text=True, check=True, env={"HOME": "/h"})
    assert ran.stdout == "/h\nit is 2\n"


@pytest.mark.parametrize(
    ("opener", "runs"),
    [
        ("docker exec -it db psql -U app", "docker exec -i db psql -U app"),
        ("docker exec -ti db sh", "docker exec -i db sh"),
        ("docker exec -i -t db sh", "docker exec -i db sh"),
        ("docker-compose exec db psql", "docker-compose exec -T db psql"),
        ("ssh -t web1", "ssh web1"),
        ("psql -h db;", "psql -h db"),
    ],
)
def test_what_opens_a_client_loses_its_terminal_and_keeps_its_input(opener, runs):
    assert typed_into([opener], "x").text == f"{runs} <<'TYPED'\nx\nTYPED"
