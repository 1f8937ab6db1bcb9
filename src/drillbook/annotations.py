"""What an author tells drillbook inside of a document: ``drillbook: KEY=VALUE`` in a comment."""

import re
from dataclasses import dataclass

from drillbook.model import Phase

__all__ = ["Annotation", "annotation_in"]

_COMMENT = re.compile(r"\s*(?:<!--|#|--|//)?\s*drillbook:\s*(.*?)\s*(?:-->)?\s*", re.DOTALL)
_PAIR = re.compile(r"([a-z-]+)=(.*)", re.DOTALL)
_KEYS = ("ignore", "phase", "scenario", "human-only")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark of the author; what it does not say is empty.

    Attributes:
        ignore: Ids of lint rules that are not to be reported.
        phase: What the section or block is for.
        scenario: The section is a scenario, or a route: its title names one.
        human_only: Why only a person can do this.
        problem: What is wrong with the remark.
    """

    ignore: tuple[str, ...] = ()
    phase: Phase | None = None
    scenario: bool = False
    human_only: str = ""
    problem: str = ""


def annotation_in(comment: str) -> Annotation | None:
    """Return what a comment tells drillbook, or None where it is not meant for it.

    Args:
        comment: With or without its marks: ``<!-- drillbook: phase=verify -->``, ``# drillbook: ignore=DB101``.
    """
    found = _COMMENT.fullmatch(comment)
    if not found:
        return None
    pair = _PAIR.fullmatch(found[1])
    key, value = (pair[1], pair[2].strip()) if pair else ("", "")
    match key:
        case "ignore" if re.fullmatch(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*", value):
            return Annotation(ignore=tuple(re.split(r"\s*,\s*", value)))
        case "phase" if value in {*Phase}:
            return Annotation(phase=Phase(value))
        case "phase":
            return Annotation(problem=f"expected one of {', '.join(Phase)} as phase, got {value!r}")
        case "scenario" if value == "yes":
            return Annotation(scenario=True)
        case "scenario":
            return Annotation(problem=f"expected scenario=yes, got {value!r}")
        case "human-only" if value:
            return Annotation(human_only=" ".join(value.split()))
    expected = ", ".join(f"{key}=…" for key in _KEYS)
    return Annotation(problem=f"expected `drillbook:` and one of {expected}, got {found[1]!r}")
