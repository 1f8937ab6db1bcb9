"""Write the README's drill from the committed example: ``python bench/readme.py``. Nobody types it."""

import sys
from pathlib import Path

from drillbook.plugin.progress import Progress
from drillbook.timeline import Event, read_events

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
EXAMPLE = ROOT / "reports" / "example" / "run.jsonl"
DRILL = "inference-gateway/disconnect"
BEGIN = "<!-- drill: written by `python bench/readme.py`, from reports/example/run.jsonl -->\n"
END = "<!-- end of drill -->"


def said() -> str:
    """Return what the drill of the example printed where there is no terminal, from the fault on."""
    lines: list[str] = []
    progress = Progress(lines.append, None)
    for event in read_events(EXAMPLE):
        if event.get("drill") == DRILL:
            fields = {key: value for key, value in event.items() if key not in {"kind", "utc", "at_s"}}
            progress(Event(event["kind"], None, event["at_s"], fields))  # type: ignore[arg-type]
    begin = next(number for number, line in enumerate(lines) if "injecting" in line)
    return "\n".join([lines[0], *lines[begin:]])


def readme() -> str:
    """Return the README with the drill in its place."""
    head, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}\n```\n{said()}\n```\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
    sys.stdout.write(f"{README.name} shows {DRILL}\n")
