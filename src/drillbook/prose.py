"""Commands and instructions in sentences, list items and table cells."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from drillbook.wording import instructs, reads_as_command

__all__ = ["Mention", "asks_a_person", "commands_in", "plain", "points_elsewhere"]

_BREAKS = ("softbreak", "hardbreak")
_ASKED = re.compile(
    r"\b(?:run|running|execute|use|using|try|type|enter|issue|with|via|through|command)\b[^.!?`]{0,60}$", re.IGNORECASE
)
_FORBIDS = re.compile(
    r"\b(?:never|do not|don't|not (?:with|by|via)|avoid|instead of|nunca|ne (?:pas|jamais))\b", re.IGNORECASE
)
_OR = re.compile(r"\W*(?:or|and|then|ou|et|oder|und|y|e)?\W*", re.IGNORECASE)
_SAYS = re.compile(
    r"\W*((?:(?:it|which|this) )?(?:shows?|returns?|prints?|should|must|is|says|exits|reports|gives|lists?)\b.*)",
    re.IGNORECASE,
)
_TELLS = re.compile(r"\W*(symptoms?|error|example|note)\b", re.IGNORECASE)
_LABEL = re.compile(r"(?:\[[ xX]\]\s*)?(?:[^.!?`]{0,60}[:\u2013\u2014-]\s*)?")
_ELSEWHERE = re.compile(r"\W*(?:see|follow|refer to|go to|use the|go through)\b", re.IGNORECASE)
_ASIDE = re.compile(r"\W*note\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """A command that stands as inline code: its text, the line in the paragraph (from 0), and what should come back."""

    text: str
    line: int
    expects: str | None = None


def plain(inline: Token) -> str:
    """Return a paragraph's text on one line, without marks."""
    parts = []
    for child in inline.children or []:
        if child.type in _BREAKS:
            parts.append(" ")
        elif child.type != "html_inline":
            parts.append(child.content)
    return " ".join("".join(parts).split())


def commands_in(inline: Token, *, is_cell: bool = False) -> list[Mention]:
    """Return the commands that a paragraph, a list item or a table cell asks to run.

    Inline code counts where it is a whole command (a known program with arguments) and stands alone, at the beginning,
    or where the sentence asks for it; code that is only talked about does not.
    """
    children = inline.children or []
    found: list[Mention] = []
    line = last = 0
    for at, child in enumerate(children):
        line += child.type in _BREAKS
        if child.type != "code_inline":
            continue
        before, after = _text(children[:at]), _text(children[at + 1 :])
        if not reads_as_command(child.content.strip(), is_alone=not before and not after):
            continue
        sentence = re.split(r"[.!?]\s+", before)[-1]
        begins = _LABEL.fullmatch(before) is not None and not (is_cell and after) and not _TELLS.match(before)
        goes_on = bool(found) and _OR.fullmatch(_text(children[last + 1 : at])) is not None
        if _FORBIDS.search(sentence):
            continue
        if begins or goes_on or _ASKED.search(sentence) or instructs(sentence):
            last = at
            says = _SAYS.match(re.split(r"[.;]\s+", after.strip())[0]) if begins else None
            found.append(Mention(child.content.strip(), line, says[1].strip() if says else None))
    return found


def _text(children: Sequence[Token]) -> str:
    return "".join(" " if child.type in _BREAKS else child.content for child in children).lstrip()


def asks_a_person(text: str) -> bool:
    """True where a sentence tells somebody to do something, and does not only lead to what stands below it."""
    return instructs(text) and not text.endswith(":") and not _ASIDE.match(text)


def points_elsewhere(inline: Token) -> bool:
    """True where a sentence sends the reader to another document."""
    has_link = any(child.type == "link_open" for child in inline.children or [])
    return has_link and _ELSEWHERE.match(plain(inline)) is not None
