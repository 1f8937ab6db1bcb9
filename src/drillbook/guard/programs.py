"""Which programs only read, with which options: the guard's lists. What is not listed is refused."""

import re
from collections.abc import Callable, Sequence

from drillbook.guard.options import DYNAMIC, Refusal, Spec, options
from drillbook.guard.sql import refuse_sql
from drillbook.redact import is_kube_secret, keeps_secrets_hidden

__all__ = ["ENVIRONMENT", "HARMLESS", "RULES", "Rule"]

ENVIRONMENT = re.compile(
    r"LC_[A-Z]+|LANG|TZ|PG(?:PASSWORD|HOST|PORT|USER|DATABASE|CONNECT_TIMEOUT|APPNAME)|REDISCLI_AUTH|NO_COLOR"
)
"""Variables that may be set for a command."""

HARMLESS = frozenset(
    "true false : echo pwd whoami id groups uname uptime free nproc arch tty logname who users getent basename dirname "
    "realpath readlink stat wc head tail cat tac nl od md5 md5sum sha1sum sha224sum sha256 sha256sum sha384sum "
    "sha512sum "
    "b2sum cksum sum cut paste comm fold fmt expand unexpand tr rev seq df du ls dir cmp diff lsblk lscpu lsmem "
    "lsmod lsns "
    "vmstat mpstat pgrep pidof pstree ps netstat tracepath host dig printenv mountpoint sleep grep egrep "
    "fgrep zcat bzcat xzcat jq which whereis type lsb_release strings last numfmt expr column findmnt pg_isready "
    "[".split()
)
"""No option of these writes, runs or changes anything."""

Rule = Callable[[str, Sequence[str]], None]
"""Raises Refusal where a program's arguments are not known to only read."""


def _only(spec: Spec, most: int | None = None, operand: str = r"(?s).*") -> Rule:
    """Return a rule: these options, at most so many operands, each of this form."""

    def rule(program: str, arguments: Sequence[str]) -> None:
        _, operands = options(program, arguments, spec)
        if most is not None and len(operands) > most:
            raise Refusal(f"{program} {' '.join(operands)} is not known to only read")
        for word in operands:
            if not re.fullmatch(operand, word):
                raise Refusal(f"{program} {word} is not known to only read")

    return rule


def _words(*patterns: str) -> Rule:
    """Return a rule: all arguments together match one of the patterns."""

    def rule(program: str, arguments: Sequence[str]) -> None:
        joined = " ".join(arguments)
        if not any(re.fullmatch(pattern, joined) for pattern in patterns):
            raise Refusal(f"{program} {joined}".strip() + " is not known to only read")

    return rule


def _without(pattern: str) -> Rule:
    """Return a rule for a program that reads unless an argument matches."""

    def rule(program: str, arguments: Sequence[str]) -> None:
        for word in arguments:
            if re.match(pattern, word):
                raise Refusal(f"{program} {word} is not known to only read")

    return rule


def _awk(program: str, arguments: Sequence[str]) -> None:
    found, operands = options(program, arguments, Spec(valued="Fv"))
    script = operands[0] if operands else DYNAMIC
    if DYNAMIC in script or re.search(
        r"system|getline|[|](?![|])|(?<![|])[|]$|@|\bclose\b|\bfflush\b", _without_or(script)
    ):
        raise Refusal(f"the {program} program can run commands")
    if ">" in script and "print" in script:
        raise Refusal(f"the {program} program can write to a file")
    if any(re.search(r"\\", value or "") and option == "-v" for option, value in found):
        raise Refusal(f"{program} -v is not looked into")


def _without_or(script: str) -> str:
    return script.replace("||", "")


def _sed_pattern(delimiter: str) -> str:
    """Match a pattern up to its delimiter; what has one within brackets ends elsewhere for sed, and is left out.

    A ``]`` that comes first in brackets, or behind their ``^``, is one of their characters.
    """
    inside = rf"(?:\[:[a-z]+:\]|[^\]\[{delimiter}\n])"
    within = rf"\[(?:\^|(?!\^))(?:\]{inside}*|{inside}+)\]"
    return rf"(?:[^{delimiter}\\\n\[]|\\[^\n]|{within})*"


def _sed_substitution(delimiter: str) -> str:
    edge = re.escape(delimiter)
    return rf"s{edge}{_sed_pattern(delimiter)}{edge}(?:[^{delimiter}\\\n]|\\[^\n])*{edge}[gpiI\d]*"


_SED_ADDRESS = rf"(?:\d+|\$|/{_sed_pattern('/')}/I?)"
_SED_COMMAND = (
    rf"(?:{_SED_ADDRESS}(?:,(?:{_SED_ADDRESS}|\+\d+))?!?\s*)?"
    rf"(?:[pdqDGHhgxNnl=]|{'|'.join(map(_sed_substitution, '/|#'))})"
)


def _sed(program: str, arguments: Sequence[str]) -> None:
    found, operands = options(program, arguments, Spec(flags="nErsuz", valued="e", long="quiet silent regexp-extended"))
    scripts = [value or "" for option, value in found if option == "-e"] or operands[:1]
    for script in scripts:
        if not re.fullmatch(rf"{_SED_COMMAND}(?:\s*;\s*{_SED_COMMAND})*\s*;?", script.strip()):
            raise Refusal(f"the sed script {script!r} is not known to only read")


_FIND_TESTS = frozenset(
    "name iname path ipath wholename regex iregex type mtime mmin atime amin ctime cmin newer size user group "
    "perm maxdepth "
    "mindepth uid gid links inum regextype samefile printf lname fstype used newermt newerct newerat".split()
)
_FIND_PLAIN = frozenset(
    "print print0 ls o a not or and empty readable writable executable nouser nogroup prune depth mount xdev "
    "follow quit "
    "daystart true false d".split()
)


def _find(program: str, arguments: Sequence[str]) -> None:
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if re.fullmatch(r"-[LHP]", word) or not word.startswith("-"):
            continue
        if word[1:] in _FIND_TESTS and rest:
            rest.pop(0)
        elif word[1:] not in _FIND_PLAIN:
            raise Refusal(f"find {word} is not known to only read")


_CURL = Spec(
    flags="fsSiIvkL46gGN#0",
    valued="mHAuXwod",
    long="fail fail-with-body silent show-error include head verbose insecure location ipv4 ipv6 globoff get no-buffer "
    "compressed http1.0 http1.1 http2 no-progress-meter retry-connrefused tlsv1.2",
    long_valued="max-time connect-timeout retry retry-delay retry-max-time header user-agent user request url "
    "write-out "
    "output data data-urlencode resolve cacert max-redirs",
)
_URL = re.compile(
    r"https?://[^\s]+|(?!(?:ftps?|dict|ldaps?|imaps?|smtps?|pop3s?|file|gopher|telnet|tftp|scp|sftp|smb|rtsp|mqtt)[.:])"
    r"[\w.-]+(?::\d+)?(?:[/?][^\s]*)?",
    re.IGNORECASE,
)


def _curl(program: str, arguments: Sequence[str]) -> None:
    if any("\n" in word for word in arguments):
        raise Refusal("a curl argument goes over several lines")
    found, operands = options(program, arguments, _CURL)
    names = [option for option, _ in found]
    asks = "-G" in names or "--get" in names
    for option, value in found:
        _curl_option(option, value or "", asks)
    urls = operands + [value or "" for option, value in found if option == "--url"]
    if not urls:
        raise Refusal("curl without a URL is not looked into")
    for url in urls:
        if not _URL.fullmatch(url):
            raise Refusal(f"curl {url} is no plain http request")


def _curl_option(option: str, value: str, asks: bool) -> None:
    if option in ("-X", "--request") and value.upper() not in ("GET", "HEAD", "OPTIONS"):
        raise Refusal(f"curl -X {value} can change things")
    if option in ("-o", "--output") and value not in ("/dev/null", "-"):
        raise Refusal(f"curl {option} {value} writes to a file")
    if option in ("-d", "--data", "--data-urlencode") and (not asks or re.match(r"[^=]*@", value)):
        raise Refusal(f"curl {option} sends data")
    if option in ("-w", "--write-out") and (value.startswith("@") or "%output" in value or DYNAMIC in value):
        raise Refusal(f"curl {option} {value} is not known to only read")
    if option in ("-H", "--header") and (value.startswith("@") or re.search(r"method-?override", value, re.IGNORECASE)):
        raise Refusal(f"curl {option} {value} is not known to only read")


_DOCKER_VERBS = {
    "ps": "", "images": "", "inspect": "", "logs": "", "top": "", "stats": "", "events": "", "version": "", "info": "",
    "port": "", "diff": "", "history": "",
    "container": "ls list ps inspect logs stats top port diff",
    "image": "ls list inspect history",
    "network": "ls list inspect",
    "volume": "ls list inspect",
    "system": "df info events",
    "service": "ls ps inspect logs",
    "node": "ls ps inspect",
    "stack": "ls ps services",
    "context": "ls show inspect",
}  # fmt: skip
_COMPOSE_VERBS = frozenset("ps logs top images port events version ls config stats --version".split())


def _docker(program: str, arguments: Sequence[str]) -> None:
    if list(arguments) in (["--version"], ["-v"]):
        return  # alone: in front of a verb they say nothing, and the verb is carried out
    verb = arguments[0] if arguments else ""
    if verb not in _DOCKER_VERBS:
        raise Refusal(f"{program} {verb}".strip() + " is not known to only read")
    if _DOCKER_VERBS[verb] and (arguments[1:2] or [""])[0] not in _DOCKER_VERBS[verb].split():
        raise Refusal(f"{program} {' '.join(arguments[:2])} is not known to only read")


def _compose(program: str, arguments: Sequence[str]) -> None:
    verb = arguments[0] if arguments else ""
    if verb not in _COMPOSE_VERBS:
        raise Refusal(f"{program} {verb}".strip() + " is not known to only read")
    if verb == "config":
        flags = "services images volumes profiles hash quiet no-interpolate no-normalize"
        options(f"{program} config", arguments[1:], Spec(flags="q", long=flags, long_valued="format"))


_KUBECTL = Spec(
    flags="Awpitf",
    valued="nloLc",
    long="all-namespaces watch show-labels no-headers previous timestamps follow all-containers prefix "
    "containers heads "
    "ignore-not-found show-events short client stdin tty minify all-pods",
    long_valued="namespace selector output sort-by field-selector context container tail since since-time limit-bytes "
    "revision timeout request-timeout for label-columns types chunk-size max-log-requests pod-running-timeout",
)
_KUBECTL_VERBS = {
    "get": "", "describe": "", "logs": "", "top": "pod pods po node nodes no", "version": "", "api-resources": "",
    "api-versions": "", "explain": "", "events": "", "wait": "", "cluster-info": "-",
    "rollout": "status history",
    "config": "view current-context get-contexts get-clusters",
    "auth": "can-i whoami",
}  # fmt: skip


def _kubectl(program: str, arguments: Sequence[str]) -> None:
    verb = arguments[0] if arguments else ""
    if verb not in _KUBECTL_VERBS:
        raise Refusal(f"{program} {verb}".strip() + " is not known to only read")
    found, operands = options(f"{program} {verb}", arguments[1:], _KUBECTL)
    if verb == "get" and any(map(is_kube_secret, arguments)):
        for option, form in found:
            if option in ("-o", "--output") and not keeps_secrets_hidden(form or ""):
                raise Refusal(f"{program} get secret -o {form} prints secrets")
    if verb != "logs" and any(option == "-f" for option, _ in found):
        raise Refusal(f"{program} {verb} -f is not looked into")
    allowed = _KUBECTL_VERBS[verb]
    second = (operands[:1] or ["-"])[0] if allowed == "-" else _second_word(arguments[1:])
    if allowed and second not in allowed.split():
        raise Refusal(f"{program} {verb} {second}".strip() + " is not known to only read")


def _second_word(words: Sequence[str]) -> str:
    """Return the word that tells what a verb like ``rollout`` does; ``-`` for none.

    kubectl takes what follows an option there for its value, unless the option has it within.
    """
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] in ("-n", "--namespace", "--context"):
            at += 2
        elif re.fullmatch(r"--[a-z-]+=.*|-n.+", words[at]):
            at += 1
        else:
            return words[at]
    return words[at] if at < len(words) else "-"


_SYSTEMCTL_VERBS = frozenset(
    "status is-active is-enabled is-failed show list-units list-unit-files list-timers list-sockets list-dependencies "
    "list-jobs cat get-default is-system-running".split()
)


def _systemctl(program: str, arguments: Sequence[str]) -> None:
    spec = Spec(
        flags="laqr",
        valued="npto",
        long="no-pager full all failed quiet user system value no-legend plain reverse recursive",
        long_valued="lines property type state output",
    )
    _, operands = options(program, arguments, spec)
    if operands and operands[0] not in _SYSTEMCTL_VERBS:
        raise Refusal(f"{program} {operands[0]} is not known to only read")


_GIT_VERBS = frozenset(
    "log show status diff rev-parse branch tag describe remote ls-files ls-tree blame shortlog reflog rev-list "
    "merge-base name-rev cat-file --version".split()
)
_GIT = Spec(
    flags="pqsbtarvzEl",
    valued="nSGL",
    long="oneline stat name-only name-status graph all decorate no-merges merges patch follow reverse "
    "abbrev-commit short "
    "porcelain branch cached staged verify abbrev-ref tags always show-current no-color no-ext-diff no-textconv "
    "first-parent numstat shortstat summary quiet show-toplevel is-inside-work-tree list remotes numbered email "
    "count left-right no-pager dirty long exact-match no-decorate",
    long_valued="since until after before author grep pretty format date max-count skip diff-filter abbrev contains "
    "merged "
    "no-merged points-at sort decorate color",
    numbers=True,
)


def _git(program: str, arguments: Sequence[str]) -> None:
    _, rest = options(program, arguments, Spec(flags="P", valued="C", long="no-pager version"), stop_at_operand=True)
    verb = rest[0] if rest else "--version"
    if verb not in _GIT_VERBS:
        raise Refusal(f"git {verb} is not known to only read")
    limit = rest.index("--") if "--" in rest else len(rest)
    found, operands = options(f"git {verb}", rest[1:limit], _GIT)
    if any("%G" in (value or "") or DYNAMIC in (value or "") for _, value in found):
        raise Refusal("git runs a program of its configuration for %G")
    names = [option for option, _ in found]
    if verb in ("branch", "tag", "remote"):
        operands += rest[limit + 1 :]  # no paths: they have none
    listing = {"--list", "--contains", "--merged", "--no-merged", "--points-at"}
    if verb == "tag":
        listing.add("-l")  # before git 2.19 `git branch -l NAME` made a branch
    lists = listing & {*names}
    if verb in ("branch", "tag") and operands and not lists:
        raise Refusal(f"git {verb} {operands[0]} makes a {verb}")
    if verb == "remote" and (operands or names not in ([], ["-v"])):
        raise Refusal(f"git remote {' '.join(operands)} is not known to only read")
    if verb == "reflog" and operands[:1] not in ([], ["show"]):
        raise Refusal(f"git reflog {operands[0]} is not known to only read")


_REDIS_READS = frozenset(
    "ping info get mget strlen exists type ttl pttl dbsize llen lrange lindex scard smembers sismember "
    "srandmember zcard "
    "zrange zscore zcount hget hgetall hlen hkeys hmget hexists xlen xrange xinfo scan sscan hscan zscan role "
    "lastsave time "
    "echo".split()
)
_REDIS_TWO = {
    "config": "get", "client": "list info id getname", "slowlog": "get len", "memory": "usage stats doctor",
    "latency": "latest history doctor", "cluster": "info nodes slots shards myid",
    "object": "encoding idletime freq refcount",
    "acl": "whoami list users cat", "pubsub": "channels numsub numpat", "module": "list", "command": "count info",
    "sentinel": "masters master get-master-addr-by-name replicas slaves ckquorum sentinels",
}  # fmt: skip


def _redis(program: str, arguments: Sequence[str]) -> None:
    long = "tls raw no-raw no-auth-warning csv json"
    spec = Spec(flags="e", valued="hpnaut", long=long, long_valued="user pass cacert")
    _, operands = options(program, arguments, spec, stop_at_operand=True)
    verb = operands[0].lower() if operands else ""
    second = operands[1].lower() if len(operands) > 1 else ""
    if verb not in _REDIS_READS and second not in _REDIS_TWO.get(verb, "").split():
        raise Refusal(f"redis-cli {' '.join(operands[:2])}".strip() + " is not known to only read")


def _sql_client(spec: Spec, script: Sequence[str], most: int, name: str) -> Rule:
    def rule(program: str, arguments: Sequence[str]) -> None:
        found, operands = options(program, arguments, spec)
        scripts = [value or "" for option, value in found if option in script]
        if not scripts:
            raise Refusal(f"{program} without a statement reads what to do from its input")
        if len(operands) > most or not all(re.fullmatch(name, word) for word in operands):
            raise Refusal(f"{program} {' '.join(operands)} is not known to only read")
        for text in scripts:
            problem = refuse_sql(text)
            if problem:
                raise Refusal(f"{program}: {problem}")

    return rule


def _aws(program: str, arguments: Sequence[str]) -> None:
    spec = Spec(long="no-cli-pager", long_valued="region profile output")
    _, rest = options(program, arguments, spec, stop_at_operand=True)
    first, second = (*rest, "", "")[:2]
    asks = re.fullmatch(
        r"(describe|list)-[a-z0-9-]+|filter-log-events|get-caller-identity|get-metric-(data|statistics)", second
    )
    reads_input = any(word.startswith(("--cli-input", "--generate-cli")) for word in rest)
    if reads_input or not (asks or [first, second] == ["s3", "ls"]):
        raise Refusal(f"aws {first} {second}".strip() + " is not known to only read")


def _nslookup(program: str, arguments: Sequence[str]) -> None:
    if not arguments or not all(re.fullmatch(r"[\w.:-]+|-(type|timeout|port|q)=\w+", word) for word in arguments):
        raise Refusal("nslookup without a name reads commands from its input")
    if all(word.startswith("-") for word in arguments):
        raise Refusal("nslookup without a name reads commands from its input")


def _printf(program: str, arguments: Sequence[str]) -> None:
    if not arguments or arguments[0].startswith(("-v", DYNAMIC)):
        raise Refusal("printf -v sets a variable")
    format_ = arguments[1:2] if arguments[0] == "--" else arguments[:1]
    if re.search(r"%[^%a-zA-Z]*[hjlLtz]*n", "".join(format_).replace("%%", "")):
        raise Refusal("printf %n sets a variable")


def _test(program: str, arguments: Sequence[str]) -> None:
    if any(word in ("-v", "-R") for word in arguments):
        raise Refusal(f"{program} -v can run commands")
    if any("[" in word and re.search(r"\$|`", word) for word in arguments):
        raise Refusal(f"{program} can run what stands in an index")


def _rpm(program: str, arguments: Sequence[str]) -> None:
    spec = Spec(
        flags="qailfVcdRs", long="query verify quiet all info list file configfiles", long_valued="queryformat qf"
    )
    found, _ = options(program, arguments, spec)
    names = {option for option, _ in found}
    if not names & {"-q", "--query", "-V", "--verify"}:
        raise Refusal(f"{program} is not known to only read without -q")
    for _, value in found:
        if value and re.search(rf"%\(|%\{{\s*lua|[|`$]|{DYNAMIC}", value):
            raise Refusal(f"the {program} format {value} is not known to only read")


def _nc(program: str, arguments: Sequence[str]) -> None:
    found, operands = options(program, arguments, Spec(flags="zvun46", valued="w"))
    if "-z" not in {option for option, _ in found} or len(operands) > 2:
        raise Refusal(f"{program} without -z sends what it reads")


_IP_OBJECT = r"(a|addr|address|l|link|r|route|n|neigh|neighbor|neighbour|rule|maddr|netns)"
_IPTABLES = (
    r"(-w( \d+)? )?(-[nvx]+ |--line-numbers )*(-t \w+ )?(-[nvx]+ )*(-[LS]|-[nvx]*L[nvx]*|--list|--list-rules)"
    r"( \w[\w-]*)?( -[nvx]+| --line-numbers)*"
)
_PING = _only(Spec(flags="nqvO46", valued="cWw"), most=1)
_SERVICE = _words(r"[\w@.:-]+ (status|onestatus)", "--status-all", "-e")

RULES: dict[str, Rule] = {
    **dict.fromkeys(("awk", "gawk", "mawk"), _awk),
    "sed": _sed,
    "find": _find,
    "curl": _curl,
    "wget": _words(
        r"(-[qS] |--timeout=\d+ |-T \d+ |--tries=\d+ |-t \d+ )*(-qO-|-O-|-qO -|-O -|--spider)( -[qS])? https?://\S+"
    ),
    "docker": _docker,
    "docker-compose": _compose,
    "kubectl": _kubectl,
    "systemctl": _systemctl,
    "git": _git,
    "redis-cli": _redis,
    "psql": _sql_client(
        Spec(
            flags="tAqXwx1",
            valued="hpUdcFP",
            long="tuples-only no-align quiet no-psqlrc no-password expanded",
            long_valued="host port username dbname command",
        ),
        ("-c", "--command"),
        1,
        r"[\w-]+",
    ),
    "mysql": _sql_client(
        Spec(
            flags="NBst",
            valued="hPuepD",
            long="skip-column-names batch",
            long_valued="host port user execute password database",
        ),
        ("-e", "--execute"),
        1,
        r"[\w-]+",
    ),
    "aws": _aws,
    "journalctl": _only(
        Spec(
            flags="faqrexkm",
            valued="unpSUobtgc",
            long="follow all quiet reverse pager-end catalog dmesg no-pager utc no-hostname disk-usage list-boots "
            "no-full merge no-tail",
            long_valued="unit user-unit lines priority since until output boot identifier grep output-fields cursor",
        ),
        operand=r"\w+=[^\x00]*",
    ),
    "dmesg": _only(
        Spec(
            flags="TkuxrtewH",
            valued="lf",
            long="ctime kernel userspace decode raw notime reltime follow nopager human",
            long_valued="level facility time-format since until color",
        ),
        most=0,
    ),
    "sort": _only(
        Spec(
            flags="bdfghiMnRrVcCmsuz",
            valued="ktS",
            long="numeric-sort reverse unique human-numeric-sort version-sort ignore-case stable",
            long_valued="key field-separator",
        )
    ),
    "uniq": _only(Spec(flags="cdiuz", valued="fsw", long="count repeated unique ignore-case"), 1, r"[^*?\[]*"),
    "date": _only(
        Spec(flags="uIR", valued="dr", long="utc rfc-email iso-8601", long_valued="date reference rfc-3339 iso-8601"),
        most=1,
        operand=r"\+(?s:.*)",
    ),
    "hostname": _only(Spec(flags="fiIsdA", long="fqdn short ip-address all-ip-addresses domain long"), most=0),
    "file": _only(Spec(flags="bikLs", long="brief mime mime-type dereference")),
    "ping": _PING,
    "ping6": _PING,
    "lsof": _without(r"[-+]\w*[Dmr]|\+"),
    "ss": _only(
        Spec(
            flags="hnrlaoempiTtuwx46sHOQ",
            valued="Af",
            long="numeric listening all tcp udp unix raw processes summary no-header ipv4 ipv6 options extended "
            "memory info "
            "resolve oneline",
            long_valued="query family",
        )
    ),
    "ip": _words(
        rf"(-[46sdoj]+ |-(br|brief|json|stats|details|oneline|c|color=\w+) |--(json|brief|oneline) )*{_IP_OBJECT}"
        r"( (show|list|ls|get)( [\w./:@][\w./:@-]*)*)?"
    ),
    "iptables": _words(_IPTABLES),
    "ip6tables": _words(_IPTABLES),
    "ifconfig": _words(r"", r"-a", r"[\w.:@-]+"),
    "arp": _words(r"(-[anev]+ ?)*"),
    "route": _words(r"(-[nee46]+ ?)*"),
    "mount": _words(r"", r"-p", r"-l"),
    "sysctl": _only(Spec(flags="neaNA", long="all values ignore names"), operand=r"[\w./*-]+"),
    "blockdev": _words(r"--report( \S+)?", r"--get\w+ \S+"),
    "nc": _nc,
    "pmap": _only(Spec(flags="xXdqp", valued="A", long="extended device quiet show-path"), operand=r"\d+"),
    "nslookup": _nslookup,
    "printf": _printf,
    "test": _test,
    "[": _test,
    "cd": _words(r"[^-\ufffd][^\ufffd]*", r""),
    "set": _words(r"-e", r"-u", r"-eu", r"-o pipefail", r"-euo pipefail", r"-eo pipefail"),
    "break": _words(r""),
    "continue": _words(r""),
    "ulimit": _words(r"-[acdefilmnpqrstuvxHS]+"),
    "kill": _words(r"-0 \d+", r"-l"),
    "top": _words(r"(-b -n ?1|-bn ?1|-n ?1 -b)( -[cHi])?( -o [%+\w-]+)?( -p [\d,]+)?", r"-bn1 -o \S+"),
    "crontab": _words(r"-l( -u \w+)?", r"-u \w+ -l"),
    "nginx": _words(r"-[tTvV]"),
    "service": _SERVICE,
    "rc-service": _words(r"[\w@.:-]+ status"),
    "initctl": _words(r"list", r"status [\w.-]+"),
    "status": _words(r"[\w.-]+"),
    "supervisorctl": _words(r"status( \w[\w:*-]*)*", r"avail", r"version"),
    "systemd-analyze": _words(r"verify \S+", r"time", r"blame", r"critical-chain( \S+)?"),
    "timedatectl": _words(r"", r"status", r"show"),
    "hostnamectl": _words(r"", r"status"),
    "loginctl": _words(r"", r"list-\w+"),
    "dpkg-query": _only(
        Spec(flags="WlLsS", valued="f", long="show list status listfiles search", long_valued="showformat")
    ),
    "dpkg": _only(Spec(flags="lLsS", long="list status listfiles search print-architecture")),
    "rpm": _rpm,
    "apk": _words(r"(-e |-v )*(info|list)( -[evLd]+)*( [\w./+][\w./+-]*)*"),
    "pacman": _words(r"-Q[ilkqe]*( [\w./+][\w./+-]*)*"),
    "pkg": _words(r"query %[nv] \S+"),
    "pkg_info": _words(r"-e \S+"),
    "brew": _words(r"info --formula --json \S+"),
    "pip": _words(r"(list|show|freeze|check)( --no-index| --format=\w+| -o| --outdated| \w[\w.-]*)*"),
    "pip3": _words(r"(list|show|freeze|check)( --no-index| --format=\w+| -o| --outdated| \w[\w.-]*)*"),
    "celery": _words(
        r"(-A [\w.]+ |-b \S+ )+(inspect (-t \d+ |--timeout \d+ )?(ping|active|stats|reserved|scheduled|registered|"
        r"report"
        r"|active_queues|conf)|status)( -t \d+| --timeout \d+| -d \S+| -j| --json)*"
    ),
    "rabbitmqctl": _words(r"(-q )?(status|cluster_status|list_\w+|node_health_check|ping|check_\w+)( [\w./][\w./-]*)*"),
    "openssl": _words(
        r"x509 -in \S+ -noout( -(enddate|startdate|dates|subject|issuer|serial|fingerprint))+", r"version"
    ),
    "python": _words(r"--version", r"-V"),
    "python3": _words(r"--version", r"-V"),
    "node": _words(r"--version", r"-v"),
}
