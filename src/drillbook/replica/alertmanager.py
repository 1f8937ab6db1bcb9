"""The alerts that a Prometheus Alertmanager has now (its API, version 2)."""

from collections.abc import Sequence
from typing import Any

from drillbook.alerts import Alert
from drillbook.errors import ReplicaError
from drillbook.replica.readiness import NO_TLS

__all__ = ["firing_alerts", "read_alerts"]


def firing_alerts(url: str, *, within_s: float = 5.0) -> Sequence[Alert]:
    """Return the alerts that fire; one that somebody silenced fires as well.

    Args:
        url: Where the Alertmanager answers.
        within_s: Seconds it may take.

    Raises:
        ReplicaError: It does not answer, or not with a list of alerts.
    """
    import httpx

    address = f"{url}/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true"
    try:
        response = httpx.get(address, timeout=within_s, trust_env=False, verify=NO_TLS)
        response.raise_for_status()
        return read_alerts(response.json())
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise ReplicaError(
            address,
            f"expected the list of alerts within {within_s:.0f} s, got {type(error).__name__}",
            evidence=str(error),
        ) from error


def read_alerts(answer: Any) -> Sequence[Alert]:
    """Return the alerts of the API's JSON."""
    return tuple(
        Alert(alert["labels"]["alertname"], dict(alert["labels"]), str(alert.get("startsAt", ""))) for alert in answer
    )
