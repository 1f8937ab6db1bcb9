"""From a target file to the system that checks look at."""

from functools import cache

from drillbook.guard import refusal
from drillbook.plugin.state import Run
from drillbook.site import Site, Slo
from drillbook.target import Target

__all__ = ["close_site", "open_site"]


def open_site(run: Run) -> Site:
    """Return the run's real system; sessions are opened on first use, read-only but for what is vouched for."""
    if run.site is None:
        assert run.target is not None
        target = run.target
        told: set[str] = set()

        @cache
        def opened(role: str, *, vouched: bool = False) -> Target:
            session = target.open(role, guard=None if vouched else refusal, stateful=role == "operator")
            run.sessions.append(session)
            first = target.hosts[role].connect[0]
            if session.name != f"{role} ({first})" and session.name not in told:
                # What is green is green there; a reader who thinks of the first one has to know.
                run.timeline.add("note", text=f"{first} did not answer; what was looked at is {session.name}")
                told.add(session.name)
            return session

        run.site = Site(
            target.name,
            run.runbooks[target.runbook],
            opened,
            urls=target.urls,
            variables=target.variables,
            slo=Slo(target.availability_ratio, target.window_s),
            functional=frozenset(target.functional),
            reads=frozenset(target.reads),
            vouched_host=lambda role: opened(role, vouched=True),
        )
    return run.site


def close_site(run: Run) -> None:
    """End the sessions that the run opened."""
    for session in run.sessions:
        session.close()
    run.sessions.clear()
