r"""Removes secrets from text before anything is written.

The shapes of issued tokens follow what their issuers document and what the rule sets of gitleaks and detect-secrets
agree on. Both of those find secrets in a repository: they work file by file, report instead of replace, and lean on
entropy, which fires on image digests and trace ids. A record of a run needs the opposite: replace in a stream, in
linear time, and leave ordinary output as it is. So the list below is our own.

Every pattern has bounded repeats and starts at a literal or at a boundary, which keeps the time linear whatever the
text. Where a value's end is in doubt, more is removed rather than less. One form is known to stay in part: a password
with spaces that follows ``NAME=`` without quotes, since there the rest of the line may just as well be a command.
"""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

__all__ = ["REDACTED", "Redactor", "is_kube_secret", "is_secret_name", "keeps_secrets_hidden"]

REDACTED = "[redacted]"
"""What stands where a secret was."""

_CHUNK = 4096
_DEEPEST = 40

_WORDS = r"pass(?:word|wd|phrase)|pwd|(?<=[_\-.])pass"
_NAME = (
    rf"(?:{_WORDS}|secret|token|credentials?"
    r"|(?:api|access|secret|private|account|shared|signing|encryption|master|storage|auth|service)[_\-.]?key)\d{0,3}"
)
_STEMS = ("pass", "pwd", "secret", "token", "credential", "key")
_AFTER_STEM = re.compile(r"((?i:word|wd|phrase|s)?\d{0,3})(\\{0,7}[\"'])?([ \t]{0,32}(?:=>|:=|[=:])[ \t]{0,64})")
_SECRET_NAME = re.compile(rf"(?i)[\w.\- ]*?{_NAME}")
_BARE = re.compile(r"(?:[^\s&;\"'`\\]|&(?![\w.%-]{1,64}=|[&\s]|$)|;(?![\s;]|$|[\w ]{1,40}=)|\\(?![nrt\"']))+")
_BARE_FIRST = re.compile(r"(?:[^\s&;]|&(?![&\s]|$)|;(?![\s;]|$))+")
_OPENING = re.compile(r"(\\{0,7})([\"'`])")
_GLUED = re.compile(r"(?:[^\s,;&|(){}\[\]<>:\"'`\\]|\\.|\"[^\"\n]*\"|'[^'\n]*')+")
_DONE = re.compile(r"\\{0,7}[\"'`]?\[redacted\]")
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LINE_LEAD = re.compile(r"[ \t+-]*(?:export[ \t]+)?[\"']?")
_LOOK_BACK = 100
_LONGEST_VALUE = 100_000
_QUOTED = {
    '"': re.compile(r'"(?:[^"\\\n]|\\[^\n])*(?:"|\\?(?=\n)|\\?\Z)'),
    "'": re.compile(r"'[^'\n]*(?:'|(?=\n)|\Z)"),
    "`": re.compile(r"`[^`\n]*(?:`|(?=\n)|\Z)"),
}
_HARMLESS = frozenset(
    re.split(
        " ",
        "true false null none nil yes no on off ~ enabled disabled empty set unset missing expired invalid required"
        " optional hidden masked",
    )
)
_PLACEHOLDER = re.compile(
    r"\*+|x{3,}|\.{3,}|\$\{?[A-Z_][A-Z0-9_]*\}?|\$\(.*|\$\{\{.*|\{\{.*|%[sdrv]|<[\w .:'/-]{1,80}>.*|\W{1,3}", re.DOTALL
)
_COUNT = re.compile(r"\d{1,5}(?:\.\d+)?(?:ms|s|m|h|d|%)?")
_FILE = re.compile(r"/[\w.-]+/[\w./-]+|[\w./-]+\.(?:pem|key|crt|txt|json|ya?ml|toml)")

_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|\$'[^'\n]*'|[^\s\"'|;&]+)+"
_ARGS = r"[^\n|;]{0,200}?"


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern whose group ``s`` (or the whole match) is a secret; tried only where one of the hints is near."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def _hide_group(match: re.Match[str]) -> str:
    group: int | str = "s" if "s" in match.re.groupindex else 0
    secret = match[group]
    # Some programs print what they want to hide as stars, and a document has placeholders: these are no secrets.
    if secret is None or secret.lstrip("=:").startswith(REDACTED) or _PLACEHOLDER.fullmatch(secret.strip("\"'")):
        return match[0]
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + REDACTED + match[0][end:]


def _rule(hints: str, pattern: str) -> _Rule:
    return _Rule(tuple(hints.split()), re.compile(pattern))


# A token begins at a boundary or after an escape that a JSON string left there (``\n``).
_AT = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"

_LINE_RULES = (
    _rule(
        "authorization",
        r"(?i)authorization\\{0,7}[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,7}[\"']?"
        r"(?:(?:bearer|basic|digest|token|negotiate|apikey|aws4-hmac-sha256)[ \t]+)?(?P<s>[^\s\"'\\][^\n\"'\\]*)",
    ),
    _rule("bearer ", r"(?i)\bbearer[ \t]{1,4}(?P<s>[\w.~+/-]{16,}={0,2})"),
    _rule("cookie:", r"(?i)\bcookie:[ \t]{0,8}(?P<s>[^\s\"'][^\n\"']*)"),
    _rule(
        "-pass -pwd -secret -token -key -apikey -accesskey",
        r"(?i)(?<![\w-])--(?:[a-z0-9]{1,20}-){0,4}"
        rf"(?:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|secret|auth)-?key)(?:[ \t]+|=)"
        rf"(?!-|id=|source=|src=)(?P<s>{_VALUE})",
    ),
    _rule("curl wget", rf"\b(?:curl|wget)\b{_ARGS}\s(?:-[a-zA-Z]{{0,6}}u|--(?:proxy-)?user)[ \t=]{{0,4}}"
          r"(?P<s>\"[^\"\n:]{0,100}:[^\"\n]+\"|'[^'\n:]{0,100}:[^'\n]+'|[^\s:\"'/-][^\s:\"'/]{0,100}:[^\s|;]+)"),
    _rule("mysql mariadb", rf"\b(?:mysql|mariadb)[\w-]{{0,20}}\b{_ARGS}\s-p(?P<s>{_VALUE})"),
    _rule("redis-cli", rf"\bredis-cli\b{_ARGS}\s(?:-a|--pass|AUTH|auth)[ \t]+(?P<s>{_VALUE})"),
    _rule("requirepass masterauth", rf"(?i)\b(?:requirepass|masterauth)[ \t]+(?P<s>{_VALUE})"),
    _rule("sshpass mongo", rf"\b(?:sshpass|mongo\w{{0,10}}){_ARGS}\s-p[ \t]{{0,4}}(?P<s>{_VALUE})"),
    _rule("login", rf"\b(?:docker|podman|nerdctl|skopeo|oc|az|registry)[ \t]login\b{_ARGS}\s-p[ \t]*(?P<s>{_VALUE})"),
    _rule("ldap", rf"\bldap\w{{1,10}}\b{_ARGS}\s-w[ \t]{{0,4}}(?P<s>{_VALUE})"),
    _rule("-pass", rf"\s-pass(?:in|out)?[ \t]+\"?'?pass:(?P<s>{_VALUE})"),
    _rule("identified by password", r"(?i)\b(?:identified[ \t]+by|password)[ \t]+'(?P<s>[^'\n]+)'"),
    _rule("</", rf"(?i)<[\w:.-]{{0,60}}?{_NAME}>(?P<s>[^<\n]+)</"),
    _rule("sig= signature=", r"(?i)[?&](?:x-amz-|x-goog-)?sig(?:nature)?=(?P<s>[\w%+/=.-]{8,})"),
    _rule("akia asia abia acca", _AT + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _rule("eyj", _AT + r"eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*){0,3}"),
    _rule("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", _AT + r"(?:gh[pousr]_[\w.-]{30,}|github_pat_\w{22,})"),
    _rule("glpat- glptt- gldt- glrt- glcbt- glft- glimt- glagent- gloas- glsoat- glffct-",
          _AT + r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|oas|soat|ffct)-[\w.-]{20,}"),
    _rule("xox xapp-", _AT + r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-[\w-]{10,}"),
    _rule("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[\w/+-]{8,})"),
    _rule("webhook.office.com", r"webhook\.office\.com/(?P<s>[\w/@%.-]{8,})"),
    _rule("/webhooks/", r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(?P<s>[\w/-]{16,})"),
    _rule("sk_ rk_ sk- hf_ npm_ pypi- sg. aiza ya29. dckr_ dop_v1_ shpat_ glsa_",
          _AT + r"(?:[sr]k_(?:live|test|prod)_\w{10,}|sk-(?:ant-|proj-)?[\w-]{20,}|hf_[A-Za-z]{30,60}|npm_\w{36}"
          r"|pypi-[\w-]{50,}|SG\.[\w-]{16,64}\.[\w-]{16,64}|AIza[\w-]{35}|ya29\.[\w-]{20,}|dckr_[po]at_[\w-]{20,64}"
          r"|dop_v1_[a-f0-9]{64}|shpat_[a-fA-F0-9]{32}|glsa_\w{32,64})"),
    _rule("hvs. hvb. swmtkn- age-secret-key-",
          _AT + r"(?:hv[sb]\.[\w-]{20,}|SWMTKN-1-[\w-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{50,70})"),
)  # fmt: skip

_URL = re.compile(r"://((?:[^\s\"'`\\]|\\(?![nrt\"'\\]))+)")
_BLOCK_SCALAR = re.compile(
    rf"(?im)^([ \t]{{0,200}})((?:- )?[\"']?[\w.-]{{0,80}}?{_NAME}[\"']?:[ \t]*[|>][+-]?\d?[ \t]*\n)"
    r"((?:\1[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)"
)
_NAME_VALUE = re.compile(
    rf"(?i)(\bname\\{{0,7}}[\"']?:[ \t]*\\{{0,7}}[\"']?[\w.-]{{0,80}}?{_NAME}\\{{0,7}}[\"']?,?\s{{1,200}}"
    r"\\{0,7}[\"']?"
    r"value\\{0,7}[\"']?:[ \t]*\\{0,7}[\"']?)(?!\[redacted\])([^\s\"'\\][^\n\"'\\]*)"
)
_IS_SECRET = re.compile(
    r"(?m)^[ \t]{0,200}(?:- )?kind:[ \t]*Secret(?:List)?[ \t]*$"
    r"|\"kind\\{0,7}\":[ \t]{0,8}\\{0,7}\"Secret(?:List)?\\{0,7}\""
)
_SECRET_YAML = re.compile(
    r"(?m)^([ \t]{0,200})((?:- )?(?:data|stringData):[ \t]*\n)((?:\1[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)"
)
_SECRET_JSON = re.compile(r"(\"(?:data|stringData)\\{0,7}\":[ \t]{0,8}\{)([^{}]{1,200000})(?=\})")
_JSON_VALUE = re.compile(r"(:\s{0,64})(\\{0,7}\")((?:[^\"\\]|\\[^\"])*)(\\{0,7}\")")
_LOOKS = 4
"""At most, at a text with a key: a value that is hidden may take the key's first or last line with it."""
_KEY_MARKER = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = re.compile(r"\s*(?:[A-Za-z0-9+/=\\]*|[\w-]{1,20}: [^\n]{0,100})\s*")
_LONGEST_KEY = 20_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is a secret: ``DB_PASSWORD``, ``apiKey``, ``client-secret``; not ``PWD``."""
    return len(name) <= 200 and name not in {"PWD", "OLDPWD"} and bool(_SECRET_NAME.fullmatch(name))


def is_kube_secret(word: str) -> bool:
    """Tell whether an argument of kubectl means Secrets: ``secret``, ``cm,secrets``, ``secret/db``."""
    return bool(re.search(r"(^|,)secrets?($|[,/.])", word))


def keeps_secrets_hidden(form: str, *, is_cut: bool = False) -> bool:
    """Tell whether no value is left in what ``kubectl get secret -o FORM`` prints, once it is cleaned.

    A whole object is hidden value by value; of a part of it (``is_cut``, another form) nothing says what it is.
    """
    return form in ("name", "wide") or (not is_cut and form in ("yaml", "json"))


class Redactor:
    """Replaces secrets by ``[redacted]``, in text and in whatever becomes JSON.

    Args:
        extra: Secrets that are known by value; they go wherever they stand, also URL-quoted or in base64.
            Those of fewer than four characters are not looked for: too much else looks like them.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        known: set[str] = set()
        for secret in extra:
            if len(secret) >= 4 and secret not in REDACTED:
                plain = secret.encode("utf-8", "surrogatepass")
                known |= {secret, quote(plain, safe=""), base64.b64encode(plain).decode(), json.dumps(secret)[1:-1]}
        ordered = sorted(known, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def clean(self, text: str) -> str:
        """Return the text without secrets; what is clean already stays as it is.

        Lone surrogates, which no file can hold, become U+FFFD.
        """
        if not text.isascii():
            text = _SURROGATE.sub("\ufffd", text)
        for _ in range(_LOOKS):
            before, text = text, self._clean_once(text)
            if text == before or "PRIVATE KEY" not in text:
                break
        return text

    def _clean_once(self, text: str) -> str:
        if self._known:
            text = self._known.sub(REDACTED, text)
        text = _hide_blocks(text)
        return "".join(map(_clean_lines, _chunks(text)))

    def clean_json(self, value: Any) -> Any:
        """Return a JSON value without secrets, whatever came in.

        Mappings, dataclasses, sequences and sets are walked, keys too; a value under a secret's name is a secret.
        Bytes are read as UTF-8, paths and times become text, NaN and the infinities become strings.
        """
        return self._json(value, 0)

    def _json(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.clean(str(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return self.clean(bytes(value).decode("utf-8", "replace"))
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if depth >= _DEEPEST:
            return self.clean(f"<{type(value).__name__} below the depth of {_DEEPEST}>")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, Iterable):
            return [self._json(each, depth + 1) for each in value]
        return self.clean(str(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        hidden = _hidden_fields(value)
        for key, each in value.items():
            name = self.clean(_as_text(key))
            if isinstance(each, str | bytes | int) and (key in hidden or _is_secret_value(_as_text(key), each)):
                clean[name] = REDACTED if each else each
            elif key in hidden and isinstance(each, Mapping):
                clean[name] = {self.clean(_as_text(inner)): REDACTED for inner in each}
            else:
                clean[name] = self._json(each, depth + 1)
        return clean


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _hidden_fields(value: Mapping[Any, Any]) -> frozenset[str]:
    """Return the fields whose value is a secret because of what another field says."""
    if value.get("kind") == "Secret":
        return frozenset({"data", "stringData"})
    name = value.get("name", value.get("key"))
    if isinstance(name, str) and is_secret_name(re.split(r"[/=]", name)[-1]):
        return frozenset({"value", "before", "after"})
    return frozenset()


def _is_secret_value(name: str, value: str | bytes | int) -> bool:
    if isinstance(value, bool) or not is_secret_name(name):
        return False
    return not _is_harmless(name, _as_text(value))


def _chunks(text: str) -> Iterator[str]:
    """Yield the text in pieces of whole lines, so that a rule looks only near its hints."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _CHUNK) + 1 or len(text)
        yield text[start:end]
        start = end


def _clean_lines(chunk: str) -> str:
    lower = chunk.lower()
    for rule in _LINE_RULES:
        if any(hint in lower for hint in rule.hints):
            chunk = rule.pattern.sub(_hide_group, chunk)
    if "://" in lower:
        chunk = _URL.sub(_hide_credentials, chunk)
    return _hide_named(chunk, _lower(chunk)) if any(stem in lower for stem in _STEMS) else chunk


def _lower(text: str) -> str:
    """Return the text in lower case, character by character: only U+0130 would become two."""
    return text.replace("\u0130", "i").lower()


def _hide_credentials(match: re.Match[str]) -> str:
    """Hide what stands between the scheme and the host, whatever characters the password has."""
    rest = match[1]
    at = re.split(r"[/?#]", rest, maxsplit=1)[0].rfind("@")
    if at < 0:
        user, colon, tail = rest.partition(":")
        # `host:8080/a@b` has a port, `user:p/w@host` a password with a slash.
        if not colon or re.search(r"[/?#@\[]", user) or re.match(r"\d{0,5}(?:[/?#<>,;)]|$)", tail) or "@" not in tail:
            return match[0]
        at = rest.rfind("@")
    user, colon, password = rest[:at].partition(":")
    if not colon:
        return match[0] if len(user) < 20 or _PLACEHOLDER.fullmatch(user) else f"://{REDACTED}{rest[at:]}"
    if not password or password == REDACTED or _PLACEHOLDER.fullmatch(password):
        return match[0]
    return f"://{user}:{REDACTED}{rest[at:]}"


def _hide_named(text: str, lower: str) -> str:
    """Hide the values of ``NAME=value``, ``name: value``, ``"name": "value"`` where the name is a secret's."""
    pieces: list[str] = []
    done = 0
    for stem in sorted(_stems(lower)):
        after = _AFTER_STEM.match(text, stem[1]) if stem[0] >= done else None
        start, end = _value_span(text, stem[0], after) if after else (0, 0)
        if end > start:
            pieces += [text[done:start], REDACTED]
            done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _stems(lower: str) -> Iterator[tuple[int, int]]:
    """Yield where a secret's name can be; plain searches are ten times as fast as one pattern."""
    for stem in _STEMS:
        at = lower.find(stem)
        while at >= 0:
            yield at, at + len(stem)
            at = lower.find(stem, at + len(stem))


def _value_span(text: str, stem: int, after: re.Match[str]) -> tuple[int, int]:
    """Return where the secret stands, or an empty span where there is none.

    Args:
        text: Where all this is found.
        stem: Where the stem of a secret's name begins.
        after: The rest of the name, a closing quote or None, and the separator.
    """
    start = after.end()
    nothing = (start, start)
    if _DONE.match(text, start):
        return nothing
    before = text[max(0, stem - _LOOK_BACK) : stem]
    lead = before.rstrip(_NAME_CHARS)
    name = before[len(lead) :] + text[stem : after.end(1)]
    if not is_secret_name(name):
        return nothing
    is_first = ("\n" in lead or stem <= _LOOK_BACK) and bool(_LINE_LEAD.fullmatch(lead.rpartition("\n")[2]))
    opening = _OPENING.match(text, start)
    if opening:
        start, end = _quoted(text, opening)
    elif lead[-1:] in {'"', "'"} and not after[2]:
        end = _until(text, start, lead[-1])
    elif is_first and after[3][-1] in " \t":
        end = start + len(text[start : _line_end(text, start)].rstrip())
    else:
        bare = (_BARE_FIRST if is_first and not after[2] else _BARE).match(text, start)
        end = start + len(bare[0].rstrip(",)}]")) if bare else start
    value = text[start:end]
    is_prose = after[3].strip() == ":" and after[3] != ":" and not (is_first or after[2] or opening)
    if _is_harmless(name, value) or (is_prose and not _is_password(name) and not _looks_issued(value)):
        return nothing
    return start, end


def _quoted(text: str, opening: re.Match[str]) -> tuple[int, int]:
    """Return the span between two quotes; in a shell word, what is glued to them too."""
    start = opening.end()
    if opening[1]:
        return start, _until(text, start, opening[0])
    end = _QUOTED[opening[2]].match(text, start - 1).end()  # type: ignore[union-attr]
    closed = end - 1 >= start and text[end - 1] == opening[2]
    glued = _GLUED.match(text, end) if closed else None
    if glued:
        return start - 1, glued.end()
    return start, end - 1 if closed else end


def _until(text: str, start: int, close: str) -> int:
    line_end = _line_end(text, start)
    found = text.find(close, start, line_end)
    return line_end if found < 0 else found


def _line_end(text: str, start: int) -> int:
    found = text.find("\n", start, start + _LONGEST_VALUE)
    return min(len(text), start + _LONGEST_VALUE) if found < 0 else found


def _is_password(name: str) -> bool:
    return bool(re.search(r"(?i)pass(?:word|wd|phrase)|pwd", name))


def _is_harmless(name: str, value: str) -> bool:
    """Tell whether a value under a secret's name is a state, a placeholder, a count or a file's name."""
    if not value or value.startswith(REDACTED) or name in {"PWD", "OLDPWD"}:
        return True
    bare = value.strip("\"'")
    if bare.lower() in _HARMLESS or (len(bare) <= 200 and _PLACEHOLDER.fullmatch(bare)):
        return True
    if name.lower() == "pwd" and bare[:1] in {"/", "~"}:
        return True
    return not _is_password(name) and len(bare) <= 200 and bool(_COUNT.fullmatch(bare) or _FILE.fullmatch(bare))


def _looks_issued(value: str) -> bool:
    has_both = bool(re.search(r"\d", value[:200]) and re.search(r"[A-Za-z]", value[:200]))
    return len(value) >= 20 or (len(value) >= 8 and has_both)


def _hide_blocks(text: str) -> str:
    """Hide what spans lines: private keys, YAML block scalars, Kubernetes Secrets, name and value pairs."""
    if "PRIVATE KEY" in text:
        text = _hide_keys(text)
    if "Secret" in text and _IS_SECRET.search(text):
        parts = re.split(r"(?m)(^---[ \t]*\n)", text)
        text = "".join(_hide_kube_secret(part) if _IS_SECRET.search(part) else part for part in parts)
    if ": |" in text or ": >" in text:
        text = _BLOCK_SCALAR.sub(_hide_block, text)
    if "value" in text:
        text = _NAME_VALUE.sub(_hide_pair, text)
    return text


def _hide_pair(match: re.Match[str]) -> str:
    return match[0] if _is_harmless("", match[2]) else match[1] + REDACTED


def _hide_block(match: re.Match[str]) -> str:
    """Replace the lines of a block scalar; as many lines stay, so that line numbers do."""
    lines = match[3].splitlines(keepends=True)
    return match[1] + match[2] + "".join(_hide_line(line) for line in lines)


def _hide_line(line: str) -> str:
    text = line.strip()
    return line.replace(text, REDACTED) if text else line


def _hide_kube_secret(text: str) -> str:
    text = _SECRET_YAML.sub(
        lambda found: found[1] + found[2] + "".join(map(_hide_entry, found[3].splitlines(keepends=True))), text
    )
    return _SECRET_JSON.sub(lambda found: found[1] + _JSON_VALUE.sub(rf"\1\2{REDACTED}\4", found[2]), text)


def _hide_entry(line: str) -> str:
    entry = re.match(r"([ \t]*[\w.\-]{1,253}:(?:[ \t]+|$))", line)
    if not entry:
        return _hide_line(line)
    value = line[entry.end() :].strip()
    return entry[1] + REDACTED + line[len(line.rstrip()) :] if value and value not in {"|", ">", "|-", ">-"} else line


def _hide_keys(text: str) -> str:
    """Hide the inside of private keys, also where a cut took their first or last line."""
    pieces: list[str] = []
    done = 0
    is_open = False
    for marker in _KEY_MARKER.finditer(text):
        inside = text[done : marker.start()]
        is_end = marker[1] == "END"
        if is_open and not (is_end and len(inside) <= _LONGEST_KEY):
            inside = _hide_key_lines(inside)
        elif is_open:
            inside = REDACTED
        elif is_end:
            inside = _hide_key_lines(inside, from_end=True)
        pieces += [inside, marker[0]]
        done = marker.end()
        is_open = not is_end
    rest = text[done:]
    return "".join(pieces) + (_hide_key_lines(rest) if is_open else rest)


def _hide_key_lines(text: str, *, from_end: bool = False) -> str:
    """Hide the lines at one end of a text that can belong to a key's body."""
    lines = text.split("\n")
    towards = lines[::-1] if from_end else lines
    count = 0
    # What shares a line with the marker is always hidden; a line with spaces in it is no key's.
    while count < len(towards) and (count == 0 or _KEY_LINE.fullmatch(towards[count])):
        count += 1
    if not "".join(towards[:count]).strip():
        return text
    kept = lines[:-count] if from_end else lines[count:]
    return "\n".join([*kept, REDACTED] if from_end else [REDACTED, *kept])
