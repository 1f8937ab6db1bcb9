"""What a command does to those who rely on the service, whether it ever ends, and whether it wants a terminal.

These are a reader's judgements about a document, right for nearly all commands and safe to be wrong in a throwaway
replica. What may run on a real system is not decided here but by :mod:`drillbook.guard`.
"""

from drillbook.effects.kinds import effect_of, effect_of_code, effect_of_redis, effect_of_sql, shows_secret
from drillbook.effects.lasting import is_stream, streams, wants_terminal

__all__ = [
    "effect_of",
    "effect_of_code",
    "effect_of_redis",
    "effect_of_sql",
    "is_stream",
    "shows_secret",
    "streams",
    "wants_terminal",
]
