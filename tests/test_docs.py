"""The documents speak of what exists: verbs, options, plan keys, files, links."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import vestige
from vestige import plan_tuning
from vestige.cases.folder_check import check
from vestige.cli import EXIT, main
from vestige.plan import resolve
from vestige.plans import text_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IDS = [str(p.relative_to(ROOT)) for p in DOCUMENTS]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [body for name, body in _FENCE.findall(text) if name == language]


def commands(text: str) -> Iterator[list[str]]:
    """Yield every `vestige ...` command that is written as code, split into words."""
    fenced = "\n".join(body for name, body in _FENCE.findall(text) if name in ("", "sh", "bash", "shell", "console"))
    rest = _FENCE.sub("", text)
    indented = "\n".join(line for line in rest.splitlines() if line.startswith("    "))
    inline = "\n".join(re.findall(r"`([^`\n]+)`", rest))
    for line in (fenced + "\n" + indented + "\n" + inline).splitlines():
        line = line.strip().removeprefix("$ ")
        if re.match(r"vestige(\s|$)", line):
            yield shlex.split(line, comments=True)[1:]


def all_commands() -> list[tuple[str, list[str]]]:
    """Return (document, words) of every command."""
    return [
        (name, words) for name, path in zip(IDS, DOCUMENTS, strict=True) for words in commands(path.read_text(encoding="utf-8")) if words
    ]


def every_command(group: click.Group) -> Iterator[click.Command]:
    """Yield every command of a group and of the groups in it."""
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from every_command(command)


COMMANDS = all_commands()


def test_the_documents_are_found() -> None:
    assert {"README.md", "DESIGN.md", "docs/own-case.md"} <= set(IDS)
    assert len(COMMANDS) >= len(main.commands)


@pytest.mark.parametrize(("document", "words"), COMMANDS, ids=[f"{d}: {' '.join(w)}" for d, w in COMMANDS])
def test_every_command_that_is_shown_is_one(document: str, words: list[str]) -> None:
    if words[0].startswith("-"):
        assert words[0] in ("--help", "-h", "--version"), document
        return
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in command.commands, (document, name)
        command = command.commands[name]
    confirmed = ["--yes"] if words[0] == "shred" else []
    try:
        command.make_context(words[0], [*rest, *confirmed])
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        assert not rest, document  # a verb named by itself, in running text
    except click.exceptions.Exit:
        assert {"--help", "-h"} & set(words), document


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_command_is_documented_in_the_readme(verb: str) -> None:
    shown = {words[0] for words in commands(README) if words}
    assert verb in shown or re.search(rf"make {verb}\b", README), verb


@pytest.mark.parametrize(("document", "path"), list(zip(IDS, DOCUMENTS, strict=True)), ids=IDS)
def test_every_option_that_is_named_exists(document: str, path: Path) -> None:
    """Options named in running text, such as "--reveal shows texts"."""
    known = {opt for command in every_command(main) for p in command.params for opt in p.opts} | {"--help", "--version"}
    known |= {"--index-url", "--no-deps", "--constraint"}  # pip's
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text(encoding="utf-8")))
    assert named <= known, document


def links() -> list[tuple[str, str]]:
    """Return (document, target) of every relative link."""
    found = []
    for name, path in zip(IDS, DOCUMENTS, strict=True):
        for target in _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))):
            if not re.match(r"[a-z]+:", target):
                found.append((name, target))
    return found


@pytest.mark.parametrize(("document", "target"), links(), ids=[f"{d} -> {t}" for d, t in links()])
def test_every_relative_link_resolves(document: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    place = (ROOT / document).parent / path if path else ROOT / document
    assert place.exists(), f"{document} links to {target}, which is not there"
    assert place.resolve().is_relative_to(ROOT)
    if anchor:
        headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}


def test_every_file_of_the_readmes_tree_is_there() -> None:
    tree = README.split("## The tree")[1]
    named = re.findall(r"^    (\S+/)|(\b[A-Z]+\.md)\b", tree, re.MULTILINE)
    names = {a or b for a, b in named}
    assert {"src/vestige/", "tests/", "docs/", "tools/", "DESIGN.md", "LOG.md", "CHANGELOG.md"} <= names
    assert [n for n in sorted(names) if not (ROOT / n).exists()] == []


def test_every_module_that_the_design_names_is_there() -> None:
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    tree = text.split("    src/vestige/")[1].split("**Arrows.**")[0]
    modules = {p.name for p in (ROOT / "src").rglob("*.py")}
    packages = {p.name for p in (ROOT / "src").rglob("*/") if p.is_dir()}
    assert [n for n in re.findall(r"\b(\w+\.py)\b", tree) if n not in modules] == []
    assert [n for n in re.findall(r"\b(\w+)/", tree) if n not in packages] == []


def test_the_design_names_every_module_of_the_package() -> None:
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    own = {p.name for p in (ROOT / "src" / "vestige").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert [n for n in sorted(own) if n not in text] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)", README))))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"make \w+ ([A-Z_]+)=", README))))
def test_every_make_variable_that_is_named_exists(variable: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE)
    assert f"$({variable})" in makefile or f"$(if $({variable})" in makefile


def plan_snippets() -> list[tuple[str, str]]:
    """Return (document, text) of every TOML block that is part of a plan (a case's manifest is none)."""
    found = [(n, body) for n, path in zip(IDS, DOCUMENTS, strict=True) for body in blocks(path.read_text(encoding="utf-8"), "toml")]
    return [(name, body) for name, body in found if "knowledge" not in tomllib.loads(body)]


@pytest.mark.parametrize(("document", "text"), plan_snippets(), ids=[d for d, _ in plan_snippets()])
def test_every_piece_of_a_plan_that_is_shown_resolves(document: str, text: str) -> None:
    piece = tomllib.loads(text)
    whole: dict[str, Any] = tomllib.loads(text_of("customers"))
    whole.update(piece)
    if "tune" in piece:
        del whole["unlearn"]
        assert plan_tuning.read(whole, folder=ROOT).tuning.trials
        return
    resolved = resolve(whole, folder=ROOT)
    assert resolved.described()
    if piece.get("case", {}).get("name") == "folder":
        assert check(resolved.case.made.path) == [], document


def test_the_readmes_python_runs_as_far_as_its_call() -> None:
    (code,) = blocks(README, "python")
    called = []
    signature = inspect.signature(vestige.audit)

    class Stub:
        @staticmethod
        def audit(*args: Any, **kwargs: Any) -> dict[str, Any]:
            called.append(signature.bind(*args, **kwargs).arguments)
            return {}

    exec(compile(code.replace("import vestige\n", ""), "README.md", "exec"), {"vestige": Stub})  # our own README
    assert len(called) == 1
    assert (ROOT / called[0]["case"] / "case.toml").is_file()


def test_the_readme_gives_the_exit_codes_of_the_command_line() -> None:
    said = re.search(r"Exit codes.*?interrupted", README, re.DOTALL)
    assert said
    for word, code in EXIT.items():
        assert f"{code} {word}" in said.group()
    for code, what in ((2, "error or incomplete"), (4, "bad plan or usage"), (130, "interrupted")):
        assert f"{code} {what}" in said.group()


def test_rows_and_probes_that_are_shown_are_rows_and_probes(tmp_path: Path) -> None:
    """Each JSON line of the guide is put into a copy of the example case, which must still be sound."""
    guide = (ROOT / "docs" / "own-case.md").read_text(encoding="utf-8")
    shown = [json.loads(line) for body in blocks(guide, "json") for line in body.splitlines()]
    assert [sorted(s) for s in shown] == [
        ["answer", "attribute", "cluster", "id", "prompt"],
        ["answer", "cluster", "distractors", "group", "id", "prompt"],
    ]
    example = ROOT / "docs" / "examples" / "customers"
    forget = [json.loads(line) for line in (example / "forget.jsonl").read_text(encoding="utf-8").splitlines()]
    assert shown[0] in forget
    for path in example.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(example)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    others = [
        {**shown[1], "id": f"{r['id']}/q", "prompt": f"{r['cluster']} lives in", "answer": r["answer"], "cluster": r["cluster"]}
        for r in forget
        if r["attribute"] == "City" and r["cluster"] != shown[1]["cluster"]
    ]
    for other in others:
        other["distractors"] = [d for d in (" Paris", " Tokyo", " Oslo") if d != other["answer"]][:2]
    text = "".join(json.dumps(p) + "\n" for p in [shown[1], *others])
    (tmp_path / "probes.jsonl").write_text(text, encoding="utf-8")
    assert check(tmp_path) == []


def test_the_guide_counts_the_example_right() -> None:
    guide = (ROOT / "docs" / "own-case.md").read_text(encoding="utf-8")
    folder = ROOT / "docs" / "examples" / "customers"

    def rows(file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / file).read_text(encoding="utf-8").splitlines()]

    def people(file: str) -> int:
        return len({r["cluster"] for r in rows(file)})

    flat = " ".join(guide.split())
    assert f"{people('forget.jsonl')} customers to forget ({len(rows('forget.jsonl'))} rows)" in flat
    assert f"{people('retain.jsonl')} to retain ({len(rows('retain.jsonl'))} rows)" in flat
    assert f"{people('decoy.jsonl')} decoys ({len(rows('decoy.jsonl'))} rows)" in flat
    assert f"{len(rows('utility.jsonl'))} utility probes" in flat
    assert f"`unrelated` ({len(rows('sources/unrelated.jsonl'))} sentences)" in flat
    new = "sources/new_customers.jsonl"
    assert f"`new_customers` ({len(rows(new))} rows about {people(new)} customers)" in flat


@pytest.mark.parametrize("name", ["customers", "capitals"])
def test_the_comments_of_the_built_in_plans_name_commands_that_exist(name: str) -> None:
    shown = [words for words in commands(text_of(name)) if words]
    assert all(words[0] in main.commands for words in shown)
    assert name != "customers" or shown


def test_no_document_names_a_place_on_one_machine() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", text), path
