"""What only shows when rows are held against each other: ids, questions and clusters that stand there twice.

Rows come as numbers (`folder_columns`); the few lines that a message must quote are read once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from vestige.cases.folder_columns import Table
from vestige.cases.folder_rows import Layout
from vestige.cases.folder_text import KEPT, Found, Line, Problem, shown
from vestige.records import GROUPS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

_LEAST_CLUSTERS = 3
_JUDGED_VALUES = 8
_FORGET = GROUPS.index("forget")


@dataclass(frozen=True)
class Counts:
    """How much a case holds. `rows` and `probes` are by part and by group; `asked` counts forget clusters with primary probes."""

    rows: dict[str, int] = field(default_factory=dict)
    clusters: dict[str, int] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    primary: int = 0


class _Pair(NamedTuple):
    """A row (`at`) and an earlier one that it clashes with, by index."""

    at: int
    before: int
    tell: Callable[[_Two], Problem]
    doubt: bool = False


class _Two(NamedTuple):
    """The two lines of a pair, the group of each, and the field that names the cluster."""

    at: Line
    before: Line
    group: str
    owner: str
    cluster: str


def look_across(where: Layout, table: Table, found: Found) -> Counts:
    """Note what is wrong or doubtful between rows, and return how much there is."""
    if len(table["id"]):
        pairs = [*_ids(table), *_questions(table), *_overlaps(table), *_lonely(where, table)]
        _tell(where, table, pairs, found)
        found.add_all(_few_clusters(where, table))
        for doubts in (_coarse(where, table), _skewed(table), _unasked(where, table)):
            found.warn_all(doubts)
    return _counts(where, table)


def _tell(where: Layout, table: Table, pairs: list[_Pair], found: Found) -> None:
    """Read the lines of all pairs again and note what is to be said about them."""
    kept = pairs[:KEPT]
    found.more += len(pairs) - len(kept)
    places: dict[str, set[int]] = defaultdict(set)
    for file, number in (table.place(index) for pair in kept for index in (pair.at, pair.before)):
        places[file].add(number)
    values = where.values_at(places)

    def line(index: int) -> Line:
        place = table.place(index)
        return Line(*place, values[place])

    for pair in kept:
        two = _Two(line(pair.at), line(pair.before), _group(table, pair.at), _group(table, pair.before), where.cluster_field)
        (found.warn if pair.doubt else found.add)(pair.tell(two))


def _group(table: Table, index: int) -> str:
    code = int(table["group"][index])
    return GROUPS[code] if code < len(GROUPS) else "a source"


def _pairs(at: Indices, before: Indices, tell: Callable[[_Two], Problem], *, doubt: bool = False) -> Iterator[_Pair]:
    yield from (_Pair(int(i), int(j), tell, doubt) for i, j in zip(at, before, strict=True))


def _ids(table: Table) -> Iterator[_Pair]:
    written = table["written"]
    yield from _pairs(*table.repeats(table["id"], ~written), _same_id)
    # Derived probes carry the ids of their rows, which were looked at just now.
    at, before = table.repeats(table["id"], table["asked"])
    yield from _pairs(at[written[at]], before[written[at]], _same_id)


def _same_id(two: _Two) -> Problem:
    says = (f"the id is taken by {two.before.place} (compared under NFKC, trimmed)", "choose another")
    return two.at.problem("duplicate id", "id", two.at.value["id"], says)


def _questions(table: Table) -> Iterator[_Pair]:
    """Same question: within one file of rows, or among all written probes."""
    for key, among in ((table.key("file", "prompt"), ~table["written"]), (table.key("prompt"), table["written"])):
        at, before = table.repeats(key, among & (table["prompt"] != 0))
        other = table["answer"][at] != table["answer"][before]
        yield from _pairs(at[other], before[other], _two_answers)
    at, before = table.repeats(table.key("file", "prompt", "answer", "cluster"), table["id"] != 0)
    yield from _pairs(at, before, _twice, doubt=True)


def _two_answers(two: _Two) -> Problem:
    says = (
        f"the same question has the answer {shown(two.before.value['answer'])} at {two.before.place}",
        "keep one answer, or say in the question what sets the two apart",
    )
    return two.at.problem("two answers", "answer", two.at.value["answer"], says)


def _twice(two: _Two) -> Problem:
    says = (f"the same text stands at {two.before.place}", "remove one: it would count twice")
    return two.at.problem("repeated row", "answer", two.at.value["answer"], says)


def _overlaps(table: Table) -> Iterator[_Pair]:
    """Forget, retain, decoy and utility share neither a cluster nor a question; one cluster has one value of an attribute."""
    grouped = table["group"] < len(GROUPS)
    conflicts = _conflicts(table)
    for name in ("cluster", "prompt"):
        at, before = table.repeats(table[name], grouped & (table[name] != 0))
        other = table["group"][at] != table["group"][before]
        for pair in _pairs(at[other], before[other], _shared(name)):
            conflict = conflicts.pop(pair.at, pair.at) if name == "cluster" else pair.at
            apart = table["group"][conflict] != table["group"][pair.at]
            yield _Pair(pair.at, conflict, _two_people) if apart else pair
    yield from (_Pair(at, before, _contradicts, doubt=True) for at, before in conflicts.items())


def _conflicts(table: Table) -> dict[int, int]:
    """Return row → earlier row with another value for the same attribute of the same cluster, asked in other words."""
    at, before = table.repeats(table.key("cluster", "attribute"), (table["attribute"] != 0) & ~table["written"])
    other = (table["answer"][at] != table["answer"][before]) & (table["prompt"][at] != table["prompt"][before])
    return dict(zip(at[other].tolist(), before[other].tolist(), strict=True))


def _shared(name: str) -> Callable[[_Two], Problem]:
    def tell(two: _Two) -> Problem:
        says = (f"it belongs to {two.owner} as well ({two.before.place})", f"leave it in {two.owner} or in {two.group}, not in both")
        return two.at.problem("overlap", name, two.at.value[two.cluster if name == "cluster" else name], says)

    return tell


def _two_people(two: _Two) -> Problem:
    attribute, answer, before = shown(two.at.value["attribute"]), shown(two.at.value["answer"]), shown(two.before.value["answer"])
    conflict = f"where {attribute} is {before} and not {answer}: two under one name, perhaps"
    says = (
        f"it belongs to {two.owner} as well ({two.before.place}), {conflict}",
        f"give each a name of its own, or leave it in {two.owner} or in {two.group}, not in both",
    )
    return two.at.problem("overlap", "cluster", two.at.value[two.cluster], says)


def _contradicts(two: _Two) -> Problem:
    cluster, attribute, before = shown(two.at.value[two.cluster]), shown(two.at.value["attribute"]), shown(two.before.value["answer"])
    says = (
        f"{two.before.place} gives {cluster} another {attribute}, {before}",
        "keep one, unless both are true; if these are two under one name, tell them apart",
    )
    return two.at.problem("contradiction", "answer", two.at.value["answer"], says)


def _lonely(where: Layout, table: Table) -> Iterator[_Pair]:
    """Probes that nothing would unlearn, and questions without a wrong answer."""
    import numpy as np

    forget = table["group"] == _FORGET
    if "forget" in where.files:
        held = np.isin(table["cluster"], table["cluster"][forget & ~table["written"]])
        at = np.flatnonzero(forget & table["written"] & ~held)
        yield from _pairs(at, at, _no_row)
    if where.about.get("primary") == "choice":
        derived = table["asked"] & ~table["written"]
        all_values = table.distinct(table.key("group", "attribute"), table["answer"], derived)
        own_values = table.distinct(table.key("group", "attribute", "cluster"), table["answer"], derived)
        at = np.flatnonzero(derived & (all_values == own_values))
        yield from _pairs(at, at, _no_candidates)


def _no_row(two: _Two) -> Problem:
    says = ("no row to be forgotten is about this cluster", "add its rows: nothing would unlearn it")
    return two.at.problem("no row", "cluster", two.at.value[two.cluster], says)


def _no_candidates(two: _Two) -> Problem:
    says = (
        'the answer is the only candidate, and primary is "choice"',
        'give other rows of the group other values of this attribute, or write probes with distractors, or set primary = "keyword"',
    )
    return two.at.problem("candidates", "distractors", [], says)


def _few_clusters(where: Layout, table: Table) -> Iterator[Problem]:
    counts = _counts(where, table)
    if counts.rows.get("forget") and counts.asked < _LEAST_CLUSTERS:
        says = (
            f"{counts.asked} clusters to forget are asked about (in the wording 'primary'); {_LEAST_CLUSTERS} is the least",
            "add more: every cluster is one independent observation, and 16 or more make a usable interval",
        )
        yield Problem("few clusters", where.files.get("probes", where.files["forget"]), 0, "cluster", "", *says)


def _coarse(where: Layout, table: Table) -> Iterator[Problem]:
    sizes = table.sizes(table["cluster"], _primary(table))
    once = int((sizes == 1).sum())
    if once and "forget" in where.files:
        says = (
            f"{once:,} of {len(sizes):,} clusters to forget are asked a single question",
            "two or more facts about each steady its mean, and let one fact jog the memory of another",
        )
        yield Problem("single questions", where.files["forget"], 0, "cluster", "", *says)


def _skewed(table: Table) -> Iterator[Problem]:
    """A value that most of them share can be guessed without any memory."""
    import numpy as np

    among = _primary(table) & (table["attribute"] != 0)
    _, first, counts = np.unique(table.key("attribute", "answer")[among], return_index=True, return_counts=True)
    indices = np.flatnonzero(among)[first]
    attributes, totals = np.unique(table["attribute"][among], return_counts=True)
    of = totals[np.searchsorted(attributes, table["attribute"][indices])]
    for n in np.flatnonzero((2 * counts > of) & (of >= _JUDGED_VALUES)):
        file, line = table.place(int(indices[n]))
        says = (
            f"{counts[n]:,} of {of[n]:,} answers of its attribute are this one, so it can be guessed",
            "let each value answer about equally often",
        )
        yield Problem("frequent value", file, line, "answer", "", *says)


def _unasked(where: Layout, table: Table) -> Iterator[Problem]:
    counts = _counts(where, table)
    if "retain" in counts.rows and "retain" not in counts.probes:
        says = ("nothing asks whether what is kept is still known", "give its rows questions, or write probes of the group 'retain'")
        yield Problem("no retain probes", where.files["retain"], 0, "", "", *says)
    if "utility" not in counts.probes:
        says = ("there are no general questions, so damage shows in the retained rows only", "write some, as in docs/own-case.md")
        yield Problem("no utility probes", "utility.jsonl", 0, "", "", *says)


def _primary(table: Table) -> NDArray[np.bool_]:
    """Return which rows and written probes decide: the questions about what is to be forgotten, in their primary wording."""
    chosen: NDArray[np.bool_] = table["asked"] & table["primary"] & (table["group"] == _FORGET)
    return chosen


def _counts(where: Layout, table: Table) -> Counts:
    rows = {part: int(((table["file"] == n) & ~table["written"]).sum()) for n, part in enumerate(where.files)}
    groups = {group: table["group"] == code for code, group in enumerate(GROUPS)}
    clusters = {group: len(table.sizes(table["cluster"], among)) for group, among in groups.items()}
    probes = {group: int((among & table["asked"]).sum()) for group, among in groups.items()}
    primary = _primary(table)
    return Counts(
        {part: n for part, n in rows.items() if n},
        {group: n for group, n in clusters.items() if n},
        {group: n for group, n in probes.items() if n},
        len(table.sizes(table["cluster"], primary)),
        int(primary.sum()),
    )
