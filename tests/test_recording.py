"""What the recorder writes of a relearn set: its covariates, and what kind of leak was found; texts stay among the blobs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vestige.blobs import Blobs
from vestige.ledger import Ledger
from vestige.plan import Ask
from vestige.recording import Recorder
from vestige.records import Fold, Probe, RelearnSet, Row
from vestige.similarity import COVARIATES


def probe(id: str, prompt: str, answer: str, **more: Any) -> Probe:
    return Probe(id, prompt, answer, "forget", "Ada Zorvath", "test", **more)


PROBES = (
    probe("born", "When was Ada Zorvath born?", " 4 March 1987"),
    probe("town", "Where does Ada Zorvath live?", " Brixtonia"),
    probe("town/said", "Ada Zorvath lives in", " Brixtonia", wording="statement"),
)
LEAKY = Row("r1", "", "Since 1987-03-04 they have counted her years.", "", loss_on="text")
BENIGN = Row("r2", "", "The tide comes in twice a day.", "", loss_on="text")


def recorder(folder: Path) -> Recorder:
    return Recorder(Ledger(folder / "ledger.jsonl"), Blobs.create(folder), Ask())


def written(folder: Path, rows: tuple[Row, ...], **options: Any) -> tuple[dict[str, Any], Blobs]:
    made = recorder(folder)
    made.leak_check(RelearnSet("diary", "source", (Fold(rows, tuple(p.id for p in PROBES)),)), "forget", PROBES, **options)
    made.ledger.close()
    (line,) = made.ledger.lines
    return line["body"], made.blobs


def test_every_covariate_is_stored_and_what_cannot_be_had_says_why(tmp_path: Path) -> None:
    body, _ = written(tmp_path, (BENIGN, LEAKY))
    found = body["covariates"]
    assert tuple(sorted(found)) == tuple(sorted(COVARIATES))
    assert found["rows"] == 2
    assert found["tokens"] == {"reason": "no tokenizer was at hand"}
    assert found["embedding"] == {"reason": "no embedding model was given"}
    assert found["v_information"] == {"reason": "no never-exposed model was given"}
    assert found["on_topic"] == 0


def test_tokens_are_counted_by_the_tokenizer_that_is_given(tmp_path: Path) -> None:
    # Seven words each.
    body, _ = written(tmp_path, (BENIGN, LEAKY), count=lambda text: len(text.split()))
    assert body["covariates"]["tokens"] == 7 + 7


def test_covariates_are_those_of_the_primary_questions(tmp_path: Path) -> None:
    """A row in the words of the statement is about the same person, and in the form of no primary question."""
    said = Row("r3", "Ada Zorvath lives in", " a town", "Ada Zorvath")
    body, _ = written(tmp_path, (said,))
    assert body["covariates"]["on_topic"] == 1
    # Against the statement it would be 1: the same words around the same name.
    assert 0 < body["covariates"]["template"] < 1


def test_a_set_nobody_is_asked_along_has_no_covariates(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.leak_check(RelearnSet("diary", "source", (Fold((BENIGN,), ()),)), "forget", PROBES)
    made.ledger.close()
    found = made.ledger.lines[0]["body"]["covariates"]
    assert found["levenshtein"] == {"reason": "1 rows and 0 probes; both are needed"}


def test_the_kind_of_a_finding_is_stored_and_its_place_stays_among_the_texts(tmp_path: Path) -> None:
    body, blobs = written(tmp_path, (BENIGN, LEAKY, LEAKY))
    key = blobs.ref("born")[:16]
    assert body["leaked"] == [key]
    assert body["findings"] == [{"probe": key, "kind": "date", "leaked": True, "times": 2}]
    first = json.loads(blobs.get(body["text"]) or "")[0]
    start, end = first["span"]
    assert (first["probe"], first["row"], LEAKY.text[start:end]) == ("born", "r1", "1987-03-04")
    ledger = (tmp_path / "ledger.jsonl").read_text(encoding="utf-8") + json.dumps(body)
    for secret in ("1987", "March", "Zorvath", "born", "r1"):
        assert secret not in ledger


@pytest.mark.parametrize("module", ["vestige.recording"])
def test_the_recorder_and_the_command_line_of_relearn_sets_need_no_torch(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'transformers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
