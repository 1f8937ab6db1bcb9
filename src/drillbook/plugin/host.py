"""testinfra's ``host`` on drillbook's sessions.

The name belongs to testinfra, so a project takes it over knowingly, in its ``conftest.py``::

    from drillbook.plugin.host import host
"""

from typing import TYPE_CHECKING

import pytest

from drillbook.site import Site
from drillbook.target import Target

if TYPE_CHECKING:
    from testinfra.host import Host

__all__ = ["host"]


@pytest.fixture
def host(operator: Target, site: Site) -> "Host":
    """Testinfra's host for the operator's role, made anew for every check: nothing is cached between rounds."""
    from drillbook.target.infra import testinfra_host

    return testinfra_host(operator, deadline_s=site.deadline_s)
