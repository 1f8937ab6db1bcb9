"""Which services of a replica are not ready, and why."""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.replica.inner_engine import SERVICE_LABEL, InnerEngine

__all__ = ["NO_TLS", "not_answering", "not_ready", "why_not_running"]

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A replica's URLs are plain HTTP. Without this every request loads the machine's certificates: 30 ms of processor."""

_ANSWER_WITHIN_S = 2.0


def not_ready(engine: InnerEngine, services: Sequence[str]) -> dict[str, str]:
    """Return name -> reason for every service that is not ready.

    Args:
        engine: The replica's engine.
        services: Compose services that have to run, and to be healthy where they have a health check.
    """
    containers = {str((one.get("Labels") or {}).get(SERVICE_LABEL)): one for one in engine.containers()}
    left = {name: why_not_running(containers.get(name)) for name in services}
    return {name: why for name, why in left.items() if why}


def not_answering(urls: Mapping[str, str]) -> dict[str, str]:
    """Return name -> reason for every URL that does not answer 200.

    Args:
        urls: URL -> its name.
    """
    asked = {name: _why_no_answer(url) for url, name in urls.items()}
    return {f"{name} URL": why for name, why in asked.items() if why}


def why_not_running(container: Mapping[str, Any] | None) -> str:
    """Return why a container, as the engine lists it, is not ready; empty where it is."""
    if container is None:
        return "no container"
    status = str(container["Status"])
    if container["State"] != "running" or "(unhealthy)" in status or "health: starting" in status:
        return status
    return ""


def _why_no_answer(url: str) -> str:
    import httpx

    try:
        status = httpx.get(url, timeout=_ANSWER_WITHIN_S, trust_env=False, verify=NO_TLS).status_code
    except httpx.HTTPError as error:
        return f"{url}: {type(error).__name__}"
    return "" if status == httpx.codes.OK else f"{url}: expected 200, got {status}"
