"""The plan of the house, enforced: who may import whom, and what may not be loaded to read a report."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vestige

ROOT = Path(vestige.__file__).parent
MODULES = {".".join(("vestige", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): p for p in ROOT.rglob("*.py")}
TABLES = ("vestige.relearn_sets", "vestige.lab.unlearn", "vestige.lab.attacks", "vestige.lab.traces", "vestige.desk.metrics")
ABOVE = """plan plan_parts plan_reading cells graph runner session scheduler screening run_relearn_sets workers recording
demo checkpoint pricing catalogue checkup cli cli_errors progress
case_summary cli_cases writer written_sets never_exposed recording_relearn run_traces
relearn_set_making relearn_set_files relearn_set_summary cli_relearn_sets
plan_tuning trials tune cli_tune cli_measure plan_power""".split()
LOW = frozenset(
    """records errors text ledger blobs target leaks leak_search leak_forms leak_values numerals spelling traced word_edges word_index
near_duplicates longest_runs v_information similarity recipe_request candidates passages endpoints endpoint_replies model_text
extraction_strength spread""".split()
)


def imports(path: Path) -> set[str]:
    """Return the vestige modules a file imports, at any depth of its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{a.name}" for a in node.names}
            # `from package import part` loads the part; anything else comes out of the module itself.
            found |= {p for p in parts if p in MODULES} or {node.module}
    return {name for name in found if name in MODULES and name != "vestige"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_wings_never_import_each_other(name: str) -> None:
    for wing, other in (("vestige.lab", "vestige.desk"), ("vestige.desk", "vestige.lab")):
        if name == wing or name.startswith(wing + "."):
            assert not {i for i in imports(MODULES[name]) if i == other or i.startswith(other + ".")}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_wings_do_not_reach_up(name: str) -> None:
    above = set(ABOVE)
    if name.startswith(("vestige.lab", "vestige.desk", "vestige.cases", "vestige.relearn_sets")) or name.split(".")[-1] in LOW:
        assert not {i for i in imports(MODULES[name]) if i.split(".")[1] in above}


@pytest.mark.parametrize("name", sorted(LOW))
def test_what_stands_below_the_tables_knows_none_of_them(name: str) -> None:
    higher = ("cases", "relearn_sets", "lab", "desk")
    assert not {i for i in imports(MODULES[f"vestige.{name}"]) if i.split(".")[1] in higher}


def test_cases_share_parts_but_never_import_each_other() -> None:
    cases = {
        f"vestige.cases.{name}"
        for name in ("capitals", "customers", "folder", "tofu", "wmdp", "blur", "muse_books", "common_names", "customers_ja", "verbatim")
    }
    for case in cases & set(MODULES):
        assert not imports(MODULES[case]) & (cases - {case})


@pytest.mark.parametrize("table", TABLES)
def test_siblings_of_a_table_never_import_each_other(table: str) -> None:
    entries = [n for n in MODULES if n.startswith(table + ".") and n.count(".") == table.count(".") + 1]
    for entry in entries:
        others = {i for i in imports(MODULES[entry]) if i.startswith(table + ".")}
        assert not others - {entry}, entry


def test_no_import_cycles() -> None:
    graph = {name: {i for i in imports(path) if i != name} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle: {' -> '.join((*path, name))}"
        if name not in done:
            for child in graph[name]:
                # A package's __init__ names its public parts; a part may not import its own package's __init__ back.
                visit(child, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"], ["verify", "--help"], ["measure", "--help"]])
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from vestige.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'scipy', 'jinja2'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_desk_does_not_import_torch() -> None:
    desk = [name for name in MODULES if name.startswith("vestige.desk")]
    code = f"import sys, importlib\nfor m in {desk!r}: importlib.import_module(m)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
