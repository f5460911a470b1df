"""Answers side by side: what the original, the unlearned and the attacked model said to the same question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vestige.desk import metrics
from vestige.desk.report.numbers import strongest
from vestige.desk.report.texts import Example
from vestige.records import Missing

_MOST = 24
ReadBlob = Callable[[str], str | None]
Line = Mapping[str, Any]


def examples(lines: Iterable[Line], verdict: Mapping[str, Any], read_blob: ReadBlob) -> tuple[tuple[Example, ...], str]:
    """Return examples of the first seed for the test probes of the main audit, and the name of the attack shown."""
    said = {(b["cell"], str(b["step"]), b["probe"]): b for line in lines if line["kind"] == "answer" for b in [line["body"]]}
    header = next(line["body"] for line in lines if line["kind"] == "header")
    main = verdict["audits"][0]
    best = strongest(main)
    arms = [a for a in header["design"] if a["seed"] == header["design"][0]["seed"]]
    shown = []
    for about in header["probes"]:
        if (about["group"], about["split"], about["wording"]) != (main["group"], "test", "primary"):
            continue
        bodies = [
            _at_rest(said, arms, "original", about["probe"]),
            _at_rest(said, arms, main["subject"], about["probe"]),
            _attacked(said, arms, main["subject"], best, about["probe"]),
        ]
        if any(bodies):
            shown.append(_example(about, bodies, read_blob))
    name = f"{best['set']}" if best else ""
    return tuple(shown[:_MOST]), name


def _at_rest(said: Mapping[Any, Line], arms: list[Line], role: str, probe: str) -> Line | None:
    cells = [a["cell"] for a in arms if a["role"] == role and a["set"] is None]
    return next((said[c, "end", probe] for c in cells if (c, "end", probe) in said), None)


def _attacked(said: Mapping[Any, Line], arms: list[Line], role: str, best: Any, probe: str) -> Line | None:
    """Return the answer at the chosen step, or at the last step that was asked."""
    if best is None:
        return None
    cells = [a["cell"] for a in arms if a["role"] == role and a["set"] == best["set"]]
    steps = [best["chosen"], *(s["step"] for s in reversed(best["steps"]))]
    return next((said[c, str(s), probe] for s in steps for c in cells if (c, str(s), probe) in said), None)


def _example(about: Line, bodies: list[Line | None], read_blob: ReadBlob) -> Example:
    expected = [read_blob(ref) for ref in about["expected"]]
    before, unlearned, after = (_text(body, read_blob) for body in bodies)
    known = [e for e in expected if e is not None]
    hits = {
        name: metrics.says(text, known) if isinstance(text, str) and known else None
        for name, text in (("before", before), ("unlearned", unlearned), ("after", after))
    }
    gone = "(shredded)"
    prompt, answer = read_blob(about["prompt"]) or gone, known[0] if known else gone
    return Example(about["probe"], about["group"], prompt, answer, before, unlearned, after, hits)


def _text(body: Line | None, read_blob: ReadBlob) -> str | Missing | None:
    if body is None:
        return None
    text = read_blob(body["text"])
    return Missing("the texts were shredded") if text is None else text
