"""What the language of a fence says of what stands in it, and what is done where it says nothing."""

import difflib
import re

from drillbook.clients import Client
from drillbook.commands import simple_commands
from drillbook.wording import PROGRAMS

__all__ = ["CLIENT_LANGUAGES", "SESSIONS", "SHELLS", "TEMPLATES", "is_shell"]

SHELLS = ("bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal", "ksh", "sh-session")
TEMPLATES = frozenset(("", "text", "txt", "plain", "plaintext", "markdown", "md"))
"""Languages of messages; without a language it depends on what stands there."""
_OTHERS = frozenset(
    "text txt plain plaintext yaml yml json promql python py toml ini js ts go java ruby html xml css diff log "
    "markdown md mermaid hcl dockerfile nginx http csv logql powershell ps1 bat cmd".split()
)
SESSIONS = frozenset({"", "console", "shell-session", "shellsession", "terminal", "sh-session"})
"""Languages of blocks in which a line that begins with ``# `` may be root's prompt."""
CLIENT_LANGUAGES = {
    **dict.fromkeys(("sql", "psql", "pgsql", "postgresql", "postgres", "mysql", "plsql", "tsql"), Client.SQL),
    **dict.fromkeys(("redis", "redis-cli"), Client.REDIS),
}
"""Languages of blocks that hold what is typed into a client."""


def is_shell(language: str, content: str) -> bool:
    """True for a block that is typed into a shell, also where its language is misspelt or missing.

    Args:
        language: First word behind the fence, lower case; may be empty.
        content: The block.
    """
    if language in SHELLS:
        return True
    if language and language not in TEMPLATES:
        return language not in _OTHERS and bool(difflib.get_close_matches(language, SHELLS[:5], 1, 0.75))
    return not language and _reads_as_shell(content)


def _reads_as_shell(content: str) -> bool:
    """True where an untagged block begins like a command, not like a message or an output."""
    for raw in content.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if re.match(r"(\$|[\w.-]+@[\w.-]+[^$#]*[$#]) +\S", line) or re.match(r"\./\S+", line):
            return True
        return any(simple.program in PROGRAMS for simple in simple_commands(line)[:1])
    return False
