"""Durations and sizes as people write them; the only place that parses or prints units."""

import re

from drillbook.errors import UsageError

__all__ = ["format_bytes", "format_duration", "parse_bytes", "parse_duration"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_duration(text: str, *, where: str = "duration") -> float:
    """Return the seconds that ``30s``, ``5m``, ``1m30s``, ``250ms`` or ``2h`` stand for.

    Args:
        text: One or more numbers, each with a unit of ms, s, m, h or d.
        where: Named in the error.

    Raises:
        UsageError: The text is no duration.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise UsageError(where, f"expected a duration, got {text!r}", hint="write 30s, 5m, 1m30s or 2h")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Return seconds as a person reads them: ``0.4 s``, ``42 s``, ``5 min``, ``1 h 10 min``."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def parse_bytes(text: str, *, where: str = "size") -> int:
    """Return the bytes that ``128M``, ``4G`` or ``512k`` stand for (powers of 1024, as Docker reads them).

    Raises:
        UsageError: The text is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise UsageError(where, f"expected a size, got {text!r}", hint="write 512k, 128M or 4G")
    return int(float(match[1]) * _BYTES[match[2]])


def format_bytes(count: int) -> str:
    """Return bytes as a person reads them: ``512 KiB``, ``128 MiB``."""
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"
