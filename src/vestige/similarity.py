"""How alike a relearn set and the probes are: in letters, in sentence pattern, in words. No model, no torch.

Paper: Yoon, Hong, Jeung and No, "Rethinking Benign Relearning: Syntax as the Hidden Driver of Unlearning Failures", 2026,
arXiv 2602.03379: Sim(s, t) = 1 − d_Lev(s, t) / max(|s|, |t|) over characters, between relearn text and forget queries.
Relevance is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, eq. 3.15).

All measures lie in [0, 1]; higher is more alike.

- *Character similarity*: Sim between whole texts, prompt and answer together, as they stand.
- *Template similarity*: Sim between questions once what they are about is masked (`template`), so that "Who is A's
  father?" and "Who is B's father?" are one template. A row without a prompt is compared by its text.
- *Relevance* of a row r to a question q: Σ_t idf(t) · f / (f + k1 (1 − b + b |r| / mean |r|)) / Σ_t idf(t) over the distinct
  words t of q, f the count of t in r, k1 = 1.2, b = 0.75: BM25 as a share of what no text can exceed, so that
  long and short questions compare. idf(t) = log(1 + (N − n + ½) / (n + ½)) for n of the N texts of a collection.
- *Answer overlap*: the idf-weighted share of an answer's words, beyond those of its question, that a row says.

Deviation: masking needs no parser, so a lower-case noun that is not the cluster's name stays in a template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse import csr_array

from vestige.errors import DataError, ModelError
from vestige.records import Missing, Probe, Row
from vestige.text import is_unspaced, words

Scores = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[Any]]
"""Texts to unit vectors (N, D): where an embedding model comes in."""
Inform = Callable[[Sequence[Row], Sequence[Probe]], Sequence[float | Missing]]
"""Rows (N) to how much each says about the answer it says most about: where V-information comes in."""

COVARIATES = ("rows", "tokens", "levenshtein", "template", "relevance", "on_topic", "answer_overlap", "embedding", "v_information")
MASK = "▢"
_K1, _B = 1.2, 0.75
_CHUNK = 512
_MOST_COMPARED = 1_000
_QUOTED = re.compile(r"[\"“”«「『][^\"“”»」』\n]{1,200}[\"“”»」』]")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_MASKS = re.compile(rf"{MASK}(?:[\s,]*{MASK})+")


def terms(text: str) -> list[str]:
    """Return the words of a text; in scripts without spaces, pairs of neighbouring characters."""
    found: list[str] = []
    before = ""
    for word in words(text):
        alone = len(word) == 1 and is_unspaced(word)
        if not alone:
            found.append(word)
        elif before:
            found.append(before + word)
        before = word if alone else ""
    return found


def template(text: str, names: Iterable[str] = ()) -> str:
    """Return a text with what it is about masked: `names`, quoted titles, numbers, capitalised words inside a sentence.

    Names match whole words whatever their case, the longest first; neighbouring masks become one.
    """
    masked = text
    for name in sorted({n.strip() for n in names} - {""}, key=lambda n: (-len(n), n)):
        masked = re.sub(whole_word(name), MASK, masked, flags=re.IGNORECASE)
    masked = _NUMBER.sub(MASK, _QUOTED.sub(MASK, masked))
    return _MASKS.sub(MASK, "".join(_without_capitalised(s) for s in _sentences(masked)))


def whole_word(name: str) -> str:
    """Return a pattern that finds a name standing by itself; in scripts without spaces, anywhere."""
    left = "" if is_unspaced(name[0]) else r"(?<!\w)"
    right = "" if is_unspaced(name[-1]) else r"(?!\w)"
    return left + re.escape(name) + right


def _sentences(text: str) -> Iterator[str]:
    """Yield sentences with the space behind them, so that joining them gives the text back."""
    at = 0
    for match in _SENTENCE.finditer(text):
        yield text[at : match.end()]
        at = match.end()
    yield text[at:]


def _without_capitalised(sentence: str) -> str:
    """Return the sentence with a mask for every capitalised word but its first."""
    first = _WORD.search(sentence)
    head = first.end() if first else 0
    return sentence[:head] + _WORD.sub(lambda m: MASK if m[0][0].isupper() else m[0], sentence[head:])


def template_of(item: Row | Probe) -> str:
    """Return the template of a probe's question, of a row's prompt, or of a row's text where it has no prompt."""
    if isinstance(item, Probe):
        return template(item.prompt, (item.cluster, *item.expected, *item.distractors))
    return template(item.prompt if item.prompt.strip() else item.text, (item.cluster,))


def nearest_templates(rows: Sequence[Row], probes: Sequence[Probe]) -> tuple[Scores, list[str]]:
    """Return, row by row (N), how like its template is to the probe template nearest to it, and which that is; there must be a probe."""
    patterns = sorted({template_of(p) for p in probes})
    mine = [template_of(r) for r in rows]
    distinct = sorted(set(mine))
    alike = dict(zip(distinct, _by_blocks(distinct, patterns, np.max), strict=True))
    which = dict(zip(distinct, _by_blocks(distinct, patterns, np.argmax), strict=True))
    return np.array([alike[t] for t in mine], dtype=np.float64), [patterns[int(which[t])] for t in mine]


def template_similarity(rows: Sequence[Row], probes: Sequence[Probe]) -> Scores:
    """Return, row by row (N), how like its template is to the probe template nearest to it; there must be a probe."""
    return nearest_templates(rows, probes)[0]


def character_similarity(rows: Sequence[Row], probes: Sequence[Probe]) -> Scores:
    """Return, row by row (N), the mean of Sim over the probes, of which there must be one."""
    return _by_blocks([r.text for r in rows], [p.prompt + p.answer for p in probes], np.mean)


def _by_blocks(texts: Sequence[str], others: Sequence[str], reduce: Callable[..., Any]) -> Scores:
    """Return Sim of each text with all the others, reduced to one number a text; memory stays bounded."""
    parts = [
        reduce(cdist(texts[i : i + _CHUNK], others, scorer=Levenshtein.normalized_similarity, dtype=np.float64), axis=1)
        for i in range(0, len(texts), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def relevance(rows: Sequence[Row], probes: Sequence[Probe], *, collection: Sequence[str] | None = None) -> Scores:
    """Return, row by row (N), its relevance to the question it is most relevant to.

    `collection` holds the texts that word frequencies are counted in: the rows themselves unless given.

    Raises:
        DataError: no question has a word.
    """
    documents = [terms(r.text) for r in rows]
    weights = _weights([set(terms(p.prompt)) for p in probes], documents if collection is None else [terms(t) for t in collection])
    if not weights:
        raise DataError(f"relevance: none of the {len(probes)} questions has a word to look for")
    length = np.array([len(d) for d in documents], dtype=np.float64)
    norm = _K1 * (1 - _B + _B * length / max(float(length.mean()) if len(length) else 0.0, 1.0))
    return _most(documents, weights, lambda count, row: count / (count + norm[row]))


def answer_overlap(rows: Sequence[Row], probes: Sequence[Probe]) -> list[float | Missing]:
    """Return, row by row (N), the largest share of any one answer that it says."""
    answers = [set(terms(text)) - set(terms(p.prompt)) for p in probes for text in p.expected]
    weights = _weights(answers, answers)
    if not weights:
        return [Missing("no answer has a word beyond its question")] * len(rows)
    return list(_most([terms(r.text) for r in rows], weights, lambda count, row: 1.0).tolist())


def _weights(wanted: Sequence[set[str]], collection: Sequence[Iterable[str]]) -> list[dict[str, float]]:
    """Return, for every distinct set of words that is not empty, each word's share of the set's idf."""
    df = Counter(t for text in collection for t in set(text))
    n = len(collection)
    idf = {t: float(np.log1p((n - df[t] + 0.5) / (df[t] + 0.5))) for chosen in wanted for t in chosen}
    distinct = sorted({tuple(sorted(chosen)) for chosen in wanted if chosen})
    return [{t: idf[t] / sum(idf[w] for w in chosen) for t in chosen} for chosen in distinct]


def _most(documents: Sequence[Sequence[str]], weights: list[dict[str, float]], part: Callable[[int, int], float]) -> Scores:
    """Return max over the weighted sets of Σ_t weight · part(count of t, number of the document), for each document."""
    vocabulary = {t: i for i, t in enumerate(sorted({t for chosen in weights for t in chosen}))}
    wanted = _sparse([{vocabulary[t]: w for t, w in chosen.items()} for chosen in weights], len(vocabulary))
    scores: list[Scores] = []
    for start in range(0, len(documents), _CHUNK):
        counts = [Counter(vocabulary[t] for t in d if t in vocabulary) for d in documents[start : start + _CHUNK]]
        held = [{t: part(c, start + i) for t, c in count.items()} for i, count in enumerate(counts)]
        scores.append((_sparse(held, len(vocabulary)) @ wanted.T).max(axis=1).toarray().ravel())
    return np.concatenate(scores) if scores else np.zeros(0)


def _sparse(rows: Sequence[dict[int, float]], width: int) -> Any:
    columns = [c for row in rows for c in row]
    values = [v for row in rows for v in row.values()]
    return csr_array((values, columns, np.cumsum([0, *map(len, rows)])), shape=(len(rows), width))


def topics(rows: Sequence[Row], clusters: Iterable[str]) -> list[set[str]]:
    """Return, row by row, which of the clusters it is filed under or names."""
    by_first: dict[str, list[tuple[str, list[str]]]] = {}
    for cluster in sorted(set(clusters)):
        if name := words(cluster):
            by_first.setdefault(name[0], []).append((cluster, name))
    return [_named_in(words(r.text), by_first) | ({r.cluster} & {c for found in by_first.values() for c, _ in found}) for r in rows]


def _named_in(text: Sequence[str], by_first: dict[str, list[tuple[str, list[str]]]]) -> set[str]:
    return {cluster for i, word in enumerate(text) for cluster, name in by_first.get(word, ()) if list(text[i : i + len(name)]) == name}


def covariates(
    rows: Sequence[Row],
    probes: Sequence[Probe],
    count: Callable[[str], int],
    *,
    embed: Embed | None = None,
    v_information: Inform | None = None,
) -> dict[str, float | Missing]:
    """Return what is stored with a relearn set to predict what it brings back; each value is a mean over its rows.

    `template`, `relevance`, `answer_overlap`, `embedding` and `v_information` take, for a row, the probe it is nearest to, and
    `levenshtein` the mean over probes, as the paper does. Word frequencies are counted in the questions, so that sets compare.
    Of more than 1,000 rows or probes, as many at even distances are compared.
    """
    if not rows or not probes:
        return dict.fromkeys(COVARIATES, Missing(f"{len(rows)} rows and {len(probes)} probes; both are needed"))
    some, asked = _spread(rows), _spread(probes)
    questions = [p.prompt for p in asked]
    worded = any(terms(q) for q in questions)
    values = (
        float(len(rows)),
        float(sum(count(r.text) for r in rows)),
        float(character_similarity(some, asked).mean()),
        float(template_similarity(some, asked).mean()),
        float(relevance(some, asked, collection=questions).mean()) if worded else Missing("no question has a word"),
        float(np.mean([bool(t) for t in topics(some, {p.cluster for p in probes})])),
        _mean(answer_overlap(some, asked)),
        _embedding([r.text for r in some], questions, embed) if embed else Missing("no embedding model was given"),
        mean_told(some, asked, v_information) if v_information else Missing("no never-exposed model was given"),
    )
    return dict(zip(COVARIATES, values, strict=True))


def mean_told(rows: Sequence[Row], probes: Sequence[Probe], v_information: Inform) -> float | Missing:
    """Return the covariate `v_information` by itself: the mean over rows of what each tells of the probe it tells most about."""
    if not rows or not probes:
        return Missing(f"{len(rows)} rows and {len(probes)} probes; both are needed")
    return _mean(v_information(_spread(rows), _spread(probes)))


def _spread(items: Sequence[Any]) -> list[Any]:
    """Return the items, or of too many as many at even distances as can be compared."""
    step = max(len(items) / _MOST_COMPARED, 1.0)
    return [items[int(i * step)] for i in range(min(len(items), _MOST_COMPARED))]


def _mean(values: Sequence[float | Missing]) -> float | Missing:
    """Return the mean of what is known, or why nothing is."""
    known = [v for v in values if not isinstance(v, Missing)]
    return float(np.mean(known)) if known else next(v for v in values if isinstance(v, Missing))


def unit(vectors: NDArray[Any], name: str) -> Scores:
    """Return vectors (N, D) at length 1.

    Raises:
        ModelError: one that an embedding model, `name`, gave has no direction.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise ModelError(f"embedding model {name!r}: a vector has no direction: it is zero or not finite")
    return np.asarray(vectors / lengths, dtype=np.float64)


def _embedding(texts: Sequence[str], questions: Sequence[str], embed: Embed) -> float:
    """Return the mean over texts of the largest cosine with a question."""
    return float((embed(texts) @ embed(questions).T).max(axis=1).mean())
