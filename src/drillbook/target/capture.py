"""What comes out of a session's pipes: where a command's output begins and ends, and how much of it is kept."""

import re

__all__ = ["Capture", "Frame"]


class Capture:
    """Keeps the head and the tail of a stream and counts the rest.

    Args:
        keep_bytes: Kept at most, half of it from the beginning and half from the end.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._half = max(1, keep_bytes // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > 2 * self._half:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self.dropped_bytes += surplus

    def value(self) -> bytes:
        """Return what was kept; where bytes are missing between head and tail, a line says how many."""
        if self.dropped_bytes or len(self._head) + len(self._tail) > 2 * self._half:
            self._trim()
        if not self.dropped_bytes:
            return bytes(self._head + self._tail)
        return bytes(self._head) + b"\n[%d bytes not kept]\n" % self.dropped_bytes + bytes(self._tail)


class Frame:
    """Cuts one command's output out of a stream that other output may precede.

    Args:
        begin: Marker after which the output begins; the rest of its line is ``began``.
        end: Marker at which it ends, wherever it stands in a line; the rest of its line is ``ended``.
        keep_bytes: How much of the output is kept.
        note: Marker of lines that are no output but the shell's own notes; they come last. Empty for none.
    """

    def __init__(self, begin: bytes, end: bytes, keep_bytes: int, note: bytes = b"") -> None:
        self._begin, self._end, self._note = begin, end, note
        self._pending = bytearray()
        self._noting = False
        self._notes: list[bytes] = []
        self.capture = Capture(keep_bytes)
        self.began: bytes | None = None
        self.ended: bytes | None = None

    @property
    def notes(self) -> bytes:
        """What the note lines hold, joined."""
        return b"".join(self._notes)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream; what follows the end is dropped."""
        if self.ended is not None:
            return
        self._pending += chunk
        if self.began is None and not self._find_begin():
            return
        self._find_end()

    def _find_begin(self) -> bool:
        at = self._pending.find(self._begin)
        if at < 0:
            del self._pending[: max(0, len(self._pending) - len(self._begin))]
            return False
        line_end = self._pending.find(b"\n", at)
        if line_end < 0:
            return False
        self.began = bytes(self._pending[at + len(self._begin) : line_end]).strip()
        del self._pending[: line_end + 1]
        return True

    def _find_end(self) -> None:
        at = self._pending.find(self._end)
        if at < 0:
            self._release()
            return
        line_end = self._pending.find(b"\n", at)
        if line_end < 0:
            return
        self.ended = bytes(self._pending[at + len(self._end) : line_end]).strip()
        self._take(bytes(self._pending[:at]))
        self._pending.clear()

    def _release(self) -> None:
        if not self._noting and self._note:
            self._noting = self._note in self._pending
        if self._noting:
            return
        # A marker may be cut in two by the read: what could be its beginning stays back.
        longest = max(len(self._end), len(self._note)) - 1
        surplus = len(self._pending) - longest
        if surplus > 0:
            self.capture.feed(bytes(self._pending[:surplus]))
            del self._pending[:surplus]

    def _take(self, rest: bytes) -> None:
        if self._note:
            pattern = re.compile(re.escape(self._note) + rb"([^\n]*)\n")
            self._notes = pattern.findall(rest)
            rest = pattern.sub(b"", rest)
        self.capture.feed(rest)

    def so_far(self) -> bytes:
        """Return the output until now, also where the end never came."""
        if self.began is None:
            return b""
        return self.capture.value() + (bytes(self._pending) if self.ended is None and not self._noting else b"")
