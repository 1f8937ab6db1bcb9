"""What a command does to those who rely on the service: read, tell, edit, change or destroy."""

import re
from collections.abc import Callable, Sequence

from drillbook.commands import simple_commands
from drillbook.model import Effect
from drillbook.redact import is_kube_secret, keeps_secrets_hidden
from drillbook.shell import Simple

__all__ = ["effect_of", "effect_of_code", "effect_of_redis", "effect_of_sql", "shows_secret"]

_ORDER = (Effect.READ, Effect.EDIT, Effect.TELL, Effect.CHANGE, Effect.DESTROY)

_DESTROY = re.compile(
    r"kill|pkill|killall|killall5|skill|rm|unlink|shred|truncate|mkfs(\..+)?|wipefs|dropdb|dropuser|userdel|groupdel"
)
_CHANGE = re.compile(
    r"mv|ln|chmod|chown|chattr|setfacl|install|make|reboot|shutdown|poweroff|halt|init|mount|umount|modprobe|rmmod|swapon"
    r"|swapoff|logrotate|crontab|useradd|usermod|passwd|createdb|pg_restore|mysqlimport|ansible-playbook|update-grub|patch"
    r"|rsync|scp|dd|nft|ufw|setenforce|renice|tar|unzip|pip|pip3|apk|nginx|pm2|supervisorctl|caddy|certbot|service|growpart|resize2fs|xfs_growfs"
)
_EDITORS = re.compile(r"vi|vim|nvim|nano|emacs|visudo|vipw|sudoedit|ed")
_TELLERS = re.compile(
    r"slack-cli|slackcat|slack|mail|mailx|sendmail|mutt|wall|pagerduty|pd|opsgenie|notify-send|telegram-send"
)
_TELL_URL = re.compile(
    r"hooks\.slack|slack\.com|SLACK|statuspage|pagerduty|opsgenie|victorops|discord|webhook|/incidents\b|/notify|"
    r"/notifications?\b|office\.com|api\.telegram|WEBHOOK|twilio|mailgun|sendgrid",
    re.IGNORECASE,
)
_ASKING_URL = re.compile(
    r"predict|infer|score|classif|search|query|graphql|embed|completion|valid|healthz?\b|/test\b|_search|estimate|login",
    re.IGNORECASE,
)
_SUBCOMMANDS: dict[str, dict[str, str]] = {
    "docker": {
        "change": "start stop restart pause unpause run up update rename commit build push pull load import tag create "
        "connect disconnect cp login swarm deploy scale rollback promote join leave init",
        "destroy": "kill rm rmi prune down remove",
    },
    "kubectl": {
        "change": "apply create replace patch scale autoscale set label annotate expose run cordon uncordon taint cp "
        "edit restart undo pause resume approve debug reconcile use-context set-context set-cluster set-credentials "
        "unset rename-context delete-context delete-cluster delete-user",
        "destroy": "delete drain evict",
    },
    "systemctl": {
        "change": "start stop restart reload try-restart reload-or-restart enable disable mask unmask daemon-reload "
        "isolate reset-failed set-property revert reboot",
        "destroy": "kill",
        "edit": "edit",
    },
    "helm": {"change": "install upgrade rollback repo", "destroy": "uninstall delete"},
    "git": {
        "change": "checkout switch reset revert merge rebase push pull commit cherry-pick stash apply restore am clone "
        "fetch tag",
        "destroy": "clean",
    },
    "terraform": {"change": "apply import init taint", "destroy": "destroy"},
    "rabbitmqctl": {
        "change": "start_app stop_app set_policy add_user set_permissions",
        "destroy": "purge_queue delete_queue forget_cluster_node reset force_reset",
    },
    "ip": {"change": "set add replace change", "destroy": "del delete flush"},
    "apt-get": {"change": "install update upgrade dist-upgrade", "destroy": "remove purge autoremove"},
    "dnf": {"change": "install update upgrade", "destroy": "remove erase"},
    "npm": {"change": "install ci run start publish update"},
    "pct": {"change": "start stop restart reboot shutdown resume set migrate restore", "destroy": "destroy"},
    "flux": {"change": "reconcile suspend resume install", "destroy": "delete uninstall"},
    "gitlab-ctl": {"change": "restart start stop reconfigure hup", "destroy": "kill cleanse"},
    "pg_ctl": {"change": "start stop restart reload promote logrotate init initdb", "destroy": "kill"},
    "etcdctl": {"change": "put defrag compaction move-leader", "destroy": "del"},
}
for _same, _as in (
    ("docker-compose", "docker"),
    ("podman", "docker"),
    ("oc", "kubectl"),
    ("apt", "apt-get"),
    ("yum", "dnf"),
    ("yarn", "npm"),
    ("nerdctl", "docker"),
    ("crictl", "docker"),
    ("qm", "pct"),
    ("tofu", "terraform"),
    ("pg_ctlcluster", "pg_ctl"),
):
    _SUBCOMMANDS[_same] = _SUBCOMMANDS[_as]
_SUBCOMMAND_LATER = frozenset("kubectl oc docker docker-compose ip pg_ctl pg_ctlcluster".split())
_READING = frozenset("get describe logs log ps inspect top stats history can-i".split())
_KUBE_VALUED = frozenset(
    "-n --namespace --context --kubeconfig --cluster --user -s --server -l --selector -c --container -o --output --as "
    "--as-group --as-uid --token --certificate-authority --client-certificate --client-key --request-timeout".split()
)
_PG_VALUED = frozenset("-D --pgdata -l --log -m --mode -o --options -p -t --timeout".split())
_VALUED = {"kubectl": _KUBE_VALUED, "oc": _KUBE_VALUED, "pg_ctl": _PG_VALUED, "pg_ctlcluster": _PG_VALUED}
_REDIS_CHANGE = re.compile(
    r"set|setex|incr|decr|expire|persist|rename|lpush|rpush|sadd|zadd|hset|publish|bgsave|save|slaveof|replicaof|restore|"
    r"bgrewriteaof|migrate|eval|client|cluster|config|acl|debug",
    re.IGNORECASE,
)
_REDIS_DESTROY = re.compile(r"flushall|flushdb|del|unlink|shutdown|failover|getdel|lpop|rpop|ltrim", re.IGNORECASE)
_SQL_DESTROY = re.compile(
    r"\b(drop|truncate|delete\s+from|pg_terminate_backend|pg_cancel_backend|pg_drop_replication_slot|kill)\b",
    re.IGNORECASE,
)
_SQL_CHANGE = re.compile(
    r"^\s*(insert|update|alter|create|grant|revoke|vacuum|reindex|analyze|set|call|begin|commit|copy|checkpoint|lock|reset"
    r"|optimize|repair|start|stop|change)\b|pg_reload_conf|pg_promote|pg_switch_wal|\bsetval\b"
    r"|pg_wal_replay_(?:pause|resume)|pg_create_\w+|pg_rotate_logfile",
    re.IGNORECASE,
)
_LOOKING_TARGET = re.compile(r"^(verify|check|smoke|status|logs|test|lint|health)")
_SCRIPT_WORDS = {
    Effect.TELL: re.compile(r"(^|[-_/])(notify|notification|announce|send|page|post)($|[-_.])"),
    Effect.DESTROY: re.compile(r"(^|[-_/ ])(delete|destroy|purge|prune|wipe|drop|kill|failover|cleanup|clean)"),
    Effect.CHANGE: re.compile(
        r"(^|[-_/ ])(restart|deploy|roll-?back|scale|restore|start|stop|reset|rotate|migrate|apply|switch|enable"
        r"|disable|fix|repair|recover|drain|promote|upgrade|update|install)"
    ),
}
_AWS_DESTROY = re.compile(r"(delete|terminate|failover|purge|deregister|remove|release|revoke|reboot-db-instance)")
_AWS_READ = re.compile(r"(describe|get|list|filter|head|lookup|wait|batch-get|search|scan|query|tail|ls|estimate|test)")


def effect_of(text: str) -> Effect:
    """Return the strongest effect among a statement's simple commands.

    A restart, stop, rollback or scaling is ``change``; ``destroy`` is data deleted, a process, pod or container killed
    or removed, or a failover forced; writing a diagnostic file under ``/tmp`` is ``read``.
    """
    effect = Effect.READ
    for simple in simple_commands(text):
        effect = max(effect, _of_simple(simple), key=_ORDER.index)
    return effect


def _of_simple(simple: Simple) -> Effect:
    program = simple.program
    special = _SPECIAL.get(program)
    if special:
        return special(simple)
    if program in _SUBCOMMANDS:
        return _of_subcommand(simple)
    for effect, pattern in (
        (Effect.EDIT, _EDITORS),
        (Effect.DESTROY, _DESTROY),
        (Effect.TELL, _TELLERS),
        (Effect.CHANGE, _CHANGE),
    ):
        if pattern.fullmatch(program):
            reading_use = _READING_USES.get(program)
            return reading_use(simple) if reading_use else effect
    if _writes_outside_tmp(simple):
        return Effect.CHANGE
    name = simple.words[0].prefix if simple.words else ""
    if name.endswith((".sh", ".py")) or name.startswith("./"):
        told = " ".join([name, *simple.arguments[:1]])
        return next((effect for effect, words in _SCRIPT_WORDS.items() if words.search(told)), Effect.READ)
    return Effect.READ


def _of_subcommand(simple: Simple) -> Effect:
    table = _SUBCOMMANDS[simple.program]
    words = _operands(simple)
    inner = {"docker": ("exec", "compose"), "kubectl": ("exec",)}.get(simple.program, ("exec",))
    # The subcommand is among the first words: global options may carry a value before it, names come after it.
    for word in words[: 4 if simple.program in _SUBCOMMAND_LATER else 1]:
        if word in inner[:1] or word in _READING:
            return Effect.READ
        if re.search(r"--dry-run(?!=none|=false)", " ".join(simple.arguments)) or ("diff" in words[:1]):
            return Effect.READ
        for effect, names in table.items():
            if word in names.split():
                if word == "tag" and simple.program == "git" and len(words) == 1:
                    continue
                return Effect(effect)
        if word == "status":
            return Effect.READ
    return Effect.READ


def _operands(simple: Simple) -> list[str]:
    """Return the arguments that are no options; a namespace may be called like a verb."""
    kept: list[str] = []
    skip = False
    for word in simple.arguments:
        if skip or word.startswith("-"):
            skip = not skip and word in _VALUED.get(simple.program, ())
        else:
            kept.append(word)
    return kept


def shows_secret(text: str) -> bool:
    """True where a command prints values of secrets under names that do not tell so, or under none."""
    return any(_shows_secret(simple, is_cut="|" in text) for simple in simple_commands(text))


def _shows_secret(simple: Simple, *, is_cut: bool) -> bool:
    if simple.program == "aws":
        return "get-secret-value" in simple.arguments
    if simple.program not in ("kubectl", "oc") or "get" not in simple.arguments:
        return False
    if not any(map(is_kube_secret, _operands(simple))):
        return False
    joined = " ".join(simple.arguments)
    form = re.search(r"(?:^| )(?:-o ?=?|--output[ =])([\w-]+)", joined)
    if not form:
        return "--template" in joined
    return not keeps_secrets_hidden(form[1], is_cut=is_cut)


def _curl(simple: Simple) -> Effect:
    words = simple.arguments
    joined = " ".join(words)
    method = re.search(r"(?:^| )(?:-X ?|--request[ =])([A-Za-z]+)", joined)
    sends = any(re.match(r"(-d|--data|-F|--form|--json|-T|--upload)", word) for word in words)
    asks_with_get = any(word in ("-G", "--get") for word in words)
    verb = method[1].upper() if method else ("GET" if asks_with_get or not sends else "POST")
    if verb in ("GET", "HEAD", "OPTIONS"):
        return Effect.READ
    url = next((word for word in words if re.match(r"""["']?(https?:|\$)""", word)), joined)
    if _TELL_URL.search(url):
        return Effect.TELL
    if verb == "DELETE":
        return Effect.DESTROY
    return Effect.READ if verb == "POST" and _ASKING_URL.search(url) else Effect.CHANGE


def effect_of_sql(text: str) -> Effect:
    """Return the effect of SQL, or of one of psql's own commands."""
    if _SQL_DESTROY.search(text):
        return Effect.DESTROY
    return Effect.CHANGE if _SQL_CHANGE.search(text) else Effect.READ


def effect_of_redis(text: str) -> Effect:
    """Return the effect of a line that is typed into redis-cli."""
    return _redis_words(text.split())


def effect_of_code(text: str) -> Effect:
    """Return the effect of a line that is typed into a database's or a framework's own console."""
    if re.search(
        r"\b(drop|delete|remove|destroy|purge|kill)\w*\s*[.(]|\b(drop|delete|remove|destroy)\w*\b", text, re.IGNORECASE
    ):
        return Effect.DESTROY
    changes = (
        r"\b(insert|update|create|save|restart|set|stepDown|initiate|reconfig|shutdown|perform|enqueue|retry)\w*\b"
    )
    return Effect.CHANGE if re.search(changes, text, re.IGNORECASE) else Effect.READ


def _redis(simple: Simple) -> Effect:
    return _redis_words([word for word in simple.arguments if not word.startswith("-")])


def _redis_words(words: Sequence[str]) -> Effect:
    for word in words[:4]:
        if _REDIS_DESTROY.fullmatch(word):
            return Effect.DESTROY
        if re.fullmatch(r"config|client|cluster|acl|debug", word, re.IGNORECASE):
            rest = " ".join(words[words.index(word) + 1 :]).lower()
            return (
                Effect.DESTROY
                if "kill" in rest or "failover" in rest
                else (
                    Effect.CHANGE
                    if re.match(r"set|rewrite|resetstat|reset|forget|meet|pause|setuser|deluser", rest)
                    else Effect.READ
                )
            )
        if word.lower() == "eval":
            inside = re.findall(r"redis\.p?call\(\s*['\"](\w+)", " ".join(words))
            return max((_redis_words([name]) for name in inside), key=_ORDER.index, default=Effect.CHANGE)
        if _REDIS_CHANGE.fullmatch(word):
            return Effect.CHANGE
    return Effect.READ


def _make(simple: Simple) -> Effect:
    names = [word for word in simple.arguments if not word.startswith("-") and "=" not in word]
    return Effect.READ if names and all(_LOOKING_TARGET.search(name) for name in names) else Effect.CHANGE


def _gcloud(simple: Simple) -> Effect:
    words = [word for word in simple.arguments if not word.startswith("-")][:5]
    if {"delete", "failover", "restore"} & {*words}:
        return Effect.DESTROY
    reads = {"describe", "list", "get", "read", "tail", "get-credentials", "logs", "ssh", "config"}
    return Effect.READ if not words or reads & {*words} else Effect.CHANGE


def _sql(simple: Simple) -> Effect:
    return max(map(effect_of_sql, simple.arguments), key=_ORDER.index, default=Effect.READ)


def _aws(simple: Simple) -> Effect:
    words = [word for word in simple.arguments if not word.startswith("-")]
    verb = words[1] if len(words) > 1 else ""
    if _AWS_DESTROY.match(verb):
        return Effect.DESTROY
    if (words[:1] == ["s3"] and verb == "rm") or (words[:1] == ["s3"] and verb == "rb"):
        return Effect.DESTROY
    return Effect.READ if _AWS_READ.match(verb) or not verb else Effect.CHANGE


def _journalctl(simple: Simple) -> Effect:
    return Effect.DESTROY if any(word.startswith("--vacuum") for word in simple.arguments) else Effect.READ


def _find(simple: Simple) -> Effect:
    words = simple.arguments
    if "-delete" in words or ("-exec" in words and "rm" in words):
        return Effect.DESTROY
    return Effect.READ


def _copy(simple: Simple) -> Effect:
    operands = [word for word in simple.words[1:] if not word.prefix.startswith("-")]
    return Effect.READ if operands and operands[-1].prefix.startswith(("/tmp", "/var/tmp")) else Effect.CHANGE


def _sed(simple: Simple) -> Effect:
    return Effect.CHANGE if any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in simple.arguments) else Effect.READ


def _celery(simple: Simple) -> Effect:
    if "purge" in simple.arguments:
        return Effect.DESTROY
    return Effect.CHANGE if "control" in simple.arguments else Effect.READ


def _sysctl(simple: Simple) -> Effect:
    return (
        Effect.CHANGE if any(word == "-w" or re.match(r"\w[\w.]*=", word) for word in simple.arguments) else Effect.READ
    )


def _iptables(simple: Simple) -> Effect:
    joined = " ".join(simple.arguments)
    if re.search(r"(^| )(-F|-X|-D|--flush|--delete)", joined):
        return Effect.DESTROY
    return Effect.CHANGE if re.search(r"(^| )(-A|-I|-P|-R|-N|--append|--insert|--policy)", joined) else Effect.READ


def _ansible(simple: Simple) -> Effect:
    at = [index for index, word in enumerate(simple.arguments) if word in ("-a", "--args")]
    return effect_of(simple.arguments[at[0] + 1]) if at and at[0] + 1 < len(simple.arguments) else Effect.READ


def _tee(simple: Simple) -> Effect:
    return (
        Effect.READ if all(word.startswith(("-", "/tmp", "/dev/null")) for word in simple.arguments) else Effect.CHANGE
    )


_SPECIAL: dict[str, Callable[[Simple], Effect]] = {
    "curl": _curl,
    "redis-cli": _redis,
    "psql": _sql,
    "mysql": _sql,
    "mariadb": _sql,
    "sqlite3": _sql,
    "make": _make,
    "gcloud": _gcloud,
    "aws": _aws,
    "journalctl": _journalctl,
    "find": _find,
    "cp": _copy,
    "mkdir": _copy,
    "touch": _copy,
    "sed": _sed,
    "celery": _celery,
    "sysctl": _sysctl,
    "iptables": _iptables,
    "ip6tables": _iptables,
    "ansible": _ansible,
    "tee": _tee,
}


_READING_USES: dict[str, Callable[[Simple], Effect]] = {
    "kill": lambda simple: Effect.READ if simple.arguments[:1] in (("-0",), ("-l",)) else Effect.DESTROY,
    "nginx": lambda simple: (
        Effect.READ if simple.arguments[:1] in (("-t",), ("-T",), ("-v",), ("-V",)) else Effect.CHANGE
    ),
    "crontab": lambda simple: Effect.READ if "-l" in simple.arguments else Effect.CHANGE,
    "service": lambda simple: Effect.READ if {"status", "--status-all"} & {*simple.arguments} else Effect.CHANGE,
    "supervisorctl": lambda simple: Effect.READ if {"status", "tail"} & {*simple.arguments} else Effect.CHANGE,
    "pm2": lambda simple: (
        Effect.READ
        if {"list", "ls", "status", "logs", "show", "describe"} & {*simple.arguments}
        else (Effect.DESTROY if {"delete", "kill"} & {*simple.arguments} else Effect.CHANGE)
    ),
    "tar": lambda simple: (
        Effect.READ if re.match(r"-?-?(t|c|list|create)", " ".join(simple.arguments)) else Effect.CHANGE
    ),
    "mount": lambda simple: Effect.CHANGE if simple.arguments else Effect.READ,
    "pip": lambda simple: Effect.READ if {"list", "show", "freeze", "check"} & {*simple.arguments} else Effect.CHANGE,
    "ufw": lambda simple: Effect.READ if "status" in simple.arguments else Effect.CHANGE,
    "nft": lambda simple: Effect.READ if "list" in simple.arguments else Effect.CHANGE,
}


def _writes_outside_tmp(simple: Simple) -> bool:
    for redirect in simple.redirects:
        target = redirect.target.prefix if redirect.target else ""
        writes = redirect.operator in (">", ">>", ">|", "&>", "&>>") and not target.isdigit()
        if writes and target.startswith("/") and not target.startswith(("/tmp", "/dev/", "/var/tmp")):
            return True
    return False
