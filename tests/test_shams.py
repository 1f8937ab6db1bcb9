"""Recoveries that recover nothing: with a fault on, each makes the system look better, and verification must see it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from patience import HOPELESS_S, READY_S, comes

from drillbook.clock import SystemClock
from drillbook.faults import Fault, confirm
from drillbook.faults.kill import Kill
from drillbook.faults.oom import OutOfMemory
from drillbook.parser import parse_runbook
from drillbook.plugin.nested import PytestChecks
from drillbook.replica import Replica
from drillbook.replica.loader import load_replica
from drillbook.site import Site
from drillbook.units import parse_bytes

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("shams")]

ROOT = Path(__file__).parent.parent
GATEWAY = "inference-gateway"
NETWORK = "exercise-05-alerting-incident-response_default"
PROMETHEUS = "config/prometheus/prometheus.yml"
ROUNDS = 3
GAP_S = 1.0

HEALTH = "test_health_endpoint_says_healthy"
PREDICTIONS = "test_predictions_follow_their_input"
SCRAPED = "test_prometheus_scrapes_the_gateway"
UP = "test_up_is_one"
ALERT = "test_alert_condition_is_gone"
TRAFFIC = "test_error_rate_is_below_one_percent"

KILLED = Kill(GATEWAY)

# A program in the gateway's place: every GET is "healthy", /metrics and /predict are as good as the argument says.
STUB = r"""
import http.server, sys
metrics, prediction = sys.argv[1].encode(), sys.argv[2].encode()
class Stub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(metrics if self.path == "/metrics" and metrics else b'{"status": "healthy"}')
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(prediction or b'{"status": "healthy"}')
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if body == metrics else "application/json")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Stub).serve_forever()
"""
METRICS = 'http_requests_total{status_code="200",method="POST",path="/predict"} 7\n'


class Stage:
    """The replica, with the commands of shams on its machine and the checks of the runbook."""

    def __init__(self, replica: Replica, config: pytest.Config) -> None:
        self.replica = replica
        self._checks = PytestChecks(config, ROOT / "checks" / "test_inference_gateway.py")
        runbook = parse_runbook(ROOT / "runbooks" / f"{GATEWAY}.md")
        self._site = Site(
            "replica", runbook, replica.host, urls=replica.urls, variables=replica.variables, is_replica=True
        )

    def run(self, command: str) -> str:
        done = self.replica.host("machine").run(command, deadline_s=HOPELESS_S)
        assert done.exit_status == 0, f"{command}\n{done.out}{done.err}"
        return done.out.strip()

    def red(self) -> set[str]:
        return {check.item for check in self._checks.verify(self._site) if not check.is_green}

    def must_be_green(self) -> None:
        left: list[set[str]] = []

        def is_green() -> bool:
            left.append(self.red())
            return not left[-1]

        assert comes(is_green), f"red before anything was broken: {left[-1]}"

    def red_in_a_window(self, wanted: Sequence[str]) -> set[str]:
        """Run the rounds of a window, fewer where everything that is wanted was red."""
        seen: set[str] = set()
        for round_ in range(ROUNDS):
            if round_:
                SystemClock().pause(GAP_S)
            seen |= self.red()
            if seen.issuperset(wanted) and seen:
                break
        return seen

    def replace(self, options: str, program: str = "") -> None:
        """Put another container in the gateway's place, by hand and not by Compose."""
        image = self.run(f"docker inspect {GATEWAY} --format '{{{{.Config.Image}}}}'")
        self.run(
            f"docker rm -f {GATEWAY} && docker run -d --name {GATEWAY} -p 8000:8000 --memory 128m --init "
            f"--health-cmd 'curl -f http://localhost:8000/health' --health-interval 500ms {options} {image} {program}"
        )
        healthy = f"docker inspect {GATEWAY} --format '{{{{.State.Health.Status}}}}'"
        assert comes(lambda: self.run(healthy) == "healthy")

    def stub(self, metrics: str = "", prediction: str = "") -> None:
        self.run(f"cat >/tmp/stub.py <<'END'\n{STUB}\nEND")
        network = f"--network {NETWORK} --network-alias {GATEWAY}"
        options = f"{network} -v /tmp/stub.py:/tmp/stub.py:ro --entrypoint python3"
        self.replace(options, f"/tmp/stub.py '{metrics}' '{prediction}'")
        self.run("sleep 1.5")  # Prometheus scrapes every second, and may see nothing wrong before it has

    def rebuild_prometheus(self) -> None:
        """Make it anew from its configuration, without its memory: it answers with old samples for five minutes."""
        volume = self.run("docker volume ls -q --filter label=com.docker.compose.volume=prometheus-data")
        self.run(f"docker rm -f prometheus && docker volume rm {volume} && docker-compose up -d prometheus 2>&1")
        ready = "curl -fsS http://localhost:9090/-/ready >/dev/null && sleep 1.5 && echo ready || true"
        assert comes(lambda: self.run(ready))

    def heal(self) -> None:
        """Put back what a sham may have changed."""
        changed = self.run("git status --porcelain -- config")
        self.run(f"git checkout -q -- config; docker rm -f {GATEWAY}; rm -f /tmp/stub.py; docker-compose up -d 2>&1")
        if changed:
            self.rebuild_prometheus()


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    replica = load_replica(ROOT, GATEWAY)
    try:
        replica.start()
        replica.wait_until_ready(READY_S)
        yield replica
    finally:
        replica.stop()


@pytest.fixture(scope="module")
def stage(replica: Replica, request: pytest.FixtureRequest) -> Stage:
    return Stage(replica, request.config)


def broken_by(stage: Stage, fault: Fault) -> Iterator[Stage]:
    """Verify that all is well, so that what is red is the sham's, then inject; put back after."""
    stage.must_be_green()
    try:
        fault.inject(stage.replica)
        assert confirm(fault, stage.replica, SystemClock())
        yield stage
    finally:
        fault.revert(stage.replica)
        stage.heal()


@pytest.fixture
def killed(stage: Stage) -> Iterator[Stage]:
    yield from broken_by(stage, KILLED)


@pytest.fixture(scope="class")
def killed_for_long(stage: Stage) -> Iterator[Stage]:
    """The same for shams that leave the gateway dead, and so can follow each other."""
    yield from broken_by(stage, KILLED)


@pytest.fixture
def out_of_memory(stage: Stage) -> Iterator[Stage]:
    yield from broken_by(stage, OutOfMemory(GATEWAY, parse_bytes("100M")))


def missed(stage: Stage, *wanted: str) -> set[str]:
    """Return which of these checks, or whether any at all, stayed green in every round of a window."""
    seen = stage.red_in_a_window(wanted)
    return set(wanted) - seen if seen else {"verification believed the sham"}


class TestWhileTheGatewayIsDead:
    def test_restarting_another_service_is_no_recovery(self, killed_for_long):
        killed_for_long.run("docker-compose restart incidents 2>&1")
        assert not missed(killed_for_long, HEALTH, PREDICTIONS, UP)

    def test_silencing_the_alert_is_no_recovery(self, killed_for_long):
        def firing() -> list[str]:
            return [alert.name for alert in killed_for_long.replica.alerts()]

        assert comes(firing, every_s=0.5)
        silence = {
            "matchers": [{"name": "alertname", "value": "ServiceDown", "isRegex": False}],
            "startsAt": "2000-01-01T00:00:00Z",
            "endsAt": "2100-01-01T00:00:00Z",
            "createdBy": "sham",
            "comment": "quiet",
        }
        post = "curl -fsS -X POST -H 'Content-Type: application/json' http://localhost:9093/api/v2/silences"
        id_ = json.loads(killed_for_long.run(f"{post} -d '{json.dumps(silence)}'"))["silenceID"]
        try:
            assert not missed(killed_for_long, HEALTH, UP, ALERT)
            assert "ServiceDown" in firing(), "a silenced alert fires all the same"
        finally:
            killed_for_long.run(f"curl -fsS -X DELETE http://localhost:9093/api/v2/silence/{id_}")

    @pytest.mark.parametrize(
        ("edit", "wanted"),
        [
            (f"/job_name: {GATEWAY}/,+2d", (SCRAPED, UP)),
            (f"s/{GATEWAY}:8000/localhost:9090/", (TRAFFIC,)),
        ],
        ids=["removed", "turned-elsewhere"],
    )
    def test_a_scrape_that_looks_away_is_no_recovery(self, killed_for_long, edit, wanted):
        """The alert's query finds nothing any more: that its condition is gone is not enough."""
        stage = killed_for_long
        stage.run(f"git checkout -q -- config && sed -i '{edit}' {PROMETHEUS}")
        stage.rebuild_prometheus()
        query = "http://localhost:9090/api/v1/query --data-urlencode 'query=up{job=\"inference-gateway\"} == 0'"
        assert stage.run(f"curl -fsS -G {query} | jq '.data.result | length'") == "0"
        assert not missed(stage, HEALTH, *wanted)


def test_a_server_that_says_healthy_to_everything_is_no_recovery(killed):
    killed.stub()
    assert not missed(killed, PREDICTIONS, SCRAPED, UP)


def test_a_constant_in_the_place_of_predictions_is_no_recovery(killed):
    """The stub is healthy, scraped and quick; only who asks two questions notices, and who knows the answer."""
    killed.stub(METRICS, '{"predictions": [4.2], "model_name": "demand-forecast"}')
    assert not missed(killed, PREDICTIONS)
    assert not killed.replica.ask_as_customer().served


def test_a_service_that_comes_and_goes_is_not_recovered(stage):
    stage.must_be_green()
    flap = f"while sleep 2; do docker kill {GATEWAY}; sleep 0.5; docker start {GATEWAY}; done"
    pid = stage.run(f"setsid sh -c '{flap}' >/dev/null 2>&1 </dev/null & echo $!")
    try:
        assert not missed(stage)
    finally:
        stage.run(f"kill -KILL -- -{pid}")
        stage.heal()


def test_a_restart_with_the_same_memory_limit_is_no_recovery(out_of_memory):
    out_of_memory.run(f"docker-compose restart {GATEWAY} 2>&1")
    assert not missed(out_of_memory)


def test_a_container_outside_its_network_is_no_recovery(killed):
    volume = killed.run("docker volume ls -q --filter label=com.docker.compose.volume=gateway-models")
    killed.replace(f"-e MODEL_NAME=demand-forecast -v {volume}:/models")
    assert killed.replica.ask_as_customer().served, "customers are served: the sham is a good one"
    assert not missed(killed, SCRAPED, UP, ALERT)
