"""What the plugin keeps of one pytest run, in typed stash keys."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.outcomes import Skipped

from drillbook.evidence import Checked, Transcript
from drillbook.model import Runbook
from drillbook.outcome import Outcome
from drillbook.site import Site
from drillbook.target import Target
from drillbook.target.targetfile import TargetFile
from drillbook.timeline import Timeline

__all__ = ["DRILL_OUTCOME", "JOBS", "NEST", "READS", "RUN", "Nest", "NotListed", "Run"]

JOBS = ("verify", "diagnose", "chaos")


@dataclass(slots=True)
class Run:
    """One run of one job, with its folder and its record.

    Attributes:
        jobs: One or more of ``verify``, ``diagnose``, ``chaos``.
        folder: Where the record and the reports go.
        timeline: The record.
        target: The real system, or None where replicas are used.
        site: Opened from ``target`` when the first check needs it.
        context: Of the user's kubectl, where replicas live on a cluster of the user's; else None.
        incident: Filed under this id, or None.
        wait_s: How long to wait for the first green round.
        soak_s: How long every round must stay green; 0 for two rounds.
        words: The verdict, once it is known.
        rounds: Rounds that were run.
        deselected: Checks of a real system that options such as ``-k`` took away.
        is_cut: Something asked pytest to stop before everything had run.
        green_since_s: When the window was opened, seconds of the timeline; None where no round was green.
        runbooks: Slug -> document.
        sessions: To the real system, to be closed at the end.
    """

    jobs: tuple[str, ...]
    folder: Path
    timeline: Timeline
    target: TargetFile | None = None
    site: Site | None = None
    context: str | None = None
    incident: str | None = None
    wait_s: float = 0.0
    soak_s: float = 0.0
    words: str = ""
    rounds: int = 0
    deselected: list[pytest.Item] = field(default_factory=list)
    is_cut: bool = False
    green_since_s: float | None = None
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    sessions: list[Target] = field(default_factory=list)


class NotListed(Skipped):
    """A check that writes is left out on a real system that does not list it."""


@dataclass(slots=True)
class Nest:
    """A round of checks inside a drill: where to look, and what was said."""

    site: Site
    transcript: Transcript | None
    checked: list[Checked] = field(default_factory=list)


RUN = pytest.StashKey[Run]()
NEST = pytest.StashKey[Nest]()
DRILL_OUTCOME = pytest.StashKey[Outcome]()
READS = pytest.StashKey[set[str]]()
"""Ids of the commands whose output an item has looked at in this round."""
