"""A drill's course as a drawing: one row a phase, one line a moment. Only geometry; the template draws it."""

from collections.abc import Callable
from dataclasses import dataclass

from drillbook.report.record import DrillRecord, Event, field_list, field_number, field_text
from drillbook.report.text import duration, one_line

__all__ = ["Bar", "Mark", "Picture", "Tick", "draw"]

ROW = 22.0
LANE = 17.0
AXIS = 20.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase."""

    name: str
    label: str
    x: float
    y: float
    width: float
    label_x: float
    label_anchor: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, with its words in a lane above the phases."""

    name: str
    label: str
    x: float
    text_x: float
    text_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A number on the axis."""

    label: str
    x: float


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn, in pixels of the picture's own width.

    Attributes:
        kind: ``wide`` or ``narrow``.
        width: Of the whole.
        height: Of the whole.
        left: Where the time begins.
        right: Where it ends.
        top: Where the rows begin.
        bottom: Where the axis is.
        text: Size of the letters.
        bars: Phases, in order.
        marks: Moments, in order.
        ticks: Numbers of the axis, seconds since the fault's confirmed effect (since the drill's begin without one).
        since: What the axis counts from.
        description: The same in words.
    """

    kind: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    text: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    since: str
    description: str


@dataclass(frozen=True, slots=True)
class _Span:
    name: str
    begin_s: float
    end_s: float
    is_open: bool


def draw(drill: DrillRecord, *, narrow: bool = False) -> Picture | None:
    """Return the picture of a drill, or None where its record has no phase.

    Args:
        drill: With its events.
        narrow: For a phone: the same at a third of the width.
    """
    spans = _spans(drill)
    if not spans:
        return None
    width, left, right, text = (380.0, 78.0, 366.0, 12.0) if narrow else (1120.0, 96.0, 1096.0, 13.0)
    begin_s = min(span.begin_s for span in spans)
    end_s = max(begin_s + 0.001, *(span.end_s for span in spans))
    scale = (right - left) / (end_s - begin_s)
    t0_s = field_number(drill.first("t0"), "at_s")
    origin_s = begin_s if t0_s is None else t0_s

    def x_of(at_s: float) -> float:
        return round(left + (min(max(at_s, begin_s), end_s) - begin_s) * scale, 1)

    moments = _moments(drill)
    marks, lanes = _placed([(name, label, x_of(at_s)) for name, label, at_s in moments], left, right, text)
    top = lanes * LANE + 8
    bars = tuple(_bar(span, number, x_of, top, right, text) for number, span in enumerate(spans))
    bottom = top + len(spans) * ROW + 4
    return Picture(
        kind="narrow" if narrow else "wide",
        width=width,
        height=bottom + AXIS + 14,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        text=text,
        bars=bars,
        marks=marks,
        ticks=_ticks(begin_s, end_s, origin_s, x_of, 4 if narrow else 10),
        since="the fault's confirmed effect (t0)" if t0_s is not None else "the drill's begin",
        description=_description(spans, moments, origin_s),
    )


def _spans(drill: DrillRecord) -> list[_Span]:
    begun: dict[str, float] = {}
    spans: list[_Span] = []
    last_s = 0.0
    for event in drill.events:
        at_s = field_number(event, "at_s")
        if at_s is None:
            continue
        last_s = max(last_s, at_s)
        phase = one_line(field_text(event, "phase"), 20)
        if event.get("kind") == "phase.begin":
            begun[phase] = at_s
        elif event.get("kind") == "phase.end" and phase in begun:
            spans.append(_Span(phase, begun.pop(phase), at_s, is_open=False))
    spans += [_Span(phase, at_s, max(at_s, last_s), is_open=True) for phase, at_s in begun.items()]
    return sorted(spans, key=lambda span: (span.begin_s, span.end_s))[:20]


def _moments(drill: DrillRecord) -> list[tuple[str, str, float]]:
    found: list[tuple[str, str, float]] = []
    for event in drill.of("t0", "alert.fired", "alert.none", "cause.named", "restored", "alert.resolved"):
        at_s = field_number(event, "at_s")
        if at_s is not None:
            found.append((field_text(event, "kind").replace(".", "-"), _moment(event), at_s))
    return found[:8]


def _moment(event: Event) -> str:
    since = duration(event.get("since_t0_s"))
    match event.get("kind"):
        case "t0":
            return "t0: fault confirmed"
        case "alert.fired":
            return f"{one_line(field_text(event, 'alert'), 24)} fires +{since}"
        case "alert.none":
            return f"no alert in {duration(event.get('watched_s'))}"
        case "alert.resolved":
            return f"{one_line(field_text(event, 'alert'), 24)} resolved +{since}"
        case "restored":
            return f"restored +{since}"
        case _:
            return f"{'cause named' if field_list(event, 'causes') else 'no cause named'} +{since}"


def _placed(
    moments: list[tuple[str, str, float]], left: float, right: float, text: float
) -> tuple[tuple[Mark, ...], int]:
    """Put the moments' words into as few lanes as keep them apart; return them and the number of lanes."""
    ends: list[float] = []
    placed: list[tuple[str, str, float, float, str, int]] = []
    for name, label, x in moments:
        length = len(label) * text * 0.56 + 10
        anchor, begin = ("start", x + 4) if x + length <= right else ("end", x - length)
        begin = max(begin, left - 60)
        lane = next((number for number, end in enumerate(ends) if end <= begin), len(ends))
        if lane == len(ends):
            ends.append(0.0)
        ends[lane] = begin + length
        placed.append((name, label, x, x + 4 if anchor == "start" else x - 4, anchor, lane))
    lanes = len(ends)
    marks = tuple(
        Mark(name, label, x, text_x, round((lane + 1) * LANE - 3, 1), anchor)
        for name, label, x, text_x, anchor, lane in placed
    )
    return marks, lanes


def _bar(span: _Span, number: int, x_of: Callable[[float], float], top: float, right: float, text: float) -> Bar:
    x, end = x_of(span.begin_s), x_of(span.end_s)
    label = duration(span.end_s - span.begin_s) + (", cut off" if span.is_open else "")
    fits = end + len(label) * text * 0.6 + 10 <= right
    return Bar(
        span.name,
        label,
        x,
        round(top + number * ROW, 1),
        max(2.0, round(end - x, 1)),
        end + 6 if fits else x - 6,
        "start" if fits else "end",
        span.is_open,
    )


def _ticks(
    begin_s: float, end_s: float, origin_s: float, x_of: Callable[[float], float], most: int
) -> tuple[Tick, ...]:
    steps = [size * 10**power for power in range(-1, 6) for size in (1, 2, 5)]
    step = next((step for step in steps if (end_s - begin_s) / step <= most), steps[-1])
    first = int((begin_s - origin_s) / step) - 1
    ticks = []
    for number in range(first, first + 3 * most):
        at_s = origin_s + number * step
        if begin_s <= at_s <= end_s:
            ticks.append(Tick(f"{number * step:g} s", x_of(at_s)))
    return tuple(ticks)


def _description(spans: list[_Span], moments: list[tuple[str, str, float]], origin_s: float) -> str:
    phases = ", ".join(
        f"{span.name} {duration(span.end_s - span.begin_s)}{' (cut off)' if span.is_open else ''}" for span in spans
    )
    said = ", ".join(f"{label} (at {at_s - origin_s:.1f} s)" for _, label, at_s in moments)
    return f"Phases: {phases}." + (f" Moments: {said}." if said else "")
