"""Whether what a command left behind is what it should be: exit status and output, without knowing the system."""

import re

from drillbook.commands import pipelines
from drillbook.expectations import quoted

__all__ = ["judge_output"]

_FINDERS = frozenset("grep egrep fgrep zgrep rg diff cmp pgrep lsof which test [".split())
_SHOWS_RECORDS = frozenset("journalctl dmesg tail cat less head history git".split())
_CANNOT_RUN = {126: "it could not be run", 127: "a program was not there"}
_COMPLAINTS = re.compile(
    r"command not found|No such file or directory|Permission denied|NOAUTH|unknown shorthand flag|unrecognized option|"
    r"invalid option|Could not resolve host|no such (service|container)|Error response from daemon|"
    r"^(ERROR|fatal):|^(\(error\) )?(ERR|LOADING|WRONGTYPE|MISCONF|READONLY)\b",
    re.IGNORECASE,
)


def judge_output(text: str, exit_status: int, stdout: str, stderr: str, expects: str = "") -> str:
    """Return what is wrong with a command that ran on a system that is well; empty where nothing is.

    Args:
        text: The command.
        exit_status: What it ended with. 1 is fine where a search is the last to speak: it found nothing.
        stdout: What it printed.
        stderr: What it complained of.
        expects: What the document says should come back: a status code, or words in quotes or braces.
    """
    if exit_status in _CANNOT_RUN:
        return f"exit status {exit_status}: {_CANNOT_RUN[exit_status]}"
    if exit_status and not (exit_status == 1 and _searches(text) and not stderr.strip()):
        return f"exit status {exit_status}" + (f": {stderr.strip().splitlines()[-1][:200]}" if stderr.strip() else "")
    own = stderr.splitlines() + ([] if _prints_what_others_said(text) else stdout.splitlines())
    complaint = next((line.strip() for line in own if _COMPLAINTS.search(line.strip())), None)
    if complaint:
        return f"it complains: {complaint[:200]}"
    missing = [words for words in quoted(expects) if not _holds(stdout + stderr, words)]
    return f"the document expects {missing[0]}, and it is not in the output" if missing else ""


def _searches(text: str) -> bool:
    found = pipelines(text)
    return bool(found) and found[-1][-1].program in _FINDERS


def _prints_what_others_said(text: str) -> bool:
    """True for what prints logs and histories, or searches in them: a complaint in there is somebody else's."""
    if _searches(text):
        return True
    stages = [stage for pipe in pipelines(text) for stage in pipe]
    return any(
        stage.program in _SHOWS_RECORDS or {"logs", "log", "events"} & {*stage.arguments[:3]} for stage in stages
    )


def _holds(output: str, words: str) -> bool:
    plain = re.sub(r"\s+", "", output)
    wanted = re.sub(r"\s+", "", words)
    inside = wanted.strip('{}"`')
    return wanted in plain or inside in plain
