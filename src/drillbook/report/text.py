"""Text from anywhere, made fit for a page: nothing in it may move a terminal, hide what it says, or fill the page."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from drillbook.units import format_duration

__all__ = ["NOTHING", "Excerpt", "duration", "excerpt", "instant", "one_line", "percent", "readable"]

NOTHING = "\N{EM DASH}"
"""What stands where a value is not known."""
KEPT_LINES = 60
"""Lines of output kept from its beginning, and as many from its end; the record has the rest."""
KEPT_WIDTH = 1000
"""Characters kept of one line."""

_DAY_S = 86_400
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff]"
)


def readable(text: str) -> str:
    """Return the text without terminal escapes, and with every other character that cannot be seen made visible.

    Control characters become their Unicode pictures, what turns the direction of text is written out as ``<U+202E>``.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    return _INVISIBLE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def one_line(text: object, width: int = 300) -> str:
    """Return the text as one readable line, cut at so many characters."""
    whole = str(text)
    line = " ".join(readable(whole[: 4 * width]).split())
    return line if len(line) <= width and len(whole) <= 4 * width else line[: width - 1] + "…"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of an output.

    Attributes:
        head: Its first lines.
        tail: Its last lines; empty where ``head`` is all of it.
        dropped: How many lines between them are not shown.
    """

    head: str
    tail: str = ""
    dropped: int = 0


def excerpt(text: object, lines: int = KEPT_LINES) -> Excerpt:
    """Return the first and the last lines of an output, readable and of a bounded width."""
    whole = text.rstrip() if isinstance(text, str) else ""
    count = whole.count("\n") + 1
    if count <= 2 * lines:
        return Excerpt(_bounded(whole.split("\n")))
    # Only the ends are taken apart: an output can have megabytes, and a run hundreds of them.
    head, tail = whole.split("\n", lines)[:lines], whole.rsplit("\n", lines)[1:]
    return Excerpt(_bounded(head), _bounded(tail), count - 2 * lines)


def _bounded(lines: list[str]) -> str:
    return readable("\n".join(map(_narrow, lines)))


def _narrow(line: str) -> str:
    line = line.rstrip("\r")
    if len(line) <= KEPT_WIDTH:
        return line
    return f"{line[:KEPT_WIDTH]} … [{len(line) - KEPT_WIDTH} more characters in this line]"


def duration(seconds: object) -> str:
    """Return seconds as a person reads them, or a dash where there is no number."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not abs(seconds) < 1e12:
        return NOTHING
    if 0 < seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds >= 2 * _DAY_S and seconds % _DAY_S == 0:
        return f"{seconds / _DAY_S:.0f} days"
    return format_duration(float(seconds))


def instant(stamp: object) -> str:
    """Return a record's time as ``2026-01-31 03:14:07 UTC``, or a dash."""
    try:
        time = stamp if isinstance(stamp, datetime) else datetime.fromisoformat(str(stamp))
    except ValueError:
        return NOTHING
    return f"{(time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def percent(ratio: object) -> str:
    """Return a ratio of 0 to 1 as a percentage with the digits that matter, or a dash."""
    if not isinstance(ratio, int | float) or isinstance(ratio, bool) or not abs(ratio) < 1e9:
        return NOTHING
    value = ratio * 100
    if value == 0 or abs(value) >= 10:
        return f"{value:.4g} %"
    return f"{value:.2g} %" if abs(value) >= 0.01 else "< 0.01 %"
