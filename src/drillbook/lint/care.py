"""What a tired person should not type without a second thought."""

import re
from collections.abc import Iterator

from drillbook.lint.rules import Document, Hit, rule
from drillbook.model import Effect
from drillbook.shell import Simple

__all__: list[str] = []

_WARNS = re.compile(
    r"warn|caution|danger|careful|destruct|irrevers|cannot be undone|los(e|es|ing|s)\b|delet(e|es|ing) (all|data)|"
    r"data loss|last resort|make sure|only (if|when|after|where|once)|\u26a0|\u2757|\U0001f6a8|never |do not|don't|"
    r"approval|confirm|\bsafe\b|unused|dangling|retention|expired|re-?issue|to trigger|recreate|"
    r"(take|make|create|first).{0,20}back ?up|back ?up.{0,20}(first|before)",
    re.IGNORECASE,
)
_NAMESPACED = frozenset(
    "pod pods po deployment deployments deploy service services svc configmap configmaps cm secret secrets "
    "statefulset statefulsets sts daemonset daemonsets ds job jobs cronjob cronjobs ingress ingresses endpoints "
    "ep events event pvc hpa networkpolicies networkpolicy replicaset replicasets rs all".split()
)
_ACTING = frozenset(
    "logs exec rollout scale set top port-forward describe get delete edit patch annotate label cp".split()
)
_REPLACED = re.compile(
    r"\bdelete\s+(pods?|po)\b|\b(docker|docker-compose|podman|compose) (.* )?(rm|down)\b|--vacuum|/tmp/|\.log\b|"
    r"\bdrain\b|(image|builder|container|network) prune|crictl rmi|state = 'idle'"
)
_NAMES_LOSS = re.compile(r"\b(wip|delet|remov|drop|purg|clear|discard)", re.IGNORECASE)
"""Of a heading that says itself what goes."""
_FORCES = re.compile(r"\bvolume (rm|prune)|\s-v\b|--volumes|--rmi|--force\b|--grace-period=0|--all\b")
_SECRET_FILE = re.compile(r"(^|/)\.env(\.\w+)?$|secret|credential|id_rsa|\.pem$|\.key$")
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|DATABASE_URL|DSN|CREDENTIAL", re.IGNORECASE)


@rule(
    "DB401",
    "kubectl with a namespace here and without one there: the command lands in whatever namespace is current.",
    "add -n NAMESPACE",
)
def namespace_missing(document: Document) -> Iterator[Hit]:
    uses = [
        (command, simple)
        for step, command, simple in document.simples()
        if simple.program in ("kubectl", "oc") and step.language  # what a sentence mentions is not yet typed
    ]
    has_some = any(_has_namespace(simple) for _, simple in uses)
    sets_it = any("set-context" in simple.arguments or "--namespace" in simple.arguments[:1] for _, simple in uses)
    for command, simple in uses if has_some and not sets_it else ():
        if _is_namespaced(simple) and not _has_namespace(simple):
            yield Hit(command.line, "no namespace, while others of this document name one", command.id)


def _has_namespace(simple: Simple) -> bool:
    words = _own(simple)
    return any(re.match(r"(-n|--namespace)(=|$)", word) or re.match(r"-n\w", word) for word in words) or bool(
        {"-A", "--all-namespaces"} & {*words}
    )


def _own(simple: Simple) -> list[str]:
    words = list(simple.arguments)
    return words[: words.index("--")] if "--" in words else words


def _is_namespaced(simple: Simple) -> bool:
    words = [word for word in _own(simple) if not word.startswith("-")]
    if not words or words[0] not in _ACTING:
        return False
    if words[0] == "cp":
        return not any(re.match(r"[\w.-]+/[\w.-]+:", word) for word in words)
    if words[0] in ("logs", "exec", "port-forward", "rollout", "scale"):
        return True
    kinds = {kind for word in words[1:3] for kind in re.split(r"[,/]", word)}
    return bool(kinds & _NAMESPACED)


@rule(
    "DB402",
    "A secret is printed: into the terminal, the chat, the incident's record.",
    "print names only (kubectl get secret -o name, describe), or test that a value is set without showing it",
)
def secret_printed(document: Document) -> Iterator[Hit]:
    for _, command, simple in document.simples():
        what = _printed(simple)
        if what:
            yield Hit(command.line, f"prints {what}", command.id)


def _printed(simple: Simple) -> str | None:
    words = simple.arguments
    names = [word for word in words if not word.startswith("-")]
    match simple.program:
        case "kubectl" | "oc":
            shows = re.search(r"(^| )(-o ?|--output[= ])(yaml|json|jsonpath|go-template|custom)", " ".join(words))
            is_secret = any(re.fullmatch(r"secrets?(/.*)?", word) for word in names[1:2])
            return "the values of a secret" if names[:1] == ["get"] and is_secret and shows else None
        case "printenv":
            return None if names and not _SECRET_NAME.search(names[0]) else "the environment"
        case "env":
            return "the environment" if not words and simple.inside else None
        case "echo":
            found = next(
                (word for word in words if re.search(r"\$\{?\w*", word) and _SECRET_NAME.search(_variables(word))), None
            )
            return f"{found}" if found else None
        case "node" | "python" | "python3" | "ruby":
            found = next((word for word in words if re.search(r"env", word) and _SECRET_NAME.search(word)), None)
            return "a variable that holds credentials" if found and re.search(r"print|log|puts", found) else None
        case "cat" | "less" | "more" | "head" | "tail":
            return next((word for word in names if _SECRET_FILE.search(word)), None)
        case "aws":
            return "a secret" if names[:2] == ["secretsmanager", "get-secret-value"] else None
        case "vault":
            return "a secret" if names[:2] in (["kv", "get"], ["read", "secret"]) else None
    return None


def _variables(word: str) -> str:
    return " ".join(re.findall(r"\$\{?(\w+)", word))


@rule(
    "DB403",
    "A command destroys data or kills, and nothing near it warns of that.",
    "say above it what is lost and when it is right",
)
def no_warning(document: Document) -> Iterator[Hit]:
    for _, command in document.runbook.commands():
        is_grave = command.effect is Effect.DESTROY and not _is_replaced(command.text)
        names_it = _NAMES_LOSS.search(document.heading(command)) is not None
        if is_grave and not names_it and not _WARNS.search(document.around(command)):
            yield Hit(command.line, "destroys, and nothing above it says what is lost", command.id)


def _is_replaced(text: str) -> bool:
    """True for what comes again by itself or is missed by nobody: a container, a pod, a log file, files under /tmp."""
    return _REPLACED.search(text) is not None and _FORCES.search(text) is None
