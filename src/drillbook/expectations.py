"""What a document says should come back, as far as it can be looked for in an output."""

import re

__all__ = ["quoted", "wanted"]


def wanted(expects: str) -> list[str]:
    """Return what of an expectation can be looked for in an output without its blanks."""
    return [re.sub(r"\s+", "", words).strip("{}`") for words in quoted(expects)]


def quoted(expects: str) -> list[str]:
    """Return what an expectation has in braces (JSON), in quotes or in backticks."""
    return re.findall(r"\{[^{}]*\}|\"[^\"]+\"|`[^`]+`", expects)
