"""The command line of cases: `vestige case check`, `vestige case show`, and what `vestige init --case` takes.

It parses and delegates; nothing here loads a model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from vestige.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
TEMPLATES = ("support-tickets", "hr-records", "contracts")
_OPTION = {"forget": "from", "cluster_field": "cluster-field"}
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(
    "case",
    short_help="Check a case, or show what it holds.",
    epilog="\b\nExamples:\n  vestige case check docs/examples/customers\n  vestige case show customers",
)
def case() -> None:
    """Look at a case: what is to be forgotten, what is to be kept, and how both are asked.

    \b
    Start one:   vestige init --case DIR --from FILE
    Check it:    vestige case check DIR
    Look at it:  vestige case show DIR
    """


@case.command()
@click.argument("path", metavar="DIR")
@click.option("--revision", default="main", show_default=True, help="Of a hub data set.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def check(path: str, revision: str, as_json: bool) -> None:
    """List everything that is wrong with the case in DIR, each with its place and what to do about it.

    DIR is a folder, or a hub data set OWNER/NAME of the same layout. Ends with 4 if there is a problem, with 0 if
    there are none; warnings do not count.
    """
    from vestige import case_summary
    from vestige.cases.folder_check import examine

    examined = examine(path, revision)
    if as_json:
        click.echo(json.dumps(case_summary.checked(path, examined), indent=1))
    else:
        click.echo(case_summary.checked_text(path, examined))
    sys.exit(4 if examined.problems else 0)


@case.command()
@click.argument("name", metavar="DIR|NAME")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A field of a built-in case; `vestige list cases` names them.")
@click.option("--reveal", is_flag=True, help="Show the texts that are to be forgotten.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def show(name: str, settings: tuple[str, ...], reveal: bool, as_json: bool) -> None:
    """Show what a case holds: its files and groups, clusters, attributes and splits, and an example of each.

    Texts that are to be forgotten are masked. NAME is a built-in case, such as customers.
    """
    from vestige import case_summary

    found = case_summary.shown(case_summary.case_of(name, settings), reveal=reveal)
    click.echo(json.dumps(found, indent=1, ensure_ascii=True) if as_json else case_summary.shown_text(found))


def case_options(command: F) -> F:
    """Give `init` the options of a case; they arrive together as keywords, for `init_case`."""
    options = (
        click.option(
            "--case", "case_folder", type=click.Path(file_okay=False, path_type=Path), help="Write a case into this new folder instead."
        ),
        click.option("--from", "forget", type=_FILE, help="Draft the case from a file of what is to be forgotten: .jsonl, .csv, .txt, ..."),
        click.option("--retain", type=_FILE, help="With --from: a file of what is to be kept."),
        click.option("--cluster-field", help="With --from: the field that names the person, place or work of a row."),
        click.option("--template", type=click.Choice(TEMPLATES), help="Write a complete case of invented people, to copy from."),
        click.option("--lang", help="The language of the case: en or ja for a template, any for a draft (guessed by default)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wants_case(case_folder: Path | None, options: Mapping[str, Any]) -> bool:
    """Write a case where `init` was asked for one, and say what to do next; return whether it was.

    Raises:
        UsageError: the options do not fit together.
    """
    if case_folder is None:
        if given := [name for name, value in options.items() if value]:
            raise UsageError(f"--{_OPTION.get(given[0], given[0])} needs --case DIR, the folder to write")
        return False
    if bool(options["forget"]) == bool(options["template"]):
        raise UsageError("--case needs either --from FILE, what is to be forgotten, or --template NAME")
    if options["template"]:
        if given := [name for name in ("retain", "cluster_field") if options[name]]:
            raise UsageError(f"--{_OPTION.get(given[0], given[0])} goes with --from, not with --template")
        from vestige.cases.templates import write as write_template

        said = write_template(case_folder, options["template"], options["lang"] or "en")
    else:
        from vestige.cases.draft import Wanted
        from vestige.cases.draft import write as write_draft

        said = write_draft(case_folder, Wanted(options["forget"], options["retain"], options["lang"], options["cluster_field"]))
    click.echo(said)
    click.echo(f"next: vestige case check {case_folder}")
    return True
