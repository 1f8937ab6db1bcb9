"""testinfra's ``host`` in ``checks/`` looks through drillbook's sessions: deadlines, and no result from a dead target."""

from drillbook.plugin.host import host

__all__ = ["host"]
