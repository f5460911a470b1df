"""The command line of judges: `vestige judge`. It parses and delegates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from vestige.errors import UsageError

_FOLDER = click.Path(file_okay=False, path_type=Path)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@click.command(
    short_help="Have the answers of a run judged by another model; advice, not evidence.",
    epilog="\b\nExamples:\n"
    "  vestige judge runs/mine --with qwen@http://127.0.0.1:8000/v1 --dry-run\n"
    "  vestige judge runs/mine --with qwen@http://127.0.0.1:8000/v1\n"
    "  vestige judge runs/mine --judge similarity --with path/to/embedding-model\n"
    "  vestige judge runs/mine --json",
)
@click.argument("folder", type=_FOLDER)
@click.option("--judge", "name", default="same_answer", show_default=True, help="same_answer, entailment or similarity (docs/metrics.md).")
@click.option("--with", "model", metavar="MODEL@URL|FOLDER|NAME", help="Who judges: a served model, or weights on this machine.")
@click.option("--key-env", default="", metavar="VARIABLE", help="The environment variable that holds the server's key.")
@click.option("--dry-run", is_flag=True, help="Show how many answers would be judged; ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def judge(folder: Path, name: str, model: str | None, key_env: str, dry_run: bool, as_json: bool) -> None:
    """Have the answers to the forgotten test questions judged, each different answer once.

    Judgements lie in RUN/judgements and decide nothing: the verdict reads none of them. Again = only what is not judged yet. Without
    --with, what was judged so far. The keyword match counts as a judge where agreement (Cohen's kappa) is shown.
    """
    from vestige import judging

    run, made = judging.Judging(folder), judging.named(name)
    kept = judging.label(name, model or "")
    left = len(run.left(kept)) if model else 0
    click.echo(f"{len(run.answers)} different answers" + (f", {left} of them not judged by {kept} yet" if model else ""), err=True)
    if left and "@http" in (model or ""):
        click.echo("questions, answers and what was expected, the texts to be forgotten among them, go to that server", err=True)
    if dry_run:
        return
    if model and left:
        for done in run.ask(kept, made, _opened(made.asks, model, key_env)):
            click.echo(f"  {done} of {left}", err=True)
    result = run.result()
    click.echo(json.dumps(result, indent=1) if as_json else shown(result))


def _opened(asks: str, model: str, key_env: str) -> Any:
    """Return the model that a judge asks."""
    if key_env and not _VARIABLE.fullmatch(key_env):  # not repeated: it may be the key itself
        raise UsageError("--key-env: expected the name of an environment variable that holds the key, such as JUDGE_KEY")
    if asks == "embedding":
        from vestige.relearn_set_making import embedder

        return embedder(model, key_env)
    from vestige.writer import Writer

    asked, remote, rest = model.partition("@http")
    made = Writer(url=f"http{rest}", model=asked, key_env=key_env) if remote else Writer(local=model)
    return made.opened("cpu")


def shown(result: dict[str, Any]) -> str:
    """Return the tables of a terminal."""
    from vestige.desk.report.summary import table

    judges = list(result["missing"])
    arms = [[a["role"], a["set"] or "", str(a["step"]), *(_level(a["judges"][j]) for j in judges)] for a in result["arms"]]
    agreed = [[" and ".join(a["judges"]), _kappa(a["kappa"])] for a in result["agreement"]]
    parts = [table(["arm", "relearn set", "step", *judges], arms)]
    parts += [table(["agreement", "Cohen's kappa"], agreed)] if agreed else []
    parts += [f"{n} answers got no judgement by {name}" for name, n in result["missing"].items() if n]
    return "\n\n".join(parts)


def _level(value: dict[str, Any]) -> str:
    return (
        f"missing: {value['missing_reason']}"
        if "missing_reason" in value
        else f"{value['value']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"
    )


def _kappa(value: dict[str, Any]) -> str:
    if "missing_reason" in value:
        return f"missing: {value['missing_reason']}"
    return f"{value['value']:.2f} [{value['low']:.2f}, {value['high']:.2f}], equal in {value['agreement']:.2f} of {value['n']}"
