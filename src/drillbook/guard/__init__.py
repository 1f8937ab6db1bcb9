"""What may run on a real system: only what is known to read.

The guard walks the syntax tree. A construct, a program, a subcommand or an option that is not on a list is refused, so
a command that is refused may well be harmless; one that passes is known to read. It bounds what the command's text
itself asks for: it cannot know that a program on the target was replaced, that a configuration there (git's, say) names
programs to run, or that a GET changes something.
"""

from drillbook.guard.syntax import refusal

__all__ = ["refusal"]
