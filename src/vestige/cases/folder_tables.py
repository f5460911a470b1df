"""CSV and Parquet files to objects with their line or row numbers: the same objects as JSON Lines would hold.

CSV: UTF-8, a header row, comma-separated, cells with commas or line breaks in "double quotes"; a list is JSON in its cell.
An empty cell is no value, except where a value is needed: there it is the empty text. Parquet: one column a field, a
list column for a list; a null is no value. A column of an unknown name is reported once and passed over.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from vestige.cases.folder_encoding import is_text
from vestige.cases.folder_fields import Field, Fields, unknown
from vestige.cases.folder_jsonl import TwiceError, load_json, no_rows
from vestige.cases.folder_text import MAX_ROW_BYTES, Found, Line, Problem, shown

_BATCH = 1000
_PYARROW = "install it with: pip install pyarrow (or save the file as JSON Lines or CSV)"


def read_csv(folder: Path, file: str, fields: Fields | None, found: Found) -> Iterator[Line]:
    """Yield every row of a CSV file as an object; `Line.line` is where the row begins. No `fields`: any, all of them texts."""
    if not is_text(folder, file, found):
        return
    csv.field_size_limit(MAX_ROW_BYTES)  # the default, 131,072 characters, is less than a row may have
    with (folder / file).open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(_bounded(stream), strict=True)
        begin = 1
        try:
            header = next(reader, None)
            if header is None:
                found.add(no_rows(file))
                return
            fields = fields or dict.fromkeys(header, Field())
            if not _sound_header(header, file, fields, found):
                return
            begin = reader.line_num + 1
            empty = True
            for cells in reader:
                if any(cells):
                    empty = False
                    yield from _from_cells(Line(file, begin, {}), header, cells, fields, found)
                begin = reader.line_num + 1
            if empty:
                found.add(no_rows(file))
        except csv.Error as error:
            says = (f"from the row that begins here on, this is no CSV ({error})", 'look for a "quote" that is not closed or not doubled')
            found.add(Problem("malformed CSV", file, begin, "", "", *says))


def _bounded(stream: IO[str]) -> Iterator[str]:
    """Yield lines, none of them longer than a row may be."""
    while line := stream.readline(MAX_ROW_BYTES + 2):
        if len(line) > MAX_ROW_BYTES:
            raise csv.Error(f"a line of more than {MAX_ROW_BYTES:,} characters")
        yield line


def _sound_header(header: list[str], file: str, fields: Fields, found: Found) -> bool:
    other = next((mark for mark in (";", "\t", "|") if len(header) == 1 and mark in header[0]), None)
    if other:
        says = (f"the columns are separated by {other!r}, not by commas", "save the file with commas")
        found.add(Problem("separator", file, 1, "", shown(header[0]), *says))
        return False
    for name in {n for n in header if header.count(n) > 1}:
        says = ("two columns have this name, and only the last would count", "keep one of them")
        found.add(Problem("field twice", file, 1, shown(name), "", *says))
    _unknown_columns(Line(file, 1, dict.fromkeys(header)), fields, found)
    if absent := [name for name, field in fields.items() if field.needed and name not in header]:
        found.add_all(Problem("missing field", file, 1, name, "", "there is no such column", f"add {name!r}") for name in absent)
    return not absent


def _unknown_columns(line: Line, fields: Fields, found: Found) -> None:
    for name in line.value:
        if name not in fields:
            problem = unknown(line, name, fields)
            found.add(Problem("unknown field", line.file, line.line, problem.field, "", "there is no such column", problem.remedy))


def _from_cells(line: Line, header: list[str], cells: list[str], fields: Fields, found: Found) -> Iterator[Line]:
    if len(cells) != len(header):
        says = (f"the row has {len(cells)} cells, the header has {len(header)}", 'put a cell with a comma in "double quotes"')
        found.add(Problem("cells", line.file, line.line, "", shown(cells[-1]), *says))
        return
    size = sum(map(len, cells))
    if size > MAX_ROW_BYTES:
        found.add(_long(line, size))
        return
    sound = True
    for name, cell in zip(header, cells, strict=True):
        field = fields.get(name)
        if field is None or not (cell or field.needed):
            continue
        line.value[name] = cell
        if field.many:
            try:
                line.value[name] = load_json(cell)
            except (json.JSONDecodeError, TwiceError, RecursionError):
                says = ("a list is written as JSON in its cell", 'write ["one", "two"], and in the file "[""one"", ""two""]"')
                found.add(line.problem("malformed JSON", name, cell, says))
                sound = False
    if sound:
        yield line


def _long(line: Line, size: int) -> Problem:
    says = (f"the row is {size:,} characters long, the limit is {MAX_ROW_BYTES:,}", "split it into several rows")
    return Problem("long row", line.file, line.line, "", "", *says)


def read_parquet(folder: Path, file: str, fields: Fields | None, found: Found) -> Iterator[Line]:
    """Yield every row of a Parquet file as an object; `Line.line` is the number of the row. No `fields`: any."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        found.add(Problem("pyarrow", file, 0, "", "", "reading Parquet needs the package pyarrow, which is not installed", _PYARROW))
        return
    try:
        with parquet.ParquetFile(folder / file) as data:
            columns = data.schema_arrow.names
            fields = fields or dict.fromkeys(columns, Field())
            _unknown_columns(Line(file, 0, dict.fromkeys(columns)), fields, found)
            known = [name for name in columns if name in fields]
            number = 0
            for batch in data.iter_batches(batch_size=_BATCH, columns=known):
                for value in batch.to_pylist():
                    number += 1
                    yield from _from_row(Line(file, number, {k: v for k, v in value.items() if v is not None}), found)
            if not number:
                found.add(no_rows(file))
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        says = (f"this is no Parquet file that can be read ({str(error).splitlines()[0]})", "write it again from its source")
        found.add(Problem("malformed Parquet", file, 0, "", "", *says))


def _from_row(line: Line, found: Found) -> Iterator[Line]:
    size = sum(len(v) for v in line.value.values() if isinstance(v, (str, bytes)))
    if size > MAX_ROW_BYTES:
        found.add(_long(line, size))
    else:
        yield line
