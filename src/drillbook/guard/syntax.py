"""The walk over the syntax tree: constructs, redirections, words, and programs that run other commands."""

import re
from collections.abc import Callable, Collection, Sequence

from tree_sitter import Node

from drillbook.guard.options import DYNAMIC, Refusal, Spec, options
from drillbook.guard.programs import ENVIRONMENT, HARMLESS, RULES
from drillbook.shell import Word, parse, walk, word_of

__all__ = ["refusal"]

_MAX_DEPTH = 6
_MAX_LENGTH = 20_000
_GROUPS = frozenset(
    "program list pipeline subshell compound_statement negated_command if_statement elif_clause else_clause "
    "while_statement do_group".split()
)
_PARTS_OF_WORDS = frozenset("word string string_content raw_string number concatenation".split())
_PARTS_OF_TESTS = _PARTS_OF_WORDS | frozenset(
    "test_operator unary_expression binary_expression parenthesized_expression regex extglob_pattern".split()
)
_OWN_VARIABLE = re.compile(r"[a-z_][a-z0-9_]*")
_SYSTEM_FOLDER = re.compile(r"/(?:usr/)?(?:local/)?s?bin/[\w.+-]+")
_FREE_WORDS = frozenset({"echo", "printf", "test", "["})
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_SHELLS_C = frozenset({"-c", "-ec", "-euc", "-eu"})


def refusal(text: str, *, vouched: Collection[str] = ()) -> str | None:
    """Return why a command is not known to only read, or None where it is.

    Args:
        text: Shell text.
        vouched: Commands that the target's file vouches for (``reads = [ids]``), as they would run.
    """
    if text in vouched:
        return None
    try:
        _check_script(text, 0)
    except Refusal as reason:
        return str(reason)
    return None


def _check_script(text: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Refusal("commands are nested too deeply to look into")
    if len(text) > _MAX_LENGTH:
        raise Refusal(f"a command of {len(text)} characters is too long to look into")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ufffd]", text):
        raise Refusal("it holds control characters")
    if re.search(r"(?<![ \t])\\\n", text):
        raise Refusal("a line is continued in the middle of a word")
    source = text.encode("utf-8", "replace")
    root = parse(source)
    if root.has_error:
        raise Refusal("it cannot be parsed as shell text")
    _check_cover(source, root)
    _check(source, root, depth)


def _check_cover(source: bytes, root: Node) -> None:
    """Refuse text that the grammar read over without making it part of the tree."""
    at = 0
    for node in walk(root):
        opaque = node.type in ("string", "raw_string", "comment", "regex")
        if not opaque and node.children:
            continue
        if node.start_byte > at and source[at : node.start_byte].replace(b"\\\n", b"").strip(b" \t\n"):
            raise Refusal(f"{source[at : node.start_byte].decode('utf-8', 'replace').strip()!r} is not understood")
        at = max(at, node.end_byte)
    if source[at:].strip(b" \t\n"):
        raise Refusal("its end is not understood")


def _check(source: bytes, node: Node, depth: int) -> None:
    kind = node.type
    if kind in _GROUPS:
        _check_group(source, node, depth)
    elif kind == "comment":
        if b"\n" in (node.text or b""):
            raise Refusal("a comment goes over several lines")
    elif kind == "command":
        _check_command(source, node, depth)
    elif kind == "redirected_statement":
        _check_redirected(source, node, depth)
    elif kind == "test_command":
        _check_test(source, node, depth)
    elif kind == "for_statement":
        _check_for(source, node, depth)
    elif kind in ("variable_assignment", "variable_assignments"):
        for assignment in [node] if kind == "variable_assignment" else node.named_children:
            _check_assignment(source, assignment, depth, _OWN_VARIABLE.fullmatch)
    else:
        raise Refusal(f"{_show(source, node)} is not known to only read ({kind.replace('_', ' ')})")


def _check_group(source: bytes, node: Node, depth: int) -> None:
    for child in node.children:
        if child.type == "&":
            raise Refusal("it leaves a command running in the background")
        if child.is_named:
            _check(source, child, depth)


def _check_for(source: bytes, node: Node, depth: int) -> None:
    if node.children[0].type != "for":
        raise Refusal("select asks a person")
    for child in node.named_children:
        if child.type == "variable_name":
            if not _OWN_VARIABLE.fullmatch(_text(source, child)) or _text(source, child).endswith("_proxy"):
                raise Refusal(f"a loop sets {_text(source, child)}")
        elif child.type in ("do_group", "compound_statement"):
            _check(source, child, depth)
        else:
            _check_parts(source, child, depth, _PARTS_OF_WORDS)


def _check_assignment(source: bytes, node: Node, depth: int, allowed: Callable[[str], object]) -> None:
    if node.type != "variable_assignment":
        raise Refusal(f"{_show(source, node)} is not known to only read")
    name, *values = node.named_children
    text = _text(source, name)
    if name.type != "variable_name" or not allowed(text) or text.endswith("_proxy"):
        raise Refusal(f"it sets {text}, which can change what programs do")
    for value in values:
        _check_parts(source, value, depth, _PARTS_OF_WORDS)


def _check_redirected(source: bytes, node: Node, depth: int) -> None:
    if _is_port_probe(source, node):
        return
    for child in node.named_children:
        if child.type.endswith("_redirect"):
            _check_redirect(source, child, depth)
        else:
            _check(source, child, depth)


def _is_port_probe(source: bytes, node: Node) -> bool:
    """True for ``cat < /dev/null > /dev/tcp/HOST/PORT``, which asks whether a port answers and sends nothing."""
    text = " ".join(_text(source, node).split())
    return re.fullmatch(r"cat < ?/dev/null > ?/dev/tcp/[\w.:-]+/\d{1,5}", text) is not None


def _check_redirect(source: bytes, node: Node, depth: int) -> None:
    shown = _show(source, node)
    if node.type != "file_redirect":
        raise Refusal(f"{shown} feeds text to a command, which is not looked into")
    operator = next((child.type for child in node.children if not child.is_named), "")
    targets = [child for child in node.named_children if child.type != "file_descriptor"]
    if len(targets) > 1:
        raise Refusal(f"{shown}: words follow a redirection")
    target = word_of(source, targets[0]).value if targets else "-"
    if operator in (">&", "<&", ">&-", "<&-"):
        if not re.fullmatch(r"\d|-", target or ""):
            raise Refusal(f"{shown} writes to a file")
    elif operator == "<":
        if target is None or (target.startswith("/dev/") and target != "/dev/null"):
            raise Refusal(f"{shown} reads from what is not known")
    elif operator not in (">", ">>", "&>", "&>>", ">|") or target != "/dev/null":
        raise Refusal(f"{shown} writes to a file")


def _check_test(source: bytes, node: Node, depth: int) -> None:
    double = node.children[0].type == "[["
    if node.children[0].type not in ("[", "[["):
        raise Refusal(f"{_show(source, node)} computes, which can run commands")
    for found in walk(node):
        operator = _text(source, found)
        if found.type == "test_operator" and operator in ("-v", "-R"):
            raise Refusal(f"a test with {operator} can run commands")
        is_arithmetic = found.type == "binary_expression" and any(
            _text(source, child) in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge") for child in found.children
        )
        if double and is_arithmetic:
            operands = [child for child in found.named_children if child.type != "test_operator"]
            if not all(re.fullmatch(r"\d+|\$[?#]", _text(source, operand)) for operand in operands):
                raise Refusal("[[ … ]] computes with what is not a number, which can run commands")
        is_bare = found.type in ("simple_expansion", "expansion", "command_substitution") and (
            found.parent is None or found.parent.type != "string"
        )
        if not double and is_bare and not re.fullmatch(r"\$[?#$]", operator):
            raise Refusal(f"{operator} can become several words of the test; quote it")
    for child in node.named_children:
        _check_parts(source, child, depth, _PARTS_OF_TESTS)


def _check_parts(source: bytes, node: Node, depth: int, allowed: frozenset[str]) -> None:
    """Look into a word: what it expands to may be anything, but expanding it must only read."""
    kind = node.type
    if kind == "simple_expansion":
        return
    if kind == "brace_expression" and re.fullmatch(r"\{\d+\.\.\d+\}", _text(source, node)):
        return
    if kind == "expansion":
        if not re.fullmatch(r"\$\{\w+\}", _text(source, node)):
            raise Refusal(f"{_show(source, node)} can set variables or run commands")
        return
    if kind == "command_substitution":
        if b"\\" in (node.text or b"") and (node.text or b"").startswith(b"`"):
            raise Refusal("backslashes in backquotes are not looked into")
        for child in node.named_children:
            if child.type == "file_redirect":
                _check_redirect(source, child, depth)
            else:
                _check(source, child, depth)
        return
    if kind not in allowed and node.is_named:
        raise Refusal(f"{_show(source, node)} is not looked into ({kind.replace('_', ' ')})")
    for child in node.named_children:
        _check_parts(source, child, depth, allowed)


def _check_command(source: bytes, node: Node, depth: int) -> None:
    words: list[Word] = []
    for child in node.named_children:
        if child.type == "variable_assignment":
            _check_assignment(source, child, depth, ENVIRONMENT.fullmatch)
        elif child.type.endswith("_redirect"):
            _check_redirect(source, child, depth)
        else:
            inner = child.named_children[0] if child.type == "command_name" and child.named_children else child
            _check_parts(source, inner, depth, _PARTS_OF_WORDS)
            words.append(word_of(source, inner))
    _check_words(words, depth)


def _check_words(words: Sequence[Word], depth: int) -> None:
    """Judge a program and its arguments."""
    if depth > _MAX_DEPTH:
        raise Refusal("commands are nested too deeply to look into")
    if not words:
        raise Refusal("it runs nothing that is known")
    name = words[0].value
    if not name:
        raise Refusal(f"{words[0].text} is not known before it runs")
    program = name
    if "/" in name:
        if not _SYSTEM_FOLDER.fullmatch(name):
            raise Refusal(f"{name} is no program of the system")
        program = name.rpartition("/")[2]
    if program in ("test", "[") and any(word.splits and word.text != "$?" for word in words):
        raise Refusal(f"an argument of {program} can become several words; quote it")
    arguments = [_argument(word, free=program in _FREE_WORDS) for word in words[1:]]
    if program in _RUNNERS:
        _RUNNERS[program](program, list(words[1:]), arguments, depth)
    elif program in RULES:
        RULES[program](program, arguments)
    elif program not in HARMLESS:
        raise Refusal(f"{program} is not known to only read")


def _argument(word: Word, *, free: bool) -> str:
    if free:
        return word.value if word.value is not None else DYNAMIC
    if word.value is not None and not re.match(r"[*?\[]|[@!+]\(", word.text):
        return word.value
    if word.value is not None and word.text == "[":
        return word.value
    if word.splits or not word.prefix or word.prefix.startswith("-") or word.value is not None:
        if re.fullmatch(r'"?\$[?#$]"?', word.text):
            return "0"
        raise Refusal(f"{word.text} is not known before it runs")
    return word.prefix + DYNAMIC


def _run_shell(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    at = 0
    while at < len(arguments) and arguments[at : at + 2] == ["-o", "pipefail"]:
        at += 2
    if at < len(arguments) and arguments[at] == "-eu" and arguments[at + 1 : at + 3] == ["-o", "pipefail"]:
        at += 3
    if at + 1 >= len(arguments) or arguments[at] not in _SHELLS_C or arguments[at] == "-eu":
        raise Refusal(f"{program} runs what is not in the command")
    if DYNAMIC in arguments[at + 1]:
        raise Refusal(f"the script that {program} runs is not known before it runs")
    _check_script(arguments[at + 1], depth + 1)


def _run_after(spec: Spec, skip: int = 0) -> Callable[[str, list[Word], list[str], int], None]:
    """Return a rule for a program that runs the words behind its own options and operands."""

    def rule(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
        found, rest = options(program, arguments, spec, stop_at_operand=True)
        _check_environment(program, found)
        while spec.assignments and rest and re.match(r"\w+=", rest[0]):
            _check_variable(rest.pop(0).partition("=")[0])
        if any(DYNAMIC in word for word in rest[:skip]):
            raise Refusal(f"what {program} runs in is not known before it runs")
        inner = words[len(words) - len(rest) + skip :]
        if not inner:
            if program == "env":
                return
            raise Refusal(f"{program} without a command opens a shell or waits for one")
        if len(rest) > skip and rest[skip] == "--":
            inner = inner[1:]
        _check_words(inner, depth + 1)

    return rule


def _check_environment(program: str, found: Sequence[tuple[str, str | None]]) -> None:
    for option, value in found:
        if option in ("-e", "--env"):
            _check_variable((value or "").partition("=")[0])


def _check_variable(name: str) -> None:
    if not ENVIRONMENT.fullmatch(name):
        raise Refusal(f"it sets {name}, which can change what programs do")


def _run_xargs(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    _, rest = options(program, arguments, Spec(flags="r0tx", valued="nPLIds", numbers=False), stop_at_operand=True)
    runs = rest[0] if rest else "echo"
    if runs not in HARMLESS:
        raise Refusal(f"xargs gives {runs} arguments that are not known before it runs")


def _run_ssh(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    spec = Spec(flags="nTq46", valued="plo")
    found, rest = options(program, arguments, spec, stop_at_operand=True)
    for option, value in found:
        if option == "-o" and not re.fullmatch(r"(BatchMode|ConnectTimeout|ServerAlive\w+)[= ]\w+", value or ""):
            raise Refusal(f"ssh -o {value} is not known to only read")
    if len(rest) < 2 or DYNAMIC in "".join(rest):
        raise Refusal("ssh without a known host and command opens a shell")
    _check_script(" ".join(rest[1:]), depth + 1)


def _run_docker(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    verb = arguments[0] if arguments else ""
    if verb == "compose":
        _run_compose("docker compose", words[1:], arguments[1:], depth)
    elif verb == "exec" or arguments[:2] == ["container", "exec"]:
        at = 1 if verb == "exec" else 2
        spec = Spec(flags="it", valued="uwe", long="interactive tty", long_valued="user workdir env")
        _run_after(spec, skip=1)("docker exec", words[at:], arguments[at:], depth)
    else:
        RULES["docker"](program, arguments)


def _run_compose(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    spec = Spec(valued="fp", long_valued="file project-name profile project-directory")
    _, rest = options(program, arguments, spec, stop_at_operand=True)
    inner = words[len(words) - len(rest) :]
    if rest[:1] == ["exec"]:
        spec = Spec(flags="Tit", valued="uwe", long="no-TTY interactive", long_valued="user workdir env index")
        _run_after(spec, skip=1)(f"{program} exec", inner[1:], rest[1:], depth)
    else:
        RULES["docker-compose"](program, rest)


def _run_kubectl(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    names = Spec(valued="n", long_valued="namespace context")
    _, rest = options(program, arguments, names, stop_at_operand=True)
    if rest[:1] != ["exec"]:
        RULES["kubectl"](program, rest)
        return
    if "--" not in rest:
        raise Refusal("kubectl exec without -- is not looked into")
    at = rest.index("--")
    spec = Spec(
        flags="itq", valued="nc", long="stdin tty quiet", long_valued="namespace container context pod-running-timeout"
    )
    _, operands = options("kubectl exec", rest[1:at], spec)
    if len(operands) != 1:
        raise Refusal(f"kubectl exec expected one pod before --, got {operands}")
    _check_words(words[len(words) - len(rest) + at + 1 :], depth + 1)


def _run_command(program: str, words: list[Word], arguments: list[str], depth: int) -> None:
    if arguments[:1] in (["-v"], ["-V"]):
        return
    if arguments and arguments[0].startswith("-"):
        raise Refusal(f"command {arguments[0]} is not known to only read")
    _check_words(words, depth + 1)


_RUNNERS: dict[str, Callable[[str, list[Word], list[str], int], None]] = {
    **dict.fromkeys(_SHELLS, _run_shell),
    "sudo": _run_after(
        Spec(flags="nEH", valued="ug", long="non-interactive", long_valued="user group", assignments=True)
    ),
    "env": _run_after(Spec(flags="i0", valued="u", long="null ignore-environment", assignments=True)),
    "timeout": _run_after(
        Spec(valued="ks", long="preserve-status foreground", long_valued="kill-after signal"), skip=1
    ),
    "nice": _run_after(Spec(valued="n")),
    "time": _run_after(Spec(flags="p")),
    "xargs": _run_xargs,
    "ssh": _run_ssh,
    "docker": _run_docker,
    "podman": _run_docker,
    "docker-compose": _run_compose,
    "kubectl": _run_kubectl,
    "command": _run_command,
}


def _text(source: bytes, node: Node) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _show(source: bytes, node: Node) -> str:
    text = " ".join(_text(source, node).split())
    return text if len(text) <= 60 else f"{text[:57]}…"
