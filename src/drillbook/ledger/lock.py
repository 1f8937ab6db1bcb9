"""``runbooks/<slug>.lock.json``: what each row said when its check or drill last passed, in git."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drillbook.errors import EvidenceError
from drillbook.ledger.proofs import Kind, Proof, newest
from drillbook.ledger.rows import Row
from drillbook.outcome import Outcome
from drillbook.redact import Redactor

__all__ = ["lock_path", "read_lock", "write_lock"]

_FORMAT = 1


def lock_path(runbook: Path) -> Path:
    """Return where the lock file of a document is."""
    return runbook.with_name(f"{runbook.stem}.lock.json")


def read_lock(path: Path) -> list[Proof]:
    """Return the proofs that a lock file holds; none where there is no file.

    Raises:
        EvidenceError: It cannot be read, or is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(str(path), f"the lock file cannot be read: {error}") from error
    hint = "take it back from git, or write it anew: drillbook ledger --write"
    try:
        loaded = json.loads(text)
        if loaded["format"] != _FORMAT:
            raise EvidenceError(str(path), f"expected format {_FORMAT}, got {loaded['format']}", hint=hint)
        return [_proof(id_, str(row["text"]), said) for id_, row in loaded["rows"].items() for said in row["proved"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceError(str(path), f"expected a lock file, got {error!r}", hint=hint) from error


def _proof(id_: str, text: str, said: dict[str, Any]) -> Proof:
    rules = tuple(str(rule) for rule in said.get("rules", ()))
    why = str(said.get("why", ""))
    then = str(said.get("text", text))
    return Proof(
        id_, Kind(said["kind"]), str(said["by"]), str(said["when"]), Outcome(said["verdict"]), then, rules, why
    )


def write_lock(path: Path, rows: Iterable[Row], proofs: Iterable[Proof]) -> int:
    """Write the newest proof of each drill and check, red ones too; return how many.

    A proof of another text than the row has now stays, with that text, until its drill or check has passed again: only
    so does the ledger go on naming it. What was proved of rows that are gone is dropped.

    Raises:
        EvidenceError: The file cannot be written.
    """
    redactor = Redactor()
    texts = {row.id: redactor.clean(row.said) for row in rows}
    kept: dict[str, list[Proof]] = {}
    for proof in newest(proofs).values():
        if proof.id in texts:
            kept.setdefault(proof.id, []).append(proof)
    written = _laid_out(
        (id_, text, sorted(kept[id_], key=lambda one: (one.kind, one.by))) for id_, text in texts.items() if id_ in kept
    )
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(written, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EvidenceError(str(path), f"the lock file cannot be written: {error.strerror}") from error
    return sum(map(len, kept.values()))


def _laid_out(rows: Iterable[tuple[str, str, list[Proof]]]) -> str:
    """Return the file's text: one proof a line, so that git shows what a run has renewed."""
    blocks: list[str] = []
    for id_, text, proofs in rows:
        said = ",\n".join(f"   {_json(_said(proof, text))}" for proof in proofs)
        blocks.append(f'  {_json(id_)}: {{"text": {_json(text)}, "proved": [\n{said}\n  ]}}')
    body = ",\n".join(blocks)
    return f'{{\n "format": {_FORMAT},\n "rows": {{\n{body}\n }}\n}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _said(proof: Proof, text: str) -> dict[str, Any]:
    fields = asdict(proof)
    said = {"kind": proof.kind, "by": proof.by, "when": proof.utc, "verdict": proof.verdict}
    said |= {name: fields[name] for name in ("rules", "why") if fields[name]}
    return said if proof.text == text else said | {"text": proof.text}
