"""The table of templates: small complete cases of invented people and firms, to copy from, in English and Japanese."""

from __future__ import annotations

from pathlib import Path

from vestige.cases.folder_writing import write_folder
from vestige.cases.templates import contracts, hr_records, support_tickets
from vestige.cases.templates.form import Template, case_files, readme
from vestige.errors import UsageError, nearest

TABLE: dict[str, dict[str, Template]] = {
    "support-tickets": support_tickets.TEMPLATES,
    "hr-records": hr_records.TEMPLATES,
    "contracts": contracts.TEMPLATES,
}


def write(folder: Path, name: str, language: str) -> str:
    """Write a template into a new folder and return a sentence about it.

    Raises:
        UsageError: no such template or language, or the folder is not empty.
    """
    if name not in TABLE:
        raise UsageError(f"no template {name!r}; {nearest(name, TABLE)}")
    if language not in TABLE[name]:
        raise UsageError(f"template {name!r} is not there in the language {language!r}; expected one of: {', '.join(TABLE[name])}")
    template = TABLE[name][language]
    files = case_files(template)
    about = {
        "name": f"{name}-{language}",
        "version": "1",
        "language": language,
        "licence": "Apache-2.0",
        "knowledge": "planted",
        "primary": "choice",
        "citation": "generated from a template; everything in it is invented",
    }
    write_folder(folder, about, files, readme(name, template, files))
    rows = files["forget"]
    clusters = len({row.cluster for row in rows})
    return f"wrote {folder}: {len(rows)} invented rows to forget about {clusters} clusters; README.md says what to change"
