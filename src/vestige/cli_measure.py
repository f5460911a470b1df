"""The command line of measurement: `vestige measure`. It parses and delegates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

_RUN = click.Path(file_okay=False, path_type=Path)
_WIDEST = 160


@click.command(
    short_help="Every metric of every arm of a run, and what comes back.",
    epilog="\b\nExamples:\n"
    "  vestige measure runs/mine\n"
    "  vestige measure runs/mine --metric truth_ratio --metric rouge_l_f1\n"
    "  vestige measure runs/mine --by keyword --json > measures.json",
)
@click.argument("folder", metavar="RUN", type=_RUN)
@click.option(
    "--metric", "names", multiple=True, metavar="NAME", help="Only these; all: every one in the table too. docs/metrics.md names them."
)
@click.option("--by", type=click.Choice(["choice", "keyword"]), help="Tell what comes back by this score (default: the one that decides).")
@click.option(
    "--back", "share", type=float, default=0.5, show_default=True, help="A fact is back at this share of the original's mean score."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON: all groups, wordings, counts and reasons.")
def measure(folder: Path, names: tuple[str, ...], by: str | None, share: float, as_json: bool) -> None:
    """Measure a finished run by every metric, with 95 % intervals over clusters. Needs no torch, writes nothing, changes no verdict.

    First every arm (original, never-exposed twin, unlearned, liar, ...) at rest, and after each relearn set at the step the audit chose.
    Then what comes back: recovery, by itself and beyond the control's; area under the relearn curve; relearn time and its ratio to the
    control's (anamnesis index); least budget; survival of facts with a log-rank test; to which model the subject is closer; equivalence.
    """
    from vestige.desk import measures
    from vestige.desk.report.measures import text

    wanted = measures.Wanted(() if names == ("all",) else names, by or "", share)
    found = measures.of_run(folder, wanted)
    width = min(shutil.get_terminal_size((120, 24)).columns, _WIDEST)
    click.echo(json.dumps(found, indent=1, allow_nan=False) if as_json else text(found, names=names, width=width))
