"""How long reading takes: ``python bench/reading.py [--runbooks 1000]``, on one core.

A typical runbook has the size that was counted over 2,265 public ones: about ten shell statements. The samples of the
tests are cut to that and read over and over, each time as a new document.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path

from drillbook import clients, commands, shell
from drillbook.lint import lint
from drillbook.parser import parse_text

SOURCES = Path(__file__).resolve().parents[1] / "tests" / "samples" / "sources"
STATEMENTS = 10


def typical() -> list[str]:
    """Return documents of about ten statements, cut from the samples at their second-level headings."""
    documents: list[str] = []
    for path in sorted(SOURCES.glob("*.md")):
        parts = path.read_text(encoding="utf-8").split("\n## ")
        document, count = parts[0], 0
        for part in parts[1:]:
            document += f"\n## {part}"
            count += sum(1 for _ in parse_text(part + "\n", path).commands()) if part.strip() else 0
            if count >= STATEMENTS:
                documents.append(document)
                document, count = parts[0], 0
    return documents


def forget() -> None:
    """Empty what remembers a command by its text: the next document has others."""
    for remembers in (commands.simple_commands, shell._parse_short, clients.opened_by):
        remembers.cache_clear()


def main() -> None:
    """Print seconds of processor time for reading, and for reading and linting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runbooks", type=int, default=1000)
    number = parser.parse_args().runbooks
    documents = typical()
    texts = list(itertools.islice(itertools.cycle(documents), number))
    read_s = 0.0
    runbooks = []
    for at, text in enumerate(texts):
        forget()
        begin_s = time.process_time()
        runbooks.append(parse_text(text, Path(f"{at}.md")))
        read_s += time.process_time() - begin_s
    statements = sum(1 for runbook in runbooks for _ in runbook.commands())
    found, lint_s = 0, 0.0
    for runbook in runbooks:
        forget()
        begin_s = time.process_time()
        found += len(lint(runbook))
        lint_s += time.process_time() - begin_s
    sys.stdout.write(
        f"{number} runbooks, {statements / number:.1f} statements each: read in {read_s:.1f} s, "
        f"linted in {lint_s:.1f} s more ({found} findings)\n"
    )


if __name__ == "__main__":
    main()
