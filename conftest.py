"""testinfra's ``host`` looks through drillbook's sessions: with deadlines, and without results of dead targets."""

from drillbook.plugin.host import host

__all__ = ["host"]
