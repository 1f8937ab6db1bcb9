"""What a section of a runbook is for, and which scenario it describes, told from its headings and its commands."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from drillbook.model import Effect, Phase

__all__ = ["phase_of", "phase_of_heading", "scenario_of", "slug_of"]

_BY_COMMANDS = "by commands"
_AFTERWARDS = "afterwards"
_RESOLUTION = "resolution"

# In this order; the first that a heading matches is what the heading says.
_RULES: tuple[tuple[str, str], ...] = (
    (
        Phase.COMMUNICATE,
        (
            r"communicat|notif(y|ication)|status[ -](page|update)|announce|stakeholder|executive summary|"
            r"acknowledge|message template|declare (an? |the )?(major )?incident|update customers|kommunik|comunic|"
            r"\btell (the|your|people|everybody)\b|inform (the|your|people|users|customers)"
        ),
    ),
    (Phase.ESCALATE, r"es[ck]ala|contact|on-?call rotation"),
    (
        _BY_COMMANDS,
        (
            r"\bimmediate|immédiat|triage|emergency|first (\d+|few|five|ten) min|quick action|初動|"
            r"diagnos.* (and|&) .*(resol|fix|recover|mitigat)"
        ),
    ),
    (
        Phase.PREVENT,
        (
            r"prevent|long[- ]term|short[- ]term|post-?mortem|lessons|improvement|hardening|action items|follow-?up|"
            r"vorbeug|préven"
        ),
    ),
    (
        Phase.VERIFY,
        (
            r"verif|validat|monitor(ing)? (for|recovery|the recovery)|stability|smoke test|sanity|"
            r"confirm(ing|ation)? (the )?(recovery|resolution|fix)|all clear|recovery check|functional test|überprüf|"
            r"vérif|validar|valider|do[gğ]rula|確認|验证"
        ),
    ),
    (_AFTERWARDS, r"post[- ]?(incident|recovery|resolution)|after(math|wards)? the incident"),
    (
        Phase.DETECT,
        (
            r"\balerts?\b(?!.*(resol|remed|\bfix|mitigat|recover))|symptom|detect|what this means|trigger conditions?|"
            r"how (you|to) notice|s[ií]ntoma"
        ),
    ),
    (
        Phase.DIAGNOSE,
        (
            r"diagn[oó]s|investigat|analy[sz]|troubleshoot|identify|debug|root cause|gather|assess|"
            r"look (first|at|for|into)|(initial|first|quick) (look|checks?)\b|\bcheck(s|ing)?\b|诊断|"
            r"confirm (the|that) (outage|problem|issue|alert|failure)"
        ),
    ),
    (_RESOLUTION, r"^(\d+[.)] *)?(resolution|resolve|resolving)\b"),
    (
        Phase.RECOVER,
        (
            r"mitigat|recover|resol|remed|\bfix|restor|strateg|scenario|solution|workaround|roll-?back|bypass|"
            r"\brepair|failover|\bcauses?\b|common (issues|problems|failures)|wiederherstell|behebung|lösung|rétabl|"
            r"récup|recuper|restablec|soluci|soluç|復旧|恢复"
        ),
    ),
)
_COMPILED = tuple((what, re.compile(pattern, re.IGNORECASE)) for what, pattern in _RULES)
_COVERING = (Phase.DETECT, Phase.VERIFY, Phase.PREVENT, Phase.ESCALATE, Phase.COMMUNICATE, _BY_COMMANDS)
_NUMBERED_SCENARIO = re.compile(
    r"(strategy|scenario|cause|case|issue|problem|failure|option|solution|fix|mitigation|error)\s*#?\s*(\d+|[A-Z])\b\s*[:.)\u2013\u2014-]?",
    re.IGNORECASE,
)
_PARENT_OF_SCENARIOS = re.compile(
    r"causes?\b|solutions?\b|resolution|mitigat|remed|recovery (procedure|scenario|step|option)|strateg|scenarios|"
    r"common (issues|problems|failures|errors)",
    re.IGNORECASE,
)
_ALERTS_OWN = re.compile(r"\W*alerts?\W+\w", re.IGNORECASE)
_ORDINAL_STEP = re.compile(r"(step|phase|stage)\s*\d", re.IGNORECASE)


def slug_of(title: str) -> str:
    """Return a heading's part of an id: lower case, words joined by dashes."""
    return re.sub(r"[\W_]+", "-", title.lower()).strip("-") or "section"


@lru_cache(maxsize=1024)
def phase_of_heading(title: str) -> str | None:
    """Return the name of what a single heading says, or None where it says nothing."""
    return next((what for what, pattern in _COMPILED if pattern.search(title)), None)


def scenario_of(headings: Sequence[str]) -> str | None:
    """Return the title among the headings that names a scenario or strategy, or None.

    Args:
        headings: From the outermost to the innermost, without the document's own title.
    """
    for at, title in enumerate(headings):
        if _NUMBERED_SCENARIO.match(title):
            return title
        parent = headings[at - 1] if at else ""
        if at and _PARENT_OF_SCENARIOS.search(parent) and _is_scenario_below(parent, title):
            return title
    return None


def _is_scenario_below(parent: str, title: str) -> bool:
    if phase_of_heading(parent) in (Phase.COMMUNICATE, Phase.ESCALATE, Phase.PREVENT, Phase.VERIFY, _AFTERWARDS):
        return False
    if _ORDINAL_STEP.match(title):
        return False
    return phase_of_heading(title) not in (Phase.COMMUNICATE, Phase.ESCALATE, Phase.PREVENT, Phase.VERIFY, Phase.DETECT)


def phase_of(headings: Sequence[str], effects: Iterable[Effect]) -> Phase:
    """Return what a block is for.

    The innermost heading that says something decides, but a part of a section for detecting, verifying, preventing or
    escalating stays what the section is, except for telling people. Sections named immediate or triage, and those for
    diagnosis and resolution at once, go by their commands: all reading is ``diagnose``, else ``recover``.

    Args:
        headings: From the outermost to the innermost, without the document's own title.
        effects: Those of the block's commands.
    """
    said = [what for what in map(phase_of_heading, headings) if what]
    done = frozenset(effects)
    if len(said) > 1 and said[0] == Phase.DETECT and _ALERTS_OWN.match(headings[0]):
        said = said[1:]  # "Alert: HighMemory" is a chapter of its own, with all that follows from it
    if Phase.DIAGNOSE in said[:-1] and said[-1] == Phase.VERIFY:
        return Phase.DIAGNOSE  # "Verify the pods" in the middle of a diagnosis looks, and proves no recovery
    if said and said[-1] == Phase.COMMUNICATE:
        return Phase.COMMUNICATE
    if said and said[0] == _AFTERWARDS and not done:
        return Phase.PREVENT
    covering = next((what for what in said if what in _COVERING), None)
    if covering == _BY_COMMANDS:
        return _by_commands(done)
    if scenario_of(headings) and covering is None:
        return Phase.RECOVER
    if covering is not None and (covering != Phase.VERIFY or said[0] != _RESOLUTION):
        return Phase(covering)
    return _innermost(said, done)


def _by_commands(effects: frozenset[Effect]) -> Phase:
    if effects and effects <= {Effect.TELL}:
        return Phase.COMMUNICATE
    return Phase.DIAGNOSE if effects and effects <= {Effect.READ, Effect.TELL} else Phase.RECOVER


def _innermost(said: Sequence[str], effects: frozenset[Effect]) -> Phase:
    if not said:
        return Phase.OTHER
    reads = bool(effects) and effects <= {Effect.READ}
    if said[-1] == _RESOLUTION:
        return Phase.VERIFY if reads else Phase.RECOVER
    if said[-1] == _AFTERWARDS:
        return Phase.OTHER
    return Phase(said[-1])
