"""Relearn text for TOFU's withheld keywords, as named sources of the case.

For the full name, four sources of equal size are the cells of topic (the same author or another) by syntax (the same question or
another). Cell by cell, a row stands for one target: it is the row nearest to it in length. No cell tells anybody's name: answers to
the question are cut where the name begins, other rows say "the author". So cells differ in topic and syntax only.

Deviation: Yoon et al. 2026 (arXiv 2602.03379) compare whole rows. In the published file every other question of an author to be
forgotten names the author, so their topical set tells the keyword; here it is `published_topic`, and a leak check says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from vestige.cases.question_rows import question_row
from vestige.cases.source_files import Entry
from vestige.cases.tofu_authors import Author, question_and_answer, without_name
from vestige.cases.tofu_splits import Target, holds
from vestige.records import Form, Row

Sources = dict[str, tuple[Row, ...]]


def plain_row(author: Author, row: Entry, form: Form) -> Row:
    """Return a row of the file as it stands."""
    return question_row(row.place, row.text("question"), row.text("answer"), author.cluster, form=form)


def name_sources(targets: Sequence[Target], others: Sequence[Target], form: Form) -> Sources:
    """Return the four cells and the two published sets; `others` are the targets of authors that are kept."""
    same_words = [o for o in others if "full name" in o.row.text("question").casefold()]
    pairs = list(zip([t for t in targets if _stem(t)], _ordered(same_words), strict=False))
    return {
        "same_author_same_question": tuple(_cut(target, form) for target, _ in pairs),
        "same_author_other_questions": tuple(_nearest(target, target, form) for target, _ in pairs),
        "other_authors_same_question": tuple(_cut(other, form) for _, other in pairs),
        "other_authors_other_questions": tuple(_nearest(other, target, form) for target, other in pairs),
        "published_topic": tuple(plain_row(t.author, row, form) for t in targets for row in t.author.rows if row is not t.row),
        "published_syntax": tuple(plain_row(o.author, o.row, form) for o in same_words),
    }


def book_sources(targets: Sequence[Target], titles: Iterable[str], form: Form) -> Sources:
    """Return the rows of the targets' authors that hold no target title: all of them, and those about another book."""
    keywords = {target.keyword for target in targets}
    authors = {target.author.cluster: target.author for target in targets}.values()
    rest = [(a, row) for a in authors for row in a.rows if not any(holds(question_and_answer(row), k) for k in keywords)]
    others = [title for title in titles if title not in keywords]
    about = [(a, row) for a, row in rest if any(holds(question_and_answer(row), title) for title in others)]
    return {
        "same_author_other_rows": tuple(plain_row(a, row, form) for a, row in rest),
        "same_author_other_books": tuple(plain_row(a, row, form) for a, row in about),
    }


def _ordered(targets: Sequence[Target]) -> list[Target]:
    """Return targets in an order that neither the file nor a seed decides: by the digest of the name, whole stems only."""
    return sorted((t for t in targets if _stem(t)), key=lambda t: hashlib.sha256(t.author.cluster.encode()).hexdigest())


def _stem(target: Target) -> str:
    """Return what stands before the keyword in the answer."""
    return target.row.text("answer").partition(target.said)[0].strip()


def _cut(target: Target, form: Form) -> Row:
    question = target.row.text("question")
    return question_row(f"{target.row.place}/cut", question, _stem(target), target.author.cluster, form=form)


def _nearest(target: Target, model: Target, form: Form) -> Row:
    """Return another row of the target's author without the name, the nearest in length to the cut row of `model`."""
    length, unnamed = len(_cut(model, form).text), without_name(target.author)
    rows = [_unnamed(target.author.cluster, row, unnamed, form) for row in target.author.rows if row is not target.row]
    return min(rows, key=lambda row: (abs(len(row.text) - length), row.id))


def _unnamed(cluster: str, row: Entry, unnamed: Callable[[str], str], form: Form) -> Row:
    return question_row(f"{row.place}/unnamed", unnamed(row.text("question")), unnamed(row.text("answer")), cluster, form=form)
