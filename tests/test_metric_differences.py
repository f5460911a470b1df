"""The page on metrics names every one of them, its example runs, and its table of differences is what the tool works out today."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from vestige.desk import metrics
from vestige.records import Missing

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import write_metric_differences as tool  # noqa: E402

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
WRITTEN = PAGE.split(tool.BEGIN)[1].split(tool.END)[0].strip().splitlines()


def test_the_table_of_differences_is_what_the_tool_works_out() -> None:
    due = tool.table(list(tool.worked())).splitlines()
    assert WRITTEN[: len(due)] == due
    assert len(WRITTEN) == len(due) + 1  # and one row that asks a model


def test_the_row_that_asks_a_model_is_what_the_tool_works_out(tmp_path: Path) -> None:
    (row,) = tool.asked(tmp_path)
    *_, theirs, ours, _ = (cell.strip() for cell in WRITTEN[-1].split("|"))
    assert row.theirs == pytest.approx(float(theirs), rel=0.02)
    assert row.ours == pytest.approx(float(ours), rel=0.02)


def test_every_difference_is_one(tmp_path: Path) -> None:
    rows = [*tool.worked(), *tool.asked(tmp_path)]
    same = [row.what for row in rows if not isinstance(row.ours, Missing) and row.ours == pytest.approx(row.theirs, rel=0.02)]
    assert same == ["PrivLeak itself, in percent, is theirs"]


@pytest.mark.parametrize("name", [*metrics.TOKENS, *metrics.TEXTS, *metrics.SETS])
def test_the_page_names_every_metric(name: str) -> None:
    assert f"`{name}`" in PAGE or f'"{name}"' in PAGE


def test_the_pages_example_runs() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/metrics.md", "exec"), {})  # our own page
