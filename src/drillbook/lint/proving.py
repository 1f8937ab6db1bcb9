"""Checks that cannot fail, and searches that find what they should not or never anything."""

import re
from collections.abc import Iterator

from drillbook.commands import simple_commands
from drillbook.expectations import wanted
from drillbook.lint.rules import Document, Hit, rule
from drillbook.model import Command, Effect, Phase, Step
from drillbook.shell import Simple

__all__: list[str] = []

_CHECKING = frozenset({Phase.DETECT, Phase.VERIFY})
_HEALTH_URL = re.compile(r"health|ready|readiness|live(ness)?\b|/status\b|/ping\b|heartbeat", re.IGNORECASE)
_ALWAYS_ZERO = frozenset("head tail cat tee sort uniq wc less more column awk sed tr cut fold nl xargs xmllint".split())
_CHECKERS = frozenset(
    "curl psql mysql mariadb kubectl systemctl pg_isready redis-cli celery nc aws docker-compose".split()
)


@rule(
    "DB101",
    "A health check must be able to fail: curl exits 0 on any answer, also on 500 and 503.",
    "add -f (or --fail-with-body), or compare the status code or the body",
)
def check_that_cannot_fail(document: Document) -> Iterator[Hit]:
    for step, command, stages in document.pipes():
        if len(stages) > 1 or not _asks_for_health(step, stages[0]):
            continue
        curl = stages[0]
        if not (_fails(curl) or _shows_status(curl) or _is_told_what_to_see(command) or _is_compared(command, curl)):
            yield Hit(command.line, "curl exits 0 whatever the server answers, and the code is not shown", command.id)


@rule(
    "DB102",
    "The exit status of a pipeline is that of its last command: what failed before it is lost.",
    "let the last command judge (jq -e, grep -q), or set -o pipefail; curl needs -f as well",
)
def status_lost_behind_a_pipe(document: Document) -> Iterator[Hit]:
    for step, command, stages in document.pipes():
        first, last = stages[0], stages[-1]
        if len(stages) < 2 or not (step.phase is Phase.VERIFY or _asks_for_health(step, first)):
            continue
        if first.program not in _CHECKERS or command.effect is not Effect.READ or step.id in document.with_pipefail:
            continue
        if not _judges(last) and not any(map(_judges, stages[1:-1])):
            yield Hit(command.line, f"ends in {last.program}, which exits 0 although {first.program} fails", command.id)


@rule(
    "DB103",
    "redis-cli prints errors (NOAUTH, LOADING) and exits 0.",
    "use redis-cli -e (Redis 7), or | grep -q PONG",
)
def redis_errors_exit_0(document: Document) -> Iterator[Hit]:
    for step, command, stages in document.pipes():
        simples = [simple for simple in simple_commands(command.text) if simple.program in ("redis-cli", "valkey-cli")]
        if not simples or not step.language or (len(stages) > 1 and _judges(stages[-1])):
            continue
        words = [word.lower() for word in simples[0].arguments]
        # A person sees the error of what stands alone. What others build on must not fail unseen, and PING is a check.
        is_built_on = command is not step.commands[-1] and command.effect is Effect.DESTROY
        is_check = "ping" in words and "pong" not in document.below(command).lower()
        if "-e" not in words and not command.expects and (is_check or is_built_on):
            yield Hit(command.line, "an error of Redis is printed, and the exit status is 0", command.id)


@rule(
    "DB104",
    "ps | grep finds the grep itself, so it finds something where nothing runs.",
    "use pgrep -af NAME, or put one letter into brackets: grep '[n]ame'",
)
def grep_finds_itself(document: Document) -> Iterator[Hit]:
    for _, command, stages in document.pipes():
        names = [stage.program for stage in stages]
        if names[:2] != ["ps", "grep"] or any("-v" in stage.arguments for stage in stages[1:]):
            continue
        patterns = [word for word in stages[1].arguments if not word.startswith("-")]
        if patterns and not re.search(r"\[.\]", patterns[0]):
            yield Hit(command.line, f"finds the line of its own grep for {patterns[0]!r}", command.id)


@rule(
    "DB105",
    "A status class is no status code: no log line holds 5xx.",
    "search for the field, for example grep -cE '\" 5[0-9]{2} '",
)
def class_for_code(document: Document) -> Iterator[Hit]:
    for _, command, simple in document.simples():
        if simple.program in ("grep", "egrep", "zgrep", "rg"):
            found = next((word for word in simple.arguments if re.fullmatch(r"[45]xx", word, re.IGNORECASE)), None)
            if found:
                yield Hit(command.line, f"searches for the letters {found!r}", command.id)


def _asks_for_health(step: Step, simple: Simple) -> bool:
    if simple.program != "curl" or step.phase is Phase.COMMUNICATE:
        return False
    urls = [word for word in simple.arguments if re.search(r"https?://|localhost|\$", word)]
    if any("_cluster/" in url for url in urls):  # Elasticsearch says it in the body, and 200 also when it is red
        return False
    is_checked = step.phase in _CHECKING or any(_HEALTH_URL.search(url) for url in urls)
    return is_checked and not {"-o", "--output", "-O"} & {*simple.arguments}


def _fails(curl: Simple) -> bool:
    return any(
        re.fullmatch(r"-[a-zA-Z]*f[a-zA-Z]*", word) is not None or word.startswith("--fail") for word in curl.arguments
    )


def _shows_status(curl: Simple) -> bool:
    words = curl.arguments
    shown = any(re.fullmatch(r"-[a-zA-Z]*[iIvD][a-zA-Z]*", word) for word in words if not word.startswith("--"))
    return shown or bool({"--include", "--head", "--verbose"} & {*words}) or any("http_code" in word for word in words)


def _is_told_what_to_see(command: Command) -> bool:
    """True where the document says what the body looks like; a status code alone is not shown by curl."""
    if command.expects is None:
        return False
    return bool(wanted(command.expects)) or re.search(r"\bHTTP\b|\b[2-5]\d\d\b", command.expects) is None


def _is_compared(command: Command, curl: Simple) -> bool:
    """True inside of a substitution or a condition: somebody looks at what comes back."""
    return (
        curl.start > 0 and re.search(r"\$\(|`|\bif\b|\buntil\b|\bwhile\b|\[\[", command.text[: curl.start]) is not None
    )


def _judges(simple: Simple) -> bool:
    if simple.program == "jq":
        return any(re.fullmatch(r"-[a-zA-Z]*e[a-zA-Z]*", word) or word == "--exit-status" for word in simple.arguments)
    return simple.program not in _ALWAYS_ZERO
