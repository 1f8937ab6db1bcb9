import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from drillbook.alerts import Alert
from drillbook.errors import ReplicaError
from drillbook.replica.alertmanager import firing_alerts

FIRING = {
    "labels": {"alertname": "ServiceDown", "job": "inference-gateway"},
    "startsAt": "2026-01-31T03:12:45.123Z",
    "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": []},
}


class Server(BaseHTTPRequestHandler):
    answer: bytes = b"[]"
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.end_headers()
        self.wfile.write(type(self).answer)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    Server.answer, Server.status = b"[]", 200
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_no_alert_is_no_alert(url: str) -> None:
    assert firing_alerts(url) == ()


def test_an_alert_that_somebody_silenced_fires_too(url: str) -> None:
    Server.answer = json.dumps([FIRING]).encode()
    labels = {"alertname": "ServiceDown", "job": "inference-gateway"}
    assert firing_alerts(url) == (Alert("ServiceDown", labels, "2026-01-31T03:12:45.123Z"),)


@pytest.mark.parametrize(
    ("status", "answer"), [(500, b"[]"), (200, b"<html>"), (200, b'[{"labels": {}}]'), (200, b"7")]
)
def test_an_answer_that_is_no_list_of_alerts_is_an_error_and_not_silence(url: str, status: int, answer: bytes) -> None:
    Server.status, Server.answer = status, answer
    with pytest.raises(ReplicaError, match="expected the list of alerts") as caught:
        firing_alerts(url)
    assert url in caught.value.where


def test_no_answer_is_an_error() -> None:
    with pytest.raises(ReplicaError, match="ConnectError"):
        firing_alerts("http://127.0.0.1:9")
