"""Options of programs, read as getopt reads them; one that is not listed is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DYNAMIC", "Refusal", "Spec", "options"]

DYNAMIC = "\ufffd"
"""Stands in an argument for what is not known before the command runs."""


class Refusal(Exception):
    """Why a command is not known to only read; never leaves the guard."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Options that a program may have; others are refused.

    Attributes:
        flags: Letters of short options without a value.
        valued: Letters of short options with one.
        long: Long options without a value, separated by spaces.
        long_valued: Long options with one.
        numbers: True where ``-20`` is an option.
        assignments: True where ``NAME=value`` may stand before what it runs.
    """

    flags: str = ""
    valued: str = ""
    long: str = ""
    long_valued: str = ""
    numbers: bool = False
    assignments: bool = False


def options(
    program: str, arguments: Sequence[str], spec: Spec, *, stop_at_operand: bool = False
) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Return the options with their values, and the operands. Raises Refusal on an option that is not in the spec."""
    found: list[tuple[str, str | None]] = []
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return found, operands + rest
        if word.startswith("--"):
            found.append(_long_option(program, word, rest, spec))
        elif word.startswith("-") and len(word) > 1:
            if spec.numbers and re.fullmatch(r"-\d+", word):
                continue
            found += _short_options(program, word, rest, spec)
        elif stop_at_operand:
            return found, [word, *rest]
        else:
            operands.append(word)
    return found, operands


def _long_option(program: str, word: str, rest: list[str], spec: Spec) -> tuple[str, str | None]:
    name, equals, value = word[2:].partition("=")
    if name in spec.long_valued.split():
        if equals:
            return f"--{name}", value
        if rest:
            return f"--{name}", _value(program, word, rest)
    if name in spec.long.split() and not equals:
        return f"--{name}", None
    raise Refusal(f"{program} --{name} is not known to only read")


def _value(program: str, option: str, rest: list[str]) -> str:
    # Where the list is wrong about an option having a value, the word behind it must not get past unseen.
    value = rest.pop(0)
    if re.match(r"-(?!\d|$)", value):
        raise Refusal(f"{program} {option} {value} is not looked into")
    return value


def _short_options(program: str, word: str, rest: list[str], spec: Spec) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for at, letter in enumerate(word[1:], 1):
        if letter in spec.flags:
            found.append((f"-{letter}", None))
        elif letter in spec.valued and (word[at + 1 :] or rest):
            found.append((f"-{letter}", word[at + 1 :] or _value(program, word, rest)))
            break
        else:
            raise Refusal(f"{program} -{letter} is not known to only read")
    return found
