"""Clients that a block opens and then talks to: what opens one, and which lines below it are typed into it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from drillbook.commands import VALUE_OPTIONS, simple_commands
from drillbook.shell import Simple
from drillbook.statements import Comment, Statement

__all__ = ["Client", "Typed", "leaves", "opened_by", "typed_into"]


class Client(StrEnum):
    """What understands the lines that are typed into it."""

    SHELL = "shell"
    SQL = "sql"
    REDIS = "redis"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Typed:
    """What is meant for a client, comments in between included, and the line after it (from 0 in the block)."""

    pieces: tuple[Statement | Comment, ...]
    end_line: int


_SQL_OPTIONS = {
    "psql": ("c f l V", "--command --file --list --version"),
    "mysql": ("e V", "--execute --version"),
    "mariadb": ("e V", "--execute --version"),
    "sqlcmd": ("Q q i", "--query"),
    "clickhouse-client": ("q", "--query --queries-file"),
    "cqlsh": ("e f", "--execute --file"),
    "cockroach": ("e f", "--execute --file"),
}
"""Programs that speak SQL: letters and long options with which they do not wait for lines."""
_CODE_OPTIONS = {
    "mongosh": "--eval",
    "mongo": "--eval",
    "rails": "runner",
    "iex": "--eval",
    "irb": "-e",
    "erl": "-eval",
}
_SHELLS = frozenset({"sh", "bash", "ash", "zsh"})
_REDIS_VALUES = frozenset({"-h", "-p", "-a", "-n", "-u", "-s", "-r", "-i", "--user", "--pass"})
_REDIS_MODES = frozenset(
    {"--stat", "--bigkeys", "--memkeys", "--hotkeys", "--latency", "--eval", "--pipe", "--scan", "--rdb"}
)

_PROMPT = re.compile(
    r"\s*(?:[\w.-]+[=(-][#>*]|mysql>|MariaDB \[[^\]]*\]>|[\w.-]+:\d+(?:\[\d+\])?>|sqlite>|>>>)(?:\s+|$)"
)
_LEAVES = re.compile(r"(?:\\q|exit(?:\(\))?|quit(?:\(\))?|logout)\s*;?", re.IGNORECASE)
_SQL = re.compile(
    r"(?:select|with|show|explain|values|table|insert|update|delete|alter|create|drop|truncate|grant|revoke|vacuum|analyze|"
    r"reindex|set|reset|begin|start|commit|rollback|checkpoint|call|copy|lock|use|describe|desc|kill|flush|optimize|repair|"
    r"stop|change|refresh|cluster|comment|do|listen|notify|purge|rename|replace|merge)\b|\\[a-z?!]",
    re.IGNORECASE,
)
_SQL_ENDS = re.compile(r"(?:;|\\[gGx]\w*)\s*(?:(?:--|#).*)?$")
_SQL_REMARK = re.compile(r"(.*;)[ \t]*--[ \t]*([^\n]*)", re.DOTALL)
_REDIS = frozenset(
    "acl append auth bgrewriteaof bgsave blpop brpop client cluster command config dbsize debug decr decrby del "
    "dump echo eval exists expire expireat failover flushall flushdb get getdel getrange getset hdel hexists "
    "hget hgetall hincrby hkeys hlen hmget hmset hscan hset hvals incr incrby info keys lastsave latency lindex "
    "linsert llen lpop lpush lrange lrem lset ltrim memory mget module monitor move mset multi object persist "
    "pexpire ping psubscribe pttl publish pubsub randomkey readonly rename replicaof restore role rpop rpush "
    "sadd save scan scard sdiff select sentinel set setex setnx shutdown sinter sismember slaveof slowlog "
    "smembers sort spop srem sscan strlen subscribe sunion swapdb time touch ttl type unlink unwatch wait watch "
    "xadd xinfo xlen xpending xrange xread zadd zcard zcount zincrby zrange zrank zrem zscan zscore".split()
)
_ON_THE_OUTSIDE = frozenset(
    "kubectl docker docker-compose podman helm oc aws gcloud az terraform ansible ansible-playbook git ssh scp".split()
)


@lru_cache(maxsize=256)
def opened_by(text: str) -> Client | None:
    """Return what a statement opens and leaves waiting for lines, or None.

    Args:
        text: One statement: ``psql -h db``, ``kubectl exec -it web-0 -- sh``, ``ssh web1``.
    """
    simples = simple_commands(text)
    if not simples or len({simple.start for simple in simples}) > 1:
        return None
    if any(redirect.operator.startswith("<") for simple in simples for redirect in simple.redirects):
        return None
    last = simples[-1]
    words = last.arguments
    if last.program in _SQL_OPTIONS:
        letters, long = _SQL_OPTIONS[last.program]
        return None if _has_option(words, letters.split(), long.split()) else Client.SQL
    if last.program == "sqlite3":
        return Client.SQL if len(_operands(words, frozenset())) < 2 else None
    if last.program in ("redis-cli", "valkey-cli"):
        return None if _operands(words, _REDIS_VALUES) or _REDIS_MODES & {*words} else Client.REDIS
    if last.program in _CODE_OPTIONS:
        wanted = last.program != "rails" or {"console", "c"} & {*words[:1]}
        return Client.CODE if wanted and _CODE_OPTIONS[last.program] not in words else None
    return Client.SHELL if _opens_shell(last) else None


def _opens_shell(simple: Simple) -> bool:
    words, program = simple.arguments, simple.program
    if program in _SHELLS:
        into = any(runner.endswith((" exec", " run")) or runner in ("ssh", "sudo") for runner in simple.inside)
        return into and all(word in ("-l", "-i", "-il", "--login", "--norc") for word in words)
    if program in ("kubectl", "oc"):
        names = _operands(words, frozenset({"-n", "--namespace", "-c", "--container"}))
        return (names[:1] == ["rsh"] and len(names) == 2) or (names[:1] == ["debug"] and "--" not in words)
    if program == "ssh":
        return len(_operands(words, VALUE_OPTIONS["ssh"])) == 1
    if program == "su":
        return not {"-c", "--command"} & {*words}
    return program == "sudo" and bool(words) and {*words} <= {"-i", "-s"}


def _has_option(words: Sequence[str], letters: Sequence[str], long: Sequence[str]) -> bool:
    return any(word.partition("=")[0] in long or (word[:1] == "-" and word[1:2] in letters) for word in words)


def _operands(words: Sequence[str], with_value: frozenset[str]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(words):
        if words[at].startswith("-") and len(words[at]) > 1:
            at += 2 if words[at] in with_value else 1
            continue
        found.append(words[at])
        at += 1
    return found


def leaves(text: str, opener: str) -> bool:
    """True where a statement ends the shell that another one opened, or cannot be meant for its inside.

    Args:
        text: The statement.
        opener: What opened the shell: programs of the outside (``kubectl``, ``docker``) are not in a container.
    """
    if _LEAVES.fullmatch(text.strip()):
        return True
    simples = simple_commands(text)
    into_container = not any(simple.program in ("ssh", "su", "sudo") for simple in simple_commands(opener)[:1])
    return into_container and bool(simples) and simples[0].program in _ON_THE_OUTSIDE


def typed_into(client: Client, lines: Sequence[str], at: int, *, to_the_end: bool = False) -> Typed:
    """Return what of a block is meant for a client that understands statements of its own.

    Args:
        client: SQL, REDIS or CODE.
        lines: Those of the block.
        at: The first that may be meant for it.
        to_the_end: Take all that follows, also what the client is not known to understand.
    """
    typing = _Typing(client, to_the_end)
    has_prompts = at < len(lines) and _PROMPT.match(lines[at]) is not None
    for number in range(at, len(lines)):
        prompt = _PROMPT.match(lines[number])
        if has_prompts and not prompt and not typing.pending:
            if re.match(r"\s*\$ ", lines[number]):
                break
            continue
        if not typing.takes(number, lines[number][prompt.end() :] if prompt else lines[number]):
            break
    typing.flush()
    return Typed(tuple(piece for piece in typing.pieces if piece.line < typing.end_line), max(at, typing.end_line))


class _Typing:
    """Collects a client's statements line by line."""

    def __init__(self, client: Client, to_the_end: bool) -> None:
        self.pieces: list[Statement | Comment] = []
        self.pending: list[str] = []
        self.end_line = 0
        self._begin = 0
        self._client = client
        self._to_the_end = to_the_end
        self._is_over = False

    def takes(self, number: int, line: str) -> bool:
        """Take a line; False where it is not meant for the client any more."""
        word = line.strip()
        if self._is_over:
            return False
        if not word:
            self.flush()
            return True
        if word.startswith(("#", "--")):
            self.pieces.append(Comment(word.lstrip("#-").removeprefix(" "), number))
            if self._to_the_end or word.startswith("--"):
                self.end_line = number + 1
            return True
        if not self.pending:
            self._is_over = _LEAVES.fullmatch(word) is not None
            if not (self._is_over or self._to_the_end or _understands(self._client, word)):
                return False
            self._begin = number
        self.pending.append(line)
        if self._client is not Client.SQL or self._is_over or _SQL_ENDS.search(line) or word.startswith("\\"):
            self.flush()
        return True

    def flush(self) -> None:
        """End the statement that is being collected."""
        if self.pending:
            end = self._begin + len(self.pending)
            text = "\n".join(self.pending).strip()
            remark = _SQL_REMARK.fullmatch(text) if self._client is Client.SQL else None
            self.pieces.append(Statement(remark[1] if remark else text, self._begin, end - 1))
            if remark:
                self.pieces.append(Comment(remark[2], end - 1, trailing=True))
            self.pending = []
            self.end_line = end


def _understands(client: Client, line: str) -> bool:
    if client is Client.SQL:
        return _SQL.match(line) is not None
    if client is Client.REDIS:
        return line.split()[0].lower() in _REDIS
    return re.match(r"(?:\w[\w.]*\s*\(|\w+\.\w|\w+ = |print\b|puts\b|import\b|from\b|use\b|show\b)", line) is not None
