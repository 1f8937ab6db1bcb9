"""Run every drill several times, one after the other, and say whether the outcomes are always the declared ones.

    python bench/soak.py [--rounds 5] [-k EXPR]

Each drill runs in a pytest of its own. Its result is a JSON line in reports/soak.jsonl, written as soon as it is known;
a soak that was interrupted goes on after that line. Results of other code (engine, checks, chaos, fixtures, runbooks)
are left in the file and not counted. Exit status: 0 every run of every drill passed and nothing is left over, else 1.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports"
LOG = REPORTS / "soak.jsonl"
PYTEST = (sys.executable, "-m", "pytest", "-m", "chaos")


def code_id() -> str:
    """Return a hash of everything that decides what a drill does."""
    digest = hashlib.sha256()
    for folder in ("src", "checks", "chaos", "fixtures", "runbooks"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def collect(expression: str) -> Sequence[str]:
    """Return the ids of the drills that an expression selects, as pytest lists them."""
    command = [*PYTEST, "--collect-only", "-q", "chaos", *(["-k", expression] if expression else [])]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    items = [line for line in listed.stdout.splitlines() if re.match(r"chaos/\S+\.py::", line)]
    if listed.returncode or not items:
        raise SystemExit(f"no drills collected:\n{listed.stdout}{listed.stderr}")
    return items


def results(code: str) -> Iterator[dict[str, Any]]:
    """Yield what earlier soaks of the same code recorded; a line that a kill cut off is none."""
    if LOG.exists():
        for line in LOG.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["code"] == code:
                yield row


def outcome_of(run: Path | None) -> tuple[str, Sequence[str]]:
    """Return outcome and reasons of the one drill of a run."""
    from drillbook.timeline import read_events

    for event in read_events(run / "run.jsonl") if run else ():
        if event["kind"] == "drill.end":
            return event["outcome"], event["reasons"]
    return "NO RECORD", ()


def run_once(item: str) -> dict[str, Any]:
    """Run one drill and return its row of the log."""
    begin_s = time.monotonic()
    done = subprocess.run([*PYTEST, item], cwd=ROOT, capture_output=True, text=True, check=False)
    told = re.search(r"^report: (.*)$", done.stdout, re.MULTILINE)  # other soaks may be writing runs beside this one
    run = Path(told[1]).parent if told else None
    outcome, reasons = outcome_of(run)
    closing = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
    return {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "item": item,
        "outcome": outcome,
        "reasons": list(reasons),
        "exit_status": done.returncode,
        "took_s": round(time.monotonic() - begin_s, 1),
        "run": run.name if run else None,
        "closing": closing[0] if closing else "",
    }


def left_over() -> list[str]:
    """Return what drills left behind; what a living process owns is none of it."""
    from drillbook.replica.reaper import leftovers

    return [str(thing) for thing in leftovers() if not thing.owned]


def append(row: dict[str, Any]) -> None:
    """Write one row so that it survives a kill; the line before may have been cut off by one."""
    REPORTS.mkdir(exist_ok=True)
    cut_off = LOG.exists() and LOG.stat().st_size and not LOG.read_bytes().endswith(b"\n")
    with LOG.open("a", encoding="utf-8") as log:
        log.write(("\n" if cut_off else "") + json.dumps(row) + "\n")


def judge(items: Sequence[str], rows: Sequence[dict[str, Any]], rounds: int) -> bool:
    """Print the table, item by item, and return whether every run of each drill ended as its table declares."""
    print(f"\n{'drill':<70} outcomes of {rounds}")
    steady = True
    for item in items:
        mine = [row for row in rows if row["item"] == item][:rounds]
        counts = Counter(f"{row['outcome']}{'' if row['exit_status'] == 0 else ' (not as declared)'}" for row in mine)
        good = len(mine) == rounds and len(counts) == 1 and all(row["exit_status"] == 0 for row in mine)
        steady = steady and good
        print(f"{item:<70} {', '.join(f'{n} x {o}' for o, n in counts.items())}{'' if good else '   <-- differs'}")
    return steady


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-k", dest="expression", default="", metavar="EXPR", help="as pytest's own -k")
    options = parser.parse_args()

    items, code = collect(options.expression), code_id()
    for number in range(1, options.rounds + 1):
        for item in items:
            done = sum(row["item"] == item for row in results(code))
            if done >= number:
                continue
            row = {**run_once(item), "code": code, "round": number, "leftovers": left_over()}
            append(row)
            print(f"{number}/{options.rounds}  {row['outcome']:<12} {row['took_s']:6.1f} s  {item}", flush=True)
    rows = list(results(code))
    steady = judge(items, rows, options.rounds)
    left = sorted({thing for row in rows if row["item"] in items for thing in row["leftovers"]})
    print(f"left over: {', '.join(left) or 'nothing'}; log: {LOG.relative_to(ROOT)}")
    return 0 if steady and not left else 1


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print(f"\ninterrupted; the same command goes on, log: {LOG.relative_to(ROOT)}", file=sys.stderr)
        raise SystemExit(130) from None
