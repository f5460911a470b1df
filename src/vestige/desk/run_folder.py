"""A run's folder as the desk sees it: judge it, verify it, shred its texts. Needs no torch.

ledger.jsonl   the hash-chained record        blobs.jsonl, key   the texts it points to, and their key
verdict.json   what follows from it           seal.json          its head, and the sha256 of the verdict
report.html    the page people read
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs, overwrite_and_delete
from vestige.desk.audit import audit
from vestige.desk.costs import costs
from vestige.desk.examples import examples
from vestige.desk.report import ReportTexts, render
from vestige.errors import LedgerError
from vestige.ledger import Line

_TEXTS = ("blobs.jsonl", "key", "report.html", "ledger.torn")


@dataclass
class Verified:
    """What `verify` found: problems (each with its place), and what can no longer be recomputed."""

    lines: int
    problems: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    verdict: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def judge(folder: Path, *, reveal: bool = False) -> dict[str, Any]:
    """Write verdict.json, seal.json and report.html as they follow from the ledger; return the verdict."""
    lines, blobs = _read(folder)
    verdict = audit(lines, blobs.get)
    old = folder / "verdict.json"
    if blobs.shredded and old.is_file():
        # Keyword recall needs the texts: the verdict written before they were shredded stands.
        verdict = json.loads(old.read_text(encoding="utf-8"))
    else:
        data = as_bytes(verdict)
        _write(old, data)
        seal = {"head": lines[-1]["sha"], "lines": len(lines), "verdict": hashlib.sha256(data).hexdigest()}
        _write(folder / "seal.json", json.dumps(seal, indent=1).encode())
    _write(folder / "report.html", _page(lines, blobs, verdict, reveal).encode())
    return verdict


def as_bytes(verdict: Mapping[str, Any]) -> bytes:
    """Return verdict.json: sorted keys, the same bytes for the same verdict."""
    return (json.dumps(verdict, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _page(lines: list[Line], blobs: Blobs, verdict: Mapping[str, Any], reveal: bool) -> str:
    header = next(line["body"] for line in lines if line["kind"] == "header")
    shown, after = examples(lines, verdict, blobs.get)
    expected = (blobs.get(ref) for p in header["probes"] if p["group"] != "utility" for ref in p["expected"])
    texts = ReportTexts(
        examples=shown,
        plan=header["plan"],
        costs=tuple(costs(lines)),
        digests={"ledger head": lines[-1]["sha"], "plan": header["plan_digest"], "evidence": verdict["evidence"], **_weights(lines)},
        head={"run": header["run"], "created": header["created"], "vestige": header["vestige"], "ledger lines": len(lines)},
        environment=header["environment"],
        mask=tuple(sorted({t for t in expected if t})),
        after=after,
    )
    return render(verdict, texts, reveal=reveal)


def _weights(lines: list[Line]) -> dict[str, str]:
    """Return the digest of the weights of every arm at rest."""
    header = next(line["body"] for line in lines if line["kind"] == "header")
    states = {line["body"]["cell"]: line["body"]["weights"] for line in lines if line["kind"] == "state"}
    arms = [a for a in header["design"] if a["set"] is None and a["cell"] in states]
    return {f"weights · {a['role']} · seed {a['seed']}": states[a["cell"]] for a in arms}


def _read(folder: Path) -> tuple[list[Line], Blobs]:
    """Return the committed lines and the texts of a run.

    Raises:
        LedgerError: there is no ledger, or it is damaged.
    """
    lines, damage = ledger.read(folder / "ledger.jsonl")
    if damage:
        raise LedgerError(f"{folder / 'ledger.jsonl'}: line {damage[0].line}: {damage[0].says}; `vestige verify {folder}` lists all")
    last = max((i for i, line in enumerate(lines) if line["kind"] in ledger.COMMITS), default=-1)
    return lines[: last + 1], Blobs(folder)


def verify(folder: Path) -> Verified:
    """Check the chain, the seal and the texts, and derive the verdict again from the records."""
    lines, damage = ledger.read(folder / "ledger.jsonl")
    found = Verified(len(lines), [f"ledger.jsonl line {d.line}: {d.says}" for d in damage])
    if not lines or lines[-1]["kind"] != "end":
        found.problems.append(f"ledger.jsonl ends at line {len(lines)} without an end line: its tail is lost, or the run is not finished")
    elif lines[-1]["body"]["lines"] != len(lines):
        found.problems.append(f"ledger.jsonl: the end line speaks of {lines[-1]['body']['lines']} lines, there are {len(lines)}")
    _check_seal(folder, lines, found)
    blobs = Blobs(folder)
    if blobs.shredded:
        found.gone.append("the texts were shredded: keyword recall, examples and the leak checks can no longer be recomputed")
    else:
        found.problems += [f"blobs.jsonl: the text of {ref} was changed" for ref in blobs.changed()]
    _check_verdict(folder, lines, blobs, found)
    return found


def _check_seal(folder: Path, lines: list[Line], found: Verified) -> None:
    seal = _json(folder / "seal.json", found)
    if not seal or not lines:
        return
    if (seal.get("head"), seal.get("lines")) != (lines[-1]["sha"], len(lines)):
        found.problems.append(
            f"seal.json was made for {seal.get('lines')} lines ending in {str(seal.get('head'))[:12]}; "
            f"the ledger has {len(lines)} ending in {lines[-1]['sha'][:12]}"
        )
    if (folder / "verdict.json").is_file():
        data = (folder / "verdict.json").read_bytes()
        if hashlib.sha256(data).hexdigest() != seal.get("verdict"):
            found.problems.append("verdict.json is not the one that was sealed")


def _check_verdict(folder: Path, lines: list[Line], blobs: Blobs, found: Verified) -> None:
    written = _json(folder / "verdict.json", found)
    if not written:
        return
    found.verdict = str(written.get("verdict"))
    try:
        derived = json.loads(as_bytes(audit(lines, blobs.get)))
    except (LedgerError, KeyError, TypeError, ValueError) as error:
        found.problems.append(f"the verdict cannot be derived from the records ({type(error).__name__}: {error})")
        return
    if blobs.shredded:
        if written["case"]["primary"] == "keyword":
            found.gone.append("the verdict itself rests on keyword recall and cannot be derived again")
            return
        written, derived = _without_keyword(written), _without_keyword(derived)
    for key in sorted(set(written) | set(derived)):
        if written.get(key) != derived.get(key):
            found.problems.append(f"the verdict does not follow: {key!r} in verdict.json is not what the records give")


def _without_keyword(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {**verdict, "levels": [level for level in verdict["levels"] if level["score"] != "keyword"]}


def _json(path: Path, found: Verified) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        found.problems.append(f"{path.name} is missing")
        return {}
    except ValueError as error:
        found.problems.append(f"{path.name} is not JSON: {error}")
        return {}
    return value if isinstance(value, dict) else {}


def shred(folder: Path) -> list[str]:
    """Delete every text of a run, its key, its kept models and its page; then write the page anew, without texts."""
    _read(folder)
    removed = []
    for name in _TEXTS:
        if (folder / name).is_file():
            overwrite_and_delete(folder / name)
            removed.append(name)
    for name in ("states",):
        if (folder / name).is_dir():
            for path in (folder / name).rglob("*"):
                if path.is_file():
                    overwrite_and_delete(path)
            shutil.rmtree(folder / name)
            removed.append(name + "/")
    if (folder / "verdict.json").is_file():
        judge(folder)
    return removed


def _write(path: Path, data: bytes) -> None:
    """Replace a file, all or nothing."""
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
