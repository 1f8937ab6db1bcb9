"""What was seen: the transcript that diagnosis may look at, and what the checks said."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drillbook.errors import TargetUnreachable
from drillbook.model import Phase, Runbook
from drillbook.outcome import Outcome

__all__ = ["Checked", "Finding", "Record", "Transcript", "expect"]

_CANNOT_RUN = frozenset({126, 127})
"""What a shell says of a program that is not there, or that it may not run."""
_ENDED = re.compile(r"OCI runtime exec failed: .*(setns process|procReady not received)")
"""What an engine says, with the same status, of a container that ends while a program is being started in it: what a
command sees of a service that crashes. No program is missing then."""

_WAS_REFUSED = re.compile(
    r"^(?:Error from server \(Forbidden\): |error: unable to upgrade connection: Forbidden|"
    r"error: You must be logged in to the server|Unable to connect to the server: getting credentials).*",
    re.MULTILINE,
)
"""What kubectl says where the cluster does not let somebody look, or does not know them; nothing is known then of what
was asked for. Where no server answers is another matter: that may be what a runbook is about."""

_COULD_NOT_LOOK = re.compile(
    r"^(?:(?:z?cat|tail|head|[ef]?grep|zgrep|g?awk|sed|wc): .*(?:No such file or directory|Permission denied)"
    r"|(?:ls|stat|find|df|du|(?:ba)?sh: .*): .*Permission denied"
    r"|dmesg: .*not permitted"
    r"|(?:Cannot connect to the Docker daemon|permission denied while trying to connect to the|"
    r"failed to connect to the docker API) .*)$",
    re.MULTILINE,
)
"""What a program says that was not let at what it should read. A client whose server is down says other things, which
are evidence of it; so is that a file is not there, for those that ask for just that."""


@dataclass(frozen=True, slots=True)
class Record:
    """One command of the document and what it left behind.

    Attributes:
        id: The command's id.
        text: As the document has it.
        ran: What was run, also where it did not come to an end; differs from ``text`` where a named rule rewrote it.
            Empty where nothing was.
        exit_status: The command's own, or None where it did not come to an end or was not run.
        out: Its stdout.
        err: Its stderr.
        skipped: Why it was not run or has no output, or None.
        phase: Of its section.
        dropped_bytes: How much it printed that was not kept, from the middle of a stream.
    """

    id: str
    text: str
    ran: str
    exit_status: int | None
    out: str = ""
    err: str = ""
    skipped: str | None = None
    phase: Phase = Phase.DIAGNOSE
    dropped_bytes: int = 0

    def whole(self) -> "Record":
        """Return this record.

        Raises:
            TargetUnreachable: More was printed than is kept, so that something is not there means nothing.
        """
        if self.dropped_bytes:
            problem = f"printed {self.dropped_bytes} bytes more than are kept, so not all that it said is known"
            raise TargetUnreachable(self.id, problem, hint="let the command print less: tail, grep, --since")
        return self

    def lines(self) -> Iterator[str]:
        """Yield the lines of stdout, then those of stderr."""
        yield from self.out.splitlines()
        yield from self.err.splitlines()


class Transcript:
    """What the runbook's reading commands printed, in order; the only thing that diagnosis checks may look at."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = list(records)
        self.read: set[str] = set()
        """Ids of the commands whose output somebody has looked at by name."""

    def for_one_reader(self) -> "Transcript":
        """Return the same transcript with a note of its own of what is read in it."""
        return Transcript(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def append(self, record: Record) -> None:
        """Add what another command printed."""
        self._records.append(record)

    def __getitem__(self, id_: str) -> Record:
        """Return the last record of a command.

        Raises:
            TargetUnreachable: The command has no output here (not run, refused here or by a cluster, its program
                missing, or its target did not answer), or more than is kept, so what it would have said is unknown.
        """
        return self._last(id_).whole()

    def _last(self, id_: str) -> Record:
        self.read.add(id_)
        return _last_of(self._records, id_)

    def told(self, id_: str) -> Record:
        """Return the last record of a command whose silence is to mean something.

        Raises:
            TargetUnreachable: The command has no output here, or it failed: that it printed nothing says nothing.
        """
        record = self[id_]
        if record.exit_status or (record.err.strip() and not record.out.strip()):
            said = record.err.strip()[-200:] or "nothing"
            raise TargetUnreachable(id_, f"failed with exit status {record.exit_status} and said: {said}")
        return record

    def find(self, pattern: str, *, among: Sequence[str] = ()) -> str | None:
        """Return the first line that a regular expression matches somewhere, or None.

        Args:
            pattern: Searched in every line.
            among: Ids of the commands to look at; all of them where it is empty.

        Raises:
            TargetUnreachable: One of ``among`` has no output; or nothing matches, and some command has none, or more
                than is kept, or was not let at what it should read.
        """
        records = [self._last(id_) for id_ in among] if among else self._records
        found = next((line for record in records for line in record.lines() if re.search(pattern, line)), None)
        if found is None:
            for record in records:
                # Raises for a command that might have printed it.
                silent = _last_of(self._records, record.id).whole()
                if silent.exit_status and not silent.out and (why := _COULD_NOT_LOOK.search(silent.err)):
                    raise TargetUnreachable(silent.id, f"could not look: {why[0]}")
                if refused := _WAS_REFUSED.search(f"{silent.out}\n{silent.err}"):
                    raise TargetUnreachable(silent.id, f"was refused in part: {refused[0][-200:]}")
        return found

    def text(self) -> str:
        """Return everything that was printed."""
        return "\n".join(line for record in self._records for line in record.lines())


def _last_of(records: Sequence[Record], id_: str) -> Record:
    for record in reversed(records):
        if record.id == id_:
            if record.skipped:
                raise TargetUnreachable(id_, f"has no output to look at: {record.skipped}")
            if record.exit_status in _CANNOT_RUN and not _ENDED.search(record.err):
                raise TargetUnreachable(id_, f"could not be run: {record.err.strip()[-200:] or record.text}")
            printed = record.out.strip()
            refused = _WAS_REFUSED.match(printed) if printed else _WAS_REFUSED.search(record.err)
            if refused:
                raise TargetUnreachable(id_, f"was refused: {refused[0][-200:]}")
            return record
    raise TargetUnreachable(id_, "is not in the transcript, so what it would have said is unknown")


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check said in one round.

    Attributes:
        item: Name of the test function, parameters included.
        job: ``verify`` or ``diagnose``.
        claim: The sentence that the check stands for.
        covers: Ids of the steps and commands that it judges.
        outcome: Of this round.
        expected: What the check wanted to see; empty where it passed.
        seen: What it saw.
        hint: What to do next.
        took_s: Seconds that it took.
        reads: Ids of the commands whose output it looked at.
    """

    item: str
    job: str
    claim: str
    covers: tuple[str, ...] = ()
    outcome: Outcome = Outcome.PASSED
    expected: str = ""
    seen: str = ""
    hint: str = ""
    took_s: float = field(default=0.0, compare=False)
    reads: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """True where the check passed or was not asked to look (a check that writes, on a real system)."""
        return self.outcome in {Outcome.PASSED, Outcome.NOT_CHECKED}

    @property
    def is_judged(self) -> bool:
        """True where the check looked and came to a result; a drill needs that of each."""
        return self.outcome not in {Outcome.UNKNOWN, Outcome.ERROR, Outcome.NOT_CHECKED}

    def to_event(self, runbook: Runbook) -> dict[str, Any]:
        """Return the fields of a ``check`` event."""
        return {
            "item": self.item,
            "job": self.job,
            "claim": self.claim,
            "covers": list(self.covers),
            "reads": list(self.reads),
            "line": runbook.line_of(self.covers[0]) if self.covers else None,
            "outcome": self.outcome,
            "expected": self.expected,
            "seen": self.seen,
            "next": self.hint,
            "took_s": round(self.took_s, 4),
        }


class Finding(AssertionError):
    """A check's red result in the words that the terminal and the report show."""

    def __init__(self, expected: str, seen: str, hint: str = "") -> None:
        self.expected = expected
        self.seen = seen
        self.hint = hint
        super().__init__(f"expected {expected}; saw {seen}")


def expect(condition: object, expected: str, seen: object, then: str = "") -> None:
    """Make a check red unless the condition holds.

    Args:
        condition: Truthy where all is well.
        expected: What should have been there, with units.
        seen: What was there; its text is shown.
        then: What to do next; empty for the runbook's own words.

    Raises:
        Finding: The condition does not hold.
    """
    if not condition:
        raise Finding(expected, str(seen), then)
