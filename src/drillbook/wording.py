"""The words by which a sentence is known to ask for something, and a line to be a command."""

import re

__all__ = ["EXPECTED_MARK", "EXPECTS", "PROGRAMS", "edits", "instructs", "reads_as_command"]

PROGRAMS = frozenset(
    "ls cat cd cp mv rm grep egrep zgrep find curl wget http ssh scp sudo docker docker-compose podman nerdctl "
    "crictl kubectl helm oc systemctl service journalctl git psql pg_ctl pg_ctlcluster pg_isready pg_dump "
    "pg_restore mysql mysqladmin mysqldump mariadb sqlite3 redis-cli valkey-cli mongo mongosh aws gcloud az "
    "doctl heroku flyctl ansible ansible-playbook terraform make npm npx yarn pnpm node python python3 pip pip3 "
    "ruby rails bundle rake php composer java jstack jmap jcmd go cargo df du free top htop ps kill pkill "
    "killall tail head less more echo printf export source sleep dmesg uptime netstat ss lsof ip ifconfig route "
    "ping ping6 traceroute mtr dig host nslookup openssl tar gzip touch mkdir chmod chown ln for while until if "
    "watch vmstat iostat mpstat sar strace ltrace tcpdump gdb perf nc ncat telnet rabbitmqctl "
    "rabbitmq-diagnostics etcdctl consul vault nomad celery gunicorn supervisorctl pm2 nginx apachectl haproxy "
    "iptables nft ufw firewall-cmd logrotate crontab mount umount fdisk lsblk blkid mkfs fsck sysctl ulimit id "
    "whoami hostname date timedatectl hostnamectl loginctl apt apt-get yum dnf apk snap dpkg rpm jq yq sed awk "
    "sort wc xargs tee test kafka-topics kafka-consumer-groups kafka-topics.sh kafka-consumer-groups.sh "
    "nodetool cqlsh elasticsearch-plugin istioctl linkerd argocd flux velero kustomize k9s stern kubectx kubens "
    "eksctl kops minikube kind pgbouncer patronictl repmgr promtool amtool logcli slack-cli".split()
)
_ALONE = frozenset("dmesg uptime htop top free df id hostname lsblk".split())

EXPECTS = re.compile(
    r"\W*(expect(ed|s|ation)?\b|should\b|look for\b|returns?:|output:|result:|"
    r"(\w+ )?(esperad[oa]|erwartet|attendue?)\b)",
    re.IGNORECASE,
)
EXPECTED_MARK = re.compile(r"^expect(ed|ation)?( output| result)?\s*:\s*", re.IGNORECASE)

_VERBS = (
    "acknowledge add adjust alert analy[sz]e announce ask assign attach brief calculate call change check clear "
    "click close collect compare complete configure confirm consider contact coordinate create declare delete "
    "disable document edit enable end engage ensure escalate estimate evaluate fix follow gather go identify "
    "increase inform inspect install investigate join kill log lower make mark modify monitor move navigate "
    "note notify open page post press provide provision put raise reboot reduce release remove repeat replace "
    "report request reset restart restore return review rotate route run scale schedule select send set share "
    "show start stop switch take tell test try update upgrade use validate verify wait watch work write"
).split()
_LEAD_IN = r"\W*(?:\d+[.)]\s*|option \w+\s*:\s*|then,?\s+|now,?\s+|or,?\s+|please\s+|[a-z@][\w -]{0,20}:\s*)*"
_INSTRUCTS = re.compile(
    rf"{_LEAD_IN}(?:{'|'.join(_VERBS)})\b(?!\s+(?:is|are|was|were|has|have|should|must|shows?)\b)", re.IGNORECASE
)
_EDITS = re.compile(
    r"\W*(?:\d+[.)]\s*|then,?\s+|now,?\s+)*"
    r"(?:edit|change|modify|fix|set|increase|raise|reduce|lower|add|update|replace|remove)\b"
    r".*(?:\.(?:ya?ml|env|conf|cfg|toml|json|ini|properties|tfvars|service)\b|config(?:uration)? file)"
    r"|\W*add:\s*$",
    re.IGNORECASE,
)


def instructs(text: str) -> bool:
    """True where a sentence begins by telling somebody to do something."""
    return _INSTRUCTS.match(text) is not None


def edits(text: str) -> bool:
    """True where a sentence asks to change a file."""
    return _EDITS.match(text) is not None


def reads_as_command(text: str, *, is_alone: bool = False) -> bool:
    """True where a text is a whole command, not the name of a program, a file or a service.

    Args:
        text: A line, or what inline code holds.
        is_alone: Nothing else stands beside it, so ``uptime`` is a command and not talked about.
    """
    words = text.split()
    if not words or "\n" in text or text.endswith(("...", "\u2026", " ")):
        return False
    program = words[0].rpartition("/")[2]
    return program in PROGRAMS and (len(words) > 1 or (is_alone and program in _ALONE))
