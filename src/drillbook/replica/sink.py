"""What was posted in a replica instead of to people."""

from collections.abc import Mapping, Sequence

from drillbook.errors import ReplicaError

__all__ = ["read_posts"]


def read_posts(url: str, *, within_s: float = 5.0) -> Sequence[Mapping[str, object]]:
    """Return the posts that a sink lists at ``/posted``, each as ``path`` and ``body``.

    Args:
        url: Where the sink answers.
        within_s: Seconds it may take.

    Raises:
        ReplicaError: It does not answer, or not with such a list.
    """
    import httpx

    try:
        answer = httpx.get(f"{url}/posted", timeout=within_s, trust_env=False)
        answer.raise_for_status()
        return [{"path": post["path"], "body": post["body"]} for post in answer.json()]
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise ReplicaError(
            f"{url}/posted", f"expected the list of posts, got {type(error).__name__}", evidence=str(error)
        ) from error
