"""Every template is a small complete case in which only the binding of cluster and value informs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vestige import leaks
from vestige.case_summary import power
from vestige.cases import templates
from vestige.cases.folder import Folder
from vestige.cases.folder_check import examine
from vestige.cases.templates import TABLE
from vestige.cases.templates.names import FIRMS, JAPANESE_FIRMS, JAPANESE_PEOPLE, PEOPLE
from vestige.cli_cases import TEMPLATES
from vestige.errors import UsageError
from vestige.records import Case, Row, digest
from vestige.relearn_sets.source import SourceRows
from vestige.text import is_unspaced

ALL = [(name, language) for name in TABLE for language in ("en", "ja")]


@pytest.fixture(params=ALL, ids="-".join)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    name, language = request.param
    templates.write(tmp_path / "case", name, language)
    return tmp_path / "case", language


def loaded(folder: Path) -> Case:
    return Folder(str(folder))()


def test_the_command_line_knows_the_table() -> None:
    assert set(TEMPLATES) == set(TABLE)
    assert all(set(languages) == {"en", "ja"} for languages in TABLE.values())


def test_a_template_has_neither_problems_nor_doubts(written: tuple[Path, str]) -> None:
    examined = examine(written[0])
    assert (examined.problems, examined.warnings) == ([], [])


def test_a_template_is_complete_and_large_enough_for_a_tenth(written: tuple[Path, str]) -> None:
    """32 clusters, of which 32 / 4 = 8 select; 24 x 4 probes are 96 / (1 + 3 / 2) = 38.4 effective ones, and 36 are needed."""
    case = loaded(written[0])
    assert [len({r.cluster for r in rows}) for rows in (case.forget, case.retain, case.decoy)] == [32, 16, 32]
    assert len(case.sources) == 2
    assert len(case.asked("utility")) >= 20
    assert len(case.asked("forget", wording="question")) == len(case.asked("forget")) == len(case.forget) == 128
    found = power(32, len(case.asked("forget")))
    assert (found["n_eff"], found["needs"]["0.10"]["n_min"]) == (38.4, 36)


def test_within_a_block_of_eight_each_value_is_used_once(written: tuple[Path, str]) -> None:
    case = loaded(written[0])
    new = next(rows for name, rows in case.sources.items() if name.startswith("new_"))
    for rows in (case.forget, case.retain, case.decoy, new):
        for block in _blocks(rows):
            used = Counter((r.attribute, r.answer) for r in block)
            assert set(used.values()) == {1}
            assert len(used) == 32
    groups = ("forget", "retain", "decoy")
    assert all(len(p.distractors) == 7 for group in groups for p in case.asked(group, wording="*"))  # type: ignore[arg-type]


def _blocks(rows: tuple[Row, ...]) -> list[tuple[Row, ...]]:
    return [rows[i : i + 32] for i in range(0, len(rows), 32)]


def test_the_sources_are_benign(written: tuple[Path, str]) -> None:
    case = loaded(written[0])
    probes = case.asked("forget")
    for name in case.sources:
        verdict = leaks.check(SourceRows(name)(case), probes)[0]
        assert verdict.leaked == (), name
        assert len(verdict.clean if name == "unrelated" else verdict.suspect) == len(probes), name


def test_a_template_is_the_same_whenever_it_is_written(written: tuple[Path, str], tmp_path: Path) -> None:
    folder, language = written
    name = loaded(folder).name.removesuffix(f"-{language}")
    templates.write(tmp_path / "again", name, language)
    assert digest(loaded(tmp_path / "again")) == digest(loaded(folder))
    assert {p.name: p.read_bytes() for p in folder.glob("*.*")} == {p.name: p.read_bytes() for p in (tmp_path / "again").glob("*.*")}


def test_japanese_is_written_without_spaces(written: tuple[Path, str]) -> None:
    folder, language = written
    case = loaded(folder)
    answers = [a for p in case.probes for a in (p.answer, *p.distractors)]
    if language == "ja":
        assert not any(a[0].isspace() for a in answers)
        assert all(any(map(is_unspaced, r.text)) for rows in case.sources.values() for r in rows)
    else:
        assert all(a[0] == " " for a in answers)


@pytest.mark.parametrize("names", [PEOPLE, FIRMS, JAPANESE_PEOPLE, JAPANESE_FIRMS])
def test_names_are_as_many_as_needed_and_all_different(names: tuple[str, ...]) -> None:
    assert len(names) == len(set(names)) == 32 + 16 + 32 + 16
    assert not [(a, b) for a in names for b in names if a != b and a in b]
    assert len({n.split()[0] for n in names}) == 96


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'contracts'"):
        templates.write(tmp_path / "x", "contract", "en")
    with pytest.raises(UsageError, match="expected one of: en, ja"):
        templates.write(tmp_path / "x", "contracts", "fr")
    assert not (tmp_path / "x").exists()
