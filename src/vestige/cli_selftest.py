"""The command line of the selftest: `vestige selftest`. It parses and delegates."""

from __future__ import annotations

import json
from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(
    short_help="Ask of every metric whether it can be trusted.",
    epilog="\b\nExamples:\n"
    "  vestige selftest --dry-run\n"
    "  vestige selftest --out runs/selftest\n"
    "  then: cat runs/selftest/selftest.md, or: vestige verify runs/selftest/well-learned",
)
@click.option("--plan", "file", type=click.Path(path_type=Path), help="Pools of models of your own (default: the built-in ones).")
@click.option("--out", type=_FOLDER, default=Path("runs/selftest"), show_default=True, help="A folder; each pool is a run in it.")
@click.option("--dry-run", is_flag=True, help="Show the runs and what they would take; load no weight.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print selftest.json.")
def selftest(file: Path | None, out: Path, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Ask of every metric whether it can be trusted, on models made for it.

    Faithfulness: does it tell models that know from models that do not? Robustness: does it rise no more in an unlearned model than
    in one that never knew, when both relearn, and is it left alone by rounding the weights? Six models that know, six that do
    not and six unlearned by three methods are made on the customers case; about 20 minutes on two cores. What came out: docs/selftest.md.

    A pool is a run with originals and twins; --plan takes a plan with [[pools]] (name, seeds, learn, unlearn) in place of those keys.
    Again = resume.
    """
    from vestige import selftest as tests

    if dry_run:
        click.echo(tests.priced(file))
        return
    from vestige.desk.report.selftest import text

    result = tests.run(out, file, quiet=quiet)
    click.echo(json.dumps(result, indent=1) if as_json else text(result))
    if not as_json:
        click.echo(f"all of it: {out / 'selftest.md'}")
