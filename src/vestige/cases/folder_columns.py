"""A whole case as a few numbers a row, so that rows can be held against each other without being kept.

Each text is a 64-bit hash of its normalised form (Python's own, keyed per process: two of ten million texts collide with a
chance of 3 in a million). A row costs 46 bytes; a gigabyte of rows stays within a few hundred megabytes.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vestige.cases.folder_rows import Entry
from vestige.records import GROUPS, Group, Probe, Row
from vestige.text import normalise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SOURCE = len(GROUPS)  # the code of rows that belong to no group
_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15  # an odd number without pattern: 2^64 divided by the golden ratio
_TEXTS = ("id", "prompt", "answer", "cluster", "attribute")


class Columns:
    """What is known of every row and written probe, one array a property. An empty prompt or attribute is 0."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        self._texts = {name: array("Q") for name in _TEXTS}
        self._line = array("I")
        self._small = {name: array("B") for name in ("group", "written", "asked", "primary")}
        self._file = array("H")

    def add(self, entry: Entry[Row] | Entry[Probe], group: Group | None, *, asked: bool) -> None:
        """Add a row or a written probe; `asked` says that it is a question the model will be asked."""
        made = entry.made
        texts = (unicodedata.normalize("NFKC", made.id).strip(), *map(normalise, (made.prompt, made.answer, made.cluster, made.attribute)))
        for name, text in zip(_TEXTS, texts, strict=True):
            self._texts[name].append(_hash(text))
        self._line.append(entry.at.line)
        self._file.append(self.files.index(entry.at.file))
        self._small["group"].append(GROUPS.index(group) if group else SOURCE)
        self._small["written"].append(isinstance(made, Probe))
        self._small["asked"].append(asked)
        self._small["primary"].append(not isinstance(made, Probe) or made.wording == "primary")

    def table(self) -> Table:
        """Return the columns in the order of the files, and give up one's own."""
        import numpy as np

        columns: dict[str, array[int]] = {**self._texts, **self._small, "file": self._file, "line": self._line}
        self._texts, self._small = {}, {}
        order = np.argsort(np.frombuffer(self._file, dtype="H"), kind="stable")
        # One by one, so that no two copies of the whole are ever there at once.
        return Table(self.files, {name: np.frombuffer(array_, dtype=array_.typecode)[order] for name, array_ in _emptied(columns)})


def _emptied(columns: dict[str, array[int]]) -> Iterator[tuple[str, array[int]]]:
    while columns:
        yield columns.popitem()


def _hash(text: str) -> int:
    return hash(text) & _MASK or 1 if text else 0


class Table:
    """The columns as numpy arrays; an index is one row or written probe, in the order of files and lines."""

    def __init__(self, files: list[str], columns: dict[str, NDArray[Any]]) -> None:
        self.files = files
        self._columns = {name: c.astype(bool) if name in ("written", "asked", "primary") else c for name, c in columns.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def key(self, *names: str) -> NDArray[np.uint64]:
        """Return one number for the values of several columns together."""
        import numpy as np

        key = np.zeros(len(self["id"]), dtype=np.uint64)
        for name in names:  # in place: a column of a gigabyte of rows is fifty megabytes
            key ^= self[name]
            key *= np.uint64(_SPREAD)
            key ^= key >> np.uint64(29)
        return key

    def repeats(self, key: NDArray[np.uint64], among: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the indices whose key stood before among the chosen, and the index where it stood first."""
        import numpy as np

        chosen = np.flatnonzero(among)
        order = chosen[np.argsort(key[chosen], kind="stable")]
        ordered = key[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = ordered[1:] != ordered[:-1]
        del ordered
        again, starts = np.flatnonzero(~new), np.flatnonzero(new)
        first = starts[np.searchsorted(starts, again, side="right") - 1]
        by_index = np.argsort(order[again], kind="stable")
        return order[again][by_index], order[first][by_index]

    def sizes(self, key: NDArray[np.uint64], among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many of the chosen share each of the distinct keys."""
        import numpy as np

        return np.unique(key[among], return_counts=True)[1]

    def distinct(self, key: NDArray[np.uint64], values: NDArray[np.uint64], among: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return, for every index, how many distinct `values` the chosen of its key have (0 for those not chosen)."""
        import numpy as np

        chosen = key[among]
        _, one_each = np.unique(chosen * np.uint64(_SPREAD) ^ values[among], return_index=True)
        keys, counts = np.unique(chosen[one_each], return_counts=True)
        result = np.zeros(len(key), dtype=np.int32)
        if len(keys):
            result[among] = counts[np.searchsorted(keys, chosen)]
        return result

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line of an index."""
        return self.files[int(self["file"][index])], int(self["line"][index])
