"""The command line of tuning: `vestige tune`. It parses and delegates."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vestige.cli_errors import one_key

_RUN = click.Path(file_okay=False, path_type=Path)


@click.command(
    short_help="Search the fields of unlearning methods under one equal budget.",
    epilog="\b\nExamples:\n"
    "  vestige tune plan.toml --dry-run\n"
    "  vestige tune plan.toml --out runs/tuning\n"
    "  then: vestige run runs/tuning/tuned/npo.toml, or: vestige verify runs/tuning",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=_RUN, help="The tuning's folder (default: runs/NAME-tune).")
@click.option("--key-from", type=_RUN, help="Take the key of another run, to get the same digests.")
@click.option("--reuse", type=_RUN, help="Take over from another run every cell that is equal (and its key).")
@click.option("--dry-run", is_flag=True, help="Show the trials and what they would take; load no weight.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print tuning.json (with --dry-run: the trials).")
def tune(file: Path, out: Path | None, key_from: Path | None, reuse: Path | None, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Search the fields of unlearning methods, each with the same number of trials, and write a plan with the best of each.

    FILE is a plan with a table [tune] and without [unlearn]. All its keys have defaults:

    \b
    [tune]
    methods = ["npo", "rmu"]      # default: every method with a space
    trials = 8                    # settings of each method; the first is its defaults
    looks = 4                     # steps at which each trial is asked
    margin = 0.0                  # how far below the floor a choice has to lie
    seed = 0                      # draws the settings; nothing else does
    [tune.fields]                 # given to every method that has them
    batch_size = 32
    [tune.spaces.npo]             # instead of what stands beside the method
    beta = [0.05, 0.5]            # lowest and highest; evenly in the logarithm
    retain_weight = 1.0           # one value: not searched

    Trials are asked the selection probes only. Chosen is the setting, number of steps included, that forgot to the floor (the
    never-exposed model's choice score + delta - margin) at the least loss of utility, the worse of retain and utility probes. Where none
    reached the floor, nothing is chosen, and the frontier shows how near it came.

    The folder holds the ledger with every trial, tuning.json, tuning.md and tuning.svg (utility against forgetting), and
    tuned/METHOD.toml for `vestige run`. Again = resume; finished = no-op. `vestige verify` counts the trials and chooses anew.
    A second round need not learn its models again: --reuse takes them over from a first that says [run] keep_states = true.
    """
    from vestige import tune as tuning

    one_key(key_from, reuse)
    if dry_run:
        trials, takes = tuning.priced(file)
        click.echo(json.dumps(trials, indent=1) if as_json else takes)
        return
    from vestige.desk.report.tuning import text

    result, folder = tuning.tune(file, out, key_from=key_from, reuse=reuse, quiet=quiet)
    click.echo(json.dumps(result, indent=1) if as_json else text(result), nl=as_json)
    if not as_json:
        click.echo(f"all points: {folder / 'tuning.md'}; curves: {folder / 'tuning.svg'}; plans: {folder / 'tuned'}")
