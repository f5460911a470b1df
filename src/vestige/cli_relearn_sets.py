"""The command line of relearn sets: `vestige relearn-set make`, `check` and `describe`.

It parses and delegates; nothing here loads a model, and only a plan or a tokenizer brings in what a model would need.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from vestige.errors import UsageError

_FILE = click.Path(dir_okay=False, path_type=Path)
_RUN = click.Path(file_okay=False, path_type=Path)
_set = click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A field of the recipe; `vestige list relearn-sets` names them."
)
_examples = click.option("--examples", type=click.IntRange(min=1), help="At most so many rows in each fold.")
_tokens = click.option("--tokens", type=click.IntRange(min=1), help="At most so many tokens in each fold.")
_seed = click.option("--seed", type=click.IntRange(min=0), help="Where the recipe leaves a choice to chance.")
_tokenizer = click.option("--tokenizer", metavar="MODEL", help="Count tokens as this model does; else a token is four characters.")
_embed = click.option(
    "--embed", metavar="FOLDER|MODEL@URL", help="An embedding model: its folder, or its name and the address of a server."
)
_embed_key = click.option("--embed-key-env", default="", metavar="VARIABLE", help="The environment variable that holds the server's key.")
_force = click.option("--force", is_flag=True, help="Replace a file that is there.")
_json = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")


@click.group(
    "relearn-set",
    short_help="Make, check or describe the text an attacker trains on.",
    epilog="\b\nExamples:\n"
    "  vestige relearn-set make customers rtt_fold --out other-half.jsonl\n"
    "  vestige relearn-set check other-half.jsonl --case customers\n"
    "  vestige relearn-set describe --run runs/one runs/two",
)
def relearn_set() -> None:
    """Look after relearn sets: the harmless text that an attacker fine-tunes an unlearned model on.

    \b
    Make one:          vestige relearn-set make CASE RECIPE --out FILE
    Does it leak?      vestige relearn-set check FILE --case CASE
    What is it like?   vestige relearn-set describe FILE --case CASE
    What brings back?  vestige relearn-set describe --run RUN
    """


@relearn_set.command()
@click.argument("source", metavar="PLAN|CASE")
@click.argument("recipe")
@_set
@_examples
@_tokens
@_seed
@_tokenizer
@click.option("--out", type=_FILE, required=True, help="The file to write, ending in .jsonl.")
@_force
@_json
def make(source: str, out: Path, force: bool, as_json: bool, tokenizer: str | None, **wanted: Any) -> None:
    """Write the relearn set that RECIPE makes of a case: its rows as JSON lines, in order of preference.

    A plan (ending in .toml) gives its case, and fields, budget and seed of its own set by that recipe. Of several folds the rows stand
    one after the other, and FILE.set.json says which probes are asked along which.
    """
    from vestige import relearn_set_files, relearn_set_summary
    from vestige.relearn_set_making import Wanted, counter
    from vestige.relearn_set_making import make as make_set

    relearn_set_files.refuse(out, force=force)
    count = counter(tokenizer) if tokenizer else None
    case, made = make_set(source, Wanted(**wanted), count)
    relearn_set_files.write(made, case, out, force=force)
    found = relearn_set_summary.made(relearn_set_files.as_written(made), case, count)
    click.echo(json.dumps(found, indent=1) if as_json else relearn_set_summary.made_text(str(out), found))


@relearn_set.command()
@click.argument("file", type=_FILE)
@click.option("--case", "case_name", metavar="PLAN|CASE", required=True, help="The case whose answers must not stand in the rows.")
@click.option("--drop", type=_FILE, help="Write the rows without those that leak here.")
@click.option("--reveal", is_flag=True, help="Show the answers that were found.")
@_embed
@_embed_key
@_force
@_json
def check(file: Path, case_name: str, drop: Path | None, force: bool, as_json: bool, **options: Any) -> None:
    """Hold every row of FILE against every forget probe of a case: clean, suspect or leaked, with the row, the kind and the place.

    Ends with 1 if a probe leaked, with 0 if none did; suspect ones do not count. With --embed a row that means much the same as a
    question with its answer is suspect too.
    """
    from vestige import relearn_set_files, relearn_set_making, relearn_set_summary
    from vestige.leaks import without_leaks

    if drop:
        relearn_set_files.refuse(drop, force=force)
    case = relearn_set_making.case_of(case_name)
    held = relearn_set_files.read(file, case)
    found = relearn_set_summary.checked(held, case, reveal=options["reveal"], embed=_embedder(options))
    if drop:
        kept = without_leaks(held.made, relearn_set_files.probes_of(case))
        relearn_set_files.write(kept, case, drop, force=force)
        found["dropped"] = sum(len(f.rows) for f in held.made.folds) - sum(len(f.rows) for f in kept.folds)
    click.echo(json.dumps(found, indent=1) if as_json else relearn_set_summary.checked_text(str(file), found))
    if drop and not as_json:
        click.echo(f"\nwrote {drop}: {found['dropped']} rows dropped")
    sys.exit(1 if found["leaked"] else 0)


@relearn_set.command()
@click.argument("targets", nargs=-1, metavar="FILE|RECIPE")
@click.option("--case", "case_name", metavar="PLAN|CASE", help="What it is measured against.")
@click.option("--run", "runs", multiple=True, type=_RUN, metavar="RUN", help="Instead: what predicted recovery in these runs.")
@_set
@_examples
@_tokens
@_seed
@_tokenizer
@_embed
@_embed_key
@_json
def describe(targets: tuple[str, ...], case_name: str | None, runs: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Measure how near a file of rows, or what a recipe makes, is to the probes of a case.

    With --run RUN [RUN ...]: how well each measure predicts what the relearn sets of these runs brought back.
    """
    from vestige import relearn_set_summary

    if runs:
        if case_name or any(v not in (None, (), "") for v in options.values()):
            raise UsageError("--run reads what runs have stored; leave out --case and what describes a recipe")
        found = _predicted((*runs, *map(Path, targets)))
        says = relearn_set_summary.predicted_text
    else:
        found = _described(targets, case_name, **options)
        says = relearn_set_summary.described_text
    click.echo(json.dumps(found, indent=1) if as_json else says(found))


def _predicted(runs: tuple[Path, ...]) -> dict[str, Any]:
    from vestige import relearn_set_summary
    from vestige.desk import predictors

    points = [point for run in dict.fromkeys(runs) for point in predictors.points(run)]
    return relearn_set_summary.predicted(points, predictors.predictions(points))


def _described(targets: tuple[str, ...], case_name: str | None, *, tokenizer: str | None, **wanted: Any) -> dict[str, Any]:
    from vestige import relearn_set_making, relearn_set_summary

    embed = _embedder(wanted)
    if len(targets) != 1 or not case_name:
        raise UsageError("describe needs one FILE or RECIPE and --case CASE, or --run RUN [RUN ...]")
    count = relearn_set_making.counter(tokenizer) if tokenizer else None
    held, case = relearn_set_making.held(targets[0], case_name, wanted, count)
    return relearn_set_summary.described(held, case, count, embed=embed)


def _embedder(options: dict[str, Any]) -> Any:
    """Take the embedding model out of the options and return it, or None."""
    from vestige import relearn_set_making

    named, key_env = options.pop("embed"), options.pop("embed_key_env")
    if key_env and not named:
        raise UsageError("--embed-key-env goes with a server; give --embed MODEL@URL too")
    if key_env and not key_env.isidentifier():  # not repeated: it may be the key itself
        raise UsageError("--embed-key-env: expected the name of an environment variable that holds the key, such as EMBED_KEY")
    return relearn_set_making.embedder(named, key_env) if named else None
