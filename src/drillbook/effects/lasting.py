"""Whether a command ever ends by itself, and whether it wants a terminal."""

import re

from drillbook.commands import simple_commands
from drillbook.shell import Simple

__all__ = ["is_stream", "streams", "wants_terminal"]


def streams(text: str) -> bool:
    """True where some simple command of a statement would run for ever, and nobody put it into the background."""
    if re.search(r"(?<![&|>])&\s*$", text):
        return False
    return any(is_stream(simple) and "timeout" not in simple.inside for simple in simple_commands(text))


def is_stream(simple: Simple) -> bool:
    """True where a command goes on until somebody ends it."""
    words, program = simple.arguments, simple.program
    short = "".join(word[1:] for word in words if re.fullmatch(r"-\w+", word))
    match program:
        case "tail" | "journalctl":
            return bool({"f", "F"} & {*short}) or any(word.startswith("--follow") for word in words)
        case "docker" | "docker-compose" | "podman" | "kubectl" | "oc" | "nerdctl" | "crictl":
            return _follows(words)
        case "top" | "htop" | "atop":
            return program != "top" or not ("b" in short and re.search(r"-\w*n", " ".join(words)))
        case "watch" | "strace" | "ltrace" | "tcpdump" | "inotifywait" | "yes" | "iotop" | "iftop" | "nethogs" | "mtr":
            return not re.search(r"(^| )(-c ?\d|--report|-r\b|-n ?\d+ -b|-b -n)", " ".join(words)) or program in (
                "watch",
                "strace",
            )
        case "ping" | "ping6":
            return not re.search(r"(^| )-\w*[cw]", " ".join(words))
        case "vmstat" | "iostat" | "mpstat" | "sar":
            return len([word for word in words if word.isdigit()]) == 1
        case "redis-cli":
            return bool({"monitor", "MONITOR", "subscribe", "SUBSCRIBE", "--latency", "--stat"} & {*words})
        case "dmesg":
            return bool({"w", "W"} & {*short}) or "--follow" in words
        case "sleep":
            return "infinity" in words
    return False


def _follows(words: tuple[str, ...]) -> bool:
    names = [word for word in words if not word.startswith("-")]
    joined = " ".join(words)
    if "events" in names[:2] and "get" not in names[:2]:
        return "--until" not in joined
    if "stats" in names[:2]:
        return "--no-stream" not in joined
    if "up" in names[:2] and "logs" not in names[:1]:
        return not any(re.fullmatch(r"-[a-z]*d[a-z]*|--detach|--wait|--no-start", word) for word in words)
    if "logs" in names[:4]:
        at = words.index("logs")
        rest = words[at + 1 :]
        return any(re.fullmatch(r"-[a-z]*f[a-z]*", word) or word in ("--follow", "--follow=true") for word in rest)
    if "port-forward" in names[:3] or "proxy" in names[:1] or names[:1] == ["attach"]:
        return True
    if {"get", "top"} & {*names[:3]}:
        return any(word in ("-w", "--watch", "--watch-only") for word in words)
    return False


def wants_terminal(text: str) -> bool:
    """True where some simple command of a statement asks for a terminal, or is a program for one."""
    return any(_is_interactive(simple) for simple in simple_commands(text))


def _is_interactive(simple: Simple) -> bool:
    words, program = simple.arguments, simple.program
    match program:
        case "docker" | "podman" | "kubectl" | "oc" | "nerdctl" | "crictl":
            return _asks_terminal(words)
        case "docker-compose":
            return "exec" in words[:3] and not {"-T", "--no-TTY"} & {*words}
        case "top":
            return not re.search(r"(^| )-\w*b", " ".join(words))
        case "htop" | "atop" | "gdb" | "less" | "more" | "vi" | "vim" | "nano" | "visudo":
            return not {"-batch", "--batch"} & {*words}
        case "psql" | "mysql" | "mariadb" | "sqlplus" | "mongosh" | "mongo":
            return not re.search(
                r"(^| )(-[A-Za-z]*[cfel]|--command|--file|--execute|--eval|--list|--version)", " ".join(words)
            )
        case "redis-cli":
            return not [word for word in words if not word.startswith("-")]
        case "systemctl":
            return "edit" in words[:2]
        case "ssh":
            return "-t" in words or "-tt" in words
        case "crontab":
            return "-e" in words
    return False


def _asks_terminal(words: tuple[str, ...]) -> bool:
    names = [word for word in words if not word.startswith("-")]
    if "compose" in names[:1]:
        return "exec" in names[:2] and not {"-T", "--no-TTY"} & {*words}
    for at, word in enumerate(words):
        if word in ("exec", "run", "attach", "debug", "edit"):
            options = words[at + 1 :]
            if word == "edit":
                return True
            return any(
                re.fullmatch(r"-[a-z]*t[a-z]*", option) or option in ("--tty", "--tty=true")
                for option in options[: _operand(options)]
            )
    return False


def _operand(words: tuple[str, ...]) -> int:
    """Return how many words are options before the command that runs inside (all up to ``--`` where it is there)."""
    if "--" in words:
        return words.index("--")
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in ("-u", "-e", "-w", "-n", "-c", "--user", "--env", "--namespace") else 1
    return at
