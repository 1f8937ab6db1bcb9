"""Where in a document a reader is: open headings, ids, and the phase and scenario that they give."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from drillbook.model import Effect, Phase
from drillbook.phases import phase_of, scenario_of, slug_of

__all__ = ["Outline"]


@dataclass(slots=True)
class _Heading:
    level: int
    title: str
    path: str
    phase: Phase | None = None
    is_scenario: bool = False


class Outline:
    """The headings that are open at a point of a document.

    Args:
        h1_count: How many headings of level 1 there are: a single one is the document's title and stands in no id.
    """

    def __init__(self, h1_count: int) -> None:
        self._h1_count = h1_count
        self._open: list[_Heading] = []
        self._paths: set[str] = set()
        self._ordinals: Counter[str] = Counter()

    def enter(self, level: int, title: str) -> str:
        """Go on under a heading and return its path, which it may share with others of that name under its parent."""
        while self._open and self._open[-1].level >= level:
            self._open.pop()
        parents = [heading for heading in self._open if not self._is_title(heading.level)]
        base = "/".join([*([parents[-1].path] if parents else []), slug_of(title)])
        path, number = base, 1
        while path in self._paths:
            number += 1
            path = f"{base}-{number}"
        self._paths.add(path)
        self._open.append(_Heading(level, title, path))
        return base

    def declare(self, phase: Phase) -> None:
        """Take the author's word for what the section is for, from here to its end."""
        if self._open:
            self._open[-1].phase = phase

    def declare_scenario(self) -> None:
        """Take the author's word that the section is a scenario."""
        if self._open:
            self._open[-1].is_scenario = True

    def next_id(self) -> str:
        """Return a new id: the heading path and the ordinal there."""
        path = self._open[-1].path if self._open else "start"
        self._ordinals[path] += 1
        return f"{path}#{self._ordinals[path]}"

    @property
    def path(self) -> str:
        """Heading path of the innermost section."""
        return self._open[-1].path if self._open else "start"

    @property
    def titles(self) -> tuple[str, ...]:
        """From the outermost heading to the innermost, the document's title included."""
        return tuple(heading.title for heading in self._open)

    @property
    def scenario(self) -> str | None:
        """Title of the scenario that the section belongs to, or None."""
        declared = next((heading.title for heading in self._open if heading.is_scenario), None)
        return declared or scenario_of(self._headings())

    def phase(self, effects: Iterable[Effect] = ()) -> Phase:
        """Return what a block with commands of these effects is for here."""
        declared = next((heading.phase for heading in reversed(self._open) if heading.phase), None)
        return declared or phase_of(self._headings(), effects)

    def _headings(self) -> list[str]:
        return [heading.title for heading in self._open if not self._is_title(heading.level)]

    def _is_title(self, level: int) -> bool:
        return level == 1 and self._h1_count == 1
