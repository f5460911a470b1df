"""A run's folder as the desk sees it: judge it, verify it, shred its texts. Needs no torch.

ledger.jsonl   the hash-chained record        blobs.jsonl, key   the texts it points to, and their key
verdict.json   what follows from it           seal.json          its head, and the sha256 of the verdict
report.html    the page people read
A tuning has tuning.json in place of verdict.json, and tuning.md and tuning.svg in place of the page.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestige import ledger
from vestige.blobs import Blobs, overwrite_and_delete, write_whole
from vestige.desk.audit import audit
from vestige.desk.costs import costs
from vestige.desk.examples import examples
from vestige.desk.report import ReportTexts, render
from vestige.desk.report import tuning as pages
from vestige.desk.rule import REVISION
from vestige.desk.tuning import doubts, of_tuning, tuned
from vestige.errors import LedgerError
from vestige.ledger import Line

_TEXTS = ("blobs.jsonl", "key", "report.html", "ledger.torn")
# The fields of a line that point to a text.
_POINTERS = ("prompt", "text", "expected", "rows_text", "known", "error")
_REFERENCE = re.compile("[0-9a-f]{32}")
# What a verdict by keyword recall still shows without the texts.
_WITHOUT_TEXTS = ("schema", "run", "case", "rule", "rule_revision", "plan_digest", "evidence", "provisional", "arms")


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
    """Write verdict.json, seal.json and report.html as they follow from the ledger; return the verdict, or what a tuning chose."""
    lines, blobs = _read(folder)
    if of_tuning(lines):
        result = tuned(lines)
        _seal(folder, lines, result)
        write_whole(folder / "tuning.md", pages.markdown(result).encode())
        write_whole(folder / "tuning.svg", pages.figure(result).encode())
        return result
    if blobs.shredded and (folder / "verdict.json").is_file():
        verdict = _standing(folder)
    else:
        verdict = audit(lines, blobs.get)
        _seal(folder, lines, verdict)
    write_whole(folder / "report.html", _page(lines, blobs, verdict, reveal).encode())
    return verdict


def _seal(folder: Path, lines: list[Line], judged: Mapping[str, Any]) -> None:
    """Write what was judged, and the seal that says of which lines it is."""
    data = as_bytes(judged)
    write_whole(folder / _judged(lines), data)
    seal = {"head": lines[-1]["sha"], "lines": len(lines), "verdict": hashlib.sha256(data).hexdigest()}
    write_whole(folder / "seal.json", json.dumps(seal, indent=1).encode())


def _judged(lines: list[Line]) -> str:
    """Return the name of the file that holds what follows from the lines."""
    return "tuning.json" if of_tuning(lines) else "verdict.json"


def _standing(folder: Path) -> dict[str, Any]:
    """Return the verdict written before the texts were shredded: keyword recall needs them, so it stands.

    Raises:
        LedgerError: it is not the one that was sealed.
    """
    found = Verified(0)
    verdict, seal = _json(folder / "verdict.json", found), _json(folder / "seal.json", found)
    if verdict is None or seal is None or _sha256(folder / "verdict.json") != seal.get("verdict"):
        reason = "; ".join(found.problems) or "verdict.json is not the one that was sealed"
        raise LedgerError(f"{folder}: {reason}; the texts were shredded, so it cannot be made anew. Take both files from a copy")
    return verdict


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    lines = ledger.read_sound(folder / "ledger.jsonl")
    last = max((i for i, line in enumerate(lines) if line["kind"] in ledger.COMMITS), default=-1)
    return lines[: last + 1], Blobs(folder)


def verify(folder: Path) -> Verified:
    """Check the chain, the seal and the texts, and derive the verdict again from the records."""
    lines, damage = ledger.read(folder / "ledger.jsonl")
    found = Verified(len(lines), [f"ledger.jsonl line {d.line}: {d.says}" for d in damage])
    end = lines[-1].get("body") if lines and lines[-1].get("kind") == "end" else None
    if not isinstance(end, dict):
        found.problems.append(f"ledger.jsonl ends at line {len(lines)} without an end line: its tail is lost, or the run is not finished")
    elif end.get("lines") != len(lines):
        found.problems.append(f"ledger.jsonl: the end line speaks of {end.get('lines')!r} lines, there are {len(lines)}")
    _check_seal(folder, lines, found)
    blobs = Blobs(folder)
    _check_texts(folder, lines, blobs, found)
    if of_tuning(lines):
        _check_tuning(folder, lines, found)
    else:
        _check_verdict(folder, lines, blobs, found)
    return found


def _check_texts(folder: Path, lines: list[Line], blobs: Blobs, found: Verified) -> None:
    if blobs.shredded:
        found.gone.append("the texts were shredded: keyword recall, examples and the leak checks can no longer be recomputed")
        if (folder / "blobs.jsonl").is_file():
            found.problems.append("key is missing but blobs.jsonl is there: its texts cannot be checked; `vestige shred` deletes both")
        return
    found.problems += [f"blobs.jsonl: the text of {ref} was changed" for ref in blobs.changed()]
    missing = sorted({ref for ref in _references(lines) if blobs.get(ref) is None})
    if missing:
        found.problems.append(f"blobs.jsonl: {len(missing)} texts that the ledger points to are missing; the first: {missing[0]}")


def _references(lines: Iterable[Line]) -> Iterator[str]:
    """Yield every reference to a text, as far as the lines can be read."""
    for line in lines:
        body = line.get("body")
        about = body.get("probes") if isinstance(body, dict) else None
        for part in (body, *(about if isinstance(about, list) else ())):
            for value in (part.get(name) for name in _POINTERS) if isinstance(part, dict) else ():
                refs = map(str, value if isinstance(value, list) else [value])
                yield from (ref for ref in refs if _REFERENCE.fullmatch(ref))


def _check_seal(folder: Path, lines: list[Line], found: Verified) -> None:
    seal = _json(folder / "seal.json", found)
    if seal is None or not lines:
        return
    head = lines[-1].get("sha")
    if (seal.get("head"), seal.get("lines")) != (head, len(lines)):
        found.problems.append(
            f"seal.json was made for {seal.get('lines')!r} lines ending in {str(seal.get('head'))[:12]!r}; "
            f"the ledger has {len(lines)} ending in {str(head)[:12]!r}"
        )
    name = _judged(lines)
    if (folder / name).is_file() and _sha256(folder / name) != seal.get("verdict"):
        found.problems.append(f"{name} is not the one that was sealed")


def _check_tuning(folder: Path, lines: list[Line], found: Verified) -> None:
    written = _json(folder / "tuning.json", found)
    if written is not None:
        found.verdict = "tuned"
        found.problems += doubts(written, lines)


def _check_verdict(folder: Path, lines: list[Line], blobs: Blobs, found: Verified) -> None:
    written = _json(folder / "verdict.json", found)
    if written is None:
        return
    found.verdict = str(written.get("verdict"))
    if written.get("rule_revision") != REVISION:
        found.problems.append(
            f"verdict.json was judged by revision {written.get('rule_revision')!r} of the rule, this version has {REVISION}: what follows "
            "may be the rule's change, not the records'. Verify with the version that judged it, or judge anew with `vestige report`"
        )
    try:
        derived = json.loads(as_bytes(audit(lines, blobs.get)))
    except Exception as error:  # records that somebody changed can break the rule in any way: that is a finding, not a crash
        found.problems.append(f"the verdict cannot be derived from the records ({type(error).__name__}: {error})")
        return
    if blobs.shredded:
        primary = derived["case"]["primary"]  # as the ledger says, not as verdict.json does
        if primary == "keyword":
            found.gone.append("the verdict itself rests on keyword recall and cannot be derived again")
        written, derived = _without_texts(written, primary), _without_texts(derived, primary)
    for key in sorted(set(written) | set(derived)):
        if written.get(key) != derived.get(key):
            found.problems.append(f"the verdict does not follow: {key!r} in verdict.json is not what the records give")


def _without_texts(verdict: Mapping[str, Any], primary: str) -> dict[str, Any]:
    """Return the part of a verdict that does not rest on texts."""
    if primary == "keyword":
        return {name: verdict.get(name) for name in _WITHOUT_TEXTS}
    levels = verdict.get("levels")
    kept = [x for x in levels if not (isinstance(x, dict) and x.get("score") == "keyword")] if isinstance(levels, list) else levels
    return {**verdict, "levels": kept}


def _json(path: Path, found: Verified) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        found.problems.append(f"{path.name} is missing")
        return None
    except (ValueError, RecursionError) as error:
        found.problems.append(f"{path.name} is not JSON: {error}")
        return None
    if not isinstance(value, dict):
        found.problems.append(f"{path.name} is not a JSON object")
        return None
    return value


def shred(folder: Path) -> list[str]:
    """Delete every text of a run, its key, its kept models and its page; then write the page anew, without texts.

    A damaged ledger does not keep texts from being deleted; only the page cannot be written from it.

    Raises:
        LedgerError: there is no run here.
        RunError: the run is being written by another process.
    """
    _, damage = ledger.read(folder / "ledger.jsonl")
    with ledger.held(folder / "ledger.jsonl"):
        removed = list(_shred_texts(folder))
    if (folder / "verdict.json").is_file() and not damage:
        judge(folder)
    return removed


def _shred_texts(folder: Path) -> Iterator[str]:
    """Delete what holds texts, and say what that was."""
    halves = sorted(path.name for path in folder.glob("*.partial"))  # of writes that a kill cut short
    for name in (*_TEXTS, *halves):
        if (folder / name).is_file():
            overwrite_and_delete(folder / name)
            yield name
    states = folder / "states"
    if states.is_dir():
        for path in states.rglob("*"):
            if path.is_file():
                overwrite_and_delete(path)
        shutil.rmtree(states)
        yield "states/"
