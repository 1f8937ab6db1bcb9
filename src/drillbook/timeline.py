"""The run's record: append-only events, flushed as they happen."""

import copy
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from drillbook.clock import Clock
from drillbook.errors import EvidenceError
from drillbook.redact import Redactor

__all__ = ["Event", "Timeline", "read_events"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: Dotted name of what happened; the kinds are listed in ``docs/run-format.md``.
        utc: When, aware.
        at_s: Monotonic seconds since the timeline began.
        fields: JSON values that belong to it.
    """

    kind: str
    utc: datetime
    at_s: float
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the event as one flat JSON object."""
        stamp = self.utc.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {"kind": self.kind, "utc": stamp, "at_s": round(self.at_s, 4), **self.fields}


class Timeline:
    """Append-only list of events; each one is redacted, written and flushed before ``add`` returns.

    Args:
        clock: Where time comes from.
        path: File that gets one JSON object a line; None keeps the events in memory only.
        redactor: Removes secrets from every string before anything is written.
        context: Fields that every event carries (the drill's id, say).
    """

    def __init__(
        self,
        clock: Clock,
        path: Path | None = None,
        redactor: Redactor | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._clock = clock
        self._redactor = redactor or Redactor()
        self._context = dict(context or {})
        self._began_s = clock.monotonic_s()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []
        self._file: TextIO | None = None
        self.events: list[Event] = []
        if path:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8", errors="replace")
            except OSError as error:
                raise EvidenceError(str(path), f"the run's record cannot be written: {error.strerror}") from error

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call the listener with every later event (live progress hangs on this)."""
        self._listeners.append(listener)

    def bound(self, **context: Any) -> "Timeline":
        """Return a view of the same record whose events carry more fields (a drill's id, say)."""
        view = copy.copy(self)
        view._context = {**self._context, **context}  # noqa: SLF001 (a copy of itself)
        return view

    def now_s(self) -> float:
        """Return monotonic seconds since the timeline began."""
        return self._clock.monotonic_s() - self._began_s

    def add(self, kind: str, **fields: Any) -> Event:
        """Record that something happened now.

        Raises:
            EvidenceError: The record cannot be written (disk full, say).
        """
        clean = self._redactor.clean_json({**self._context, **fields})
        with self._lock:
            event = Event(kind, self._clock.utc(), self.now_s(), clean)
            self.events.append(event)
            if self._file:
                self._write(self._file, event)
        for listener in list(self._listeners):
            try:
                listener(event)
            except OSError:  # whoever watched is gone (a closed pipe); the record goes on without
                self._listeners.remove(listener)
        return event

    def _write(self, file: TextIO, event: Event) -> None:
        try:
            file.write(json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False) + "\n")
            file.flush()
        except OSError as error:
            raise EvidenceError(file.name, f"the run's record cannot be written: {error.strerror}") from error

    @contextmanager
    def span(self, kind: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """Record ``kind.begin`` and ``kind.end`` (with ``took_s``) around a block.

        What the block puts into the dict becomes part of the end.
        """
        begin_s = self.now_s()
        self.add(f"{kind}.begin", **fields)
        more: dict[str, Any] = {}
        try:
            yield more
        finally:
            self.add(f"{kind}.end", **fields, **more, took_s=round(self.now_s() - begin_s, 4))

    def close(self) -> None:
        """Close the file; what was added is on disk already."""
        file, self._file = self._file, None
        if file:
            try:
                file.close()
            except OSError as error:
                raise EvidenceError(file.name, f"the run's record cannot be written: {error.strerror}") from error


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a record, also of one whose last line was cut off by a kill.

    Raises:
        EvidenceError: The file is not there, or a line other than the last is no JSON object.
    """
    try:
        # not splitlines(): it also breaks at U+2028 and the like, which JSON strings may hold
        lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    except OSError as error:
        raise EvidenceError(str(path), f"no record can be read: {error.strerror}") from error
    events: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(_object(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise EvidenceError(f"{path}:{number}", f"expected one JSON object, got {line[:60]!r}") from error
    return events


def _object(line: str) -> dict[str, Any]:
    event = json.loads(line)
    if not isinstance(event, dict):
        raise ValueError(line)
    return event
