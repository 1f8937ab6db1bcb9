"""SQL that only reads, as far as its text tells; what calls a function that is not listed is refused."""

import re

__all__ = ["refuse_sql"]

_STARTS = re.compile(r"(?:select|show|explain|table|values|with)\b", re.IGNORECASE)
_META = re.compile(r"\\(?:l|d[a-z]*|conninfo|dn|du)\+?(?:\s+[\w.*]+)?")
_CHANGING = re.compile(
    r"\b(?:insert|update|delete|merge|replace|create|drop|alter|truncate|grant|revoke|copy|call|do|set|lock|vacuum|reindex|"
    r"cluster|into|execute|prepare|perform|listen|notify|refresh|import|load|analyze|analyse|begin|commit|rollback|handler|"
    r"outfile|dumpfile|shutdown|kill|flush|purge|reset|install|share|next\s+value)\b",
    re.IGNORECASE,
)
_BEFORE_A_BRACKET = frozenset(
    "in and or not any all some exists where from as over values on select filter using join having case when "
    "then else "
    "interval between by limit within with union except intersect like is distinct array row left right inner "
    "count sum min "
    "max avg now version current_database current_setting current_schema pg_size_pretty pg_database_size pg_table_size "
    "pg_total_relation_size pg_relation_size pg_indexes_size pg_is_in_recovery pg_last_wal_receive_lsn "
    "pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_wal_lsn_diff pg_current_wal_lsn pg_blocking_pids "
    "pg_postmaster_start_time pg_backend_pid coalesce round extract age date_trunc lower upper length substring substr "
    "to_char array_agg string_agg nullif greatest least abs date concat ifnull timestampdiff numeric varchar "
    "decimal".split()
)


def refuse_sql(text: str) -> str | None:
    """Return why SQL is not known to only read, or None where it is.

    Args:
        text: One or more statements, or one of psql's commands that describe things.
    """
    if _META.fullmatch(text.strip()):
        return None
    if re.search(r"[^\t\n -~]|\\|\$|--|/\*|#|`", text):
        return "comments, escapes and dollar quotes in SQL are not looked into"
    # One scan for both kinds, as a quote within the other kind is none; a name or a string does nothing.
    plain = re.sub(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""", lambda found: found[0][0] * 2, text)
    if re.search(r"""['"]""", plain.replace("''", "").replace('""', "")):
        return "a quote in the SQL is not closed"
    for statement in plain.split(";"):
        if statement.strip() and not _STARTS.match(statement.strip()):
            return f"{statement.strip().split()[0]} is not known to only read"
    changing = _CHANGING.search(plain)
    if changing:
        return f"{changing[0]} is not known to only read"
    if re.search(r'"\s*\(', plain):
        return "a function with a quoted name is not known to only read"
    for name in re.findall(r"([A-Za-z_][\w.]*)\s*\(", plain):
        if name.lower().removeprefix("pg_catalog.") not in _BEFORE_A_BRACKET:
            return f"the function {name} is not known to only read"
    return None
