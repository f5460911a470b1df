"""Guesses about a plain text: its language, whom or what it is about, and the words that carry its answer.

All of them are heuristics for a draft that a person corrects. A *name* is a run of capitalised words, or in Japanese and
Chinese a run of kanji or katakana; a word that stands in four fifths of the rows is taken for wording, not for a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from vestige.text import find_keyword, is_unspaced

_WORD = re.compile(r"[^\W\d_][\w’'-]*|\d[\d.,:/-]*\d|\d|[^\w\s]")
_OPENERS = frozenset(
    "what which who whom whose where when why how is are was were does do did has have had can could will would should in on at by for "
    "from the a an and or but if to of as with this that these those it he she they his her their i we you yes no according besides apart "
    "during after before since while although through name describe explain tell give list".split()
)
_PARTICLES = frozenset("of de del der da dos la van von al el bin ibn ben y".split())
_TITLES = frozenset("mr mrs ms dr prof professor author customer client employee patient user miss sir".split())
_LABEL = re.compile(
    r"(?:氏名|名前|お客様名?|顧客名?|取引先|社員名?|会社名?|著者名?)\s*[:：]\s*([^\s、。:：（(]+)"
    r"|\b(?:[Nn]ame|[Cc]ustomer|[Cc]lient|[Ee]mployee|[Aa]uthor|[Ss]upplier|[Cc]ompany|[Pp]atient)\s*:\s*([^.,;:\n]+)"
)
_HONOURED = re.compile(r"([一-龯々ヶァ-ヴー]{2,10}(?:[・＝\s][一-龯々ァ-ヴー]{1,10})?)(?=さん|様|氏|君|くん|ちゃん|先生|殿)")
_ROLE = re.compile(r"^(?:顧客|社員|従業員|会員|患者|契約者|取引先|担当|著者|作家)(?=..)")
_HONORIFIC = re.compile(r"(?:さん|様|氏|先生|殿)$")
_RUN = re.compile(r"[一-龯々]{2,10}|[ァ-ヴー]{2,}")
_KANA, _HANGUL, _HAN = re.compile("[ぁ-ヴ]"), re.compile("[가-힣]"), re.compile("[一-龯]")
_QUOTED = re.compile(r"[“\"「『]([^“”\"」』]{2,80})[”\"」』]")
_UNUSUAL = 0.2
_FAR_MORE = 4
_WORDING = 0.8
_LONGEST_NAME = 4
UNNAMED = "unnamed"


def language_of(texts: Iterable[str]) -> str:
    """Return ja, ko, zh or en, by the scripts of a text."""
    text = "".join(texts)
    letters = max(1, sum(1 for c in text if c.isalpha()))
    # Records in Japanese may be nearly all kanji; no other language has kana.
    for language, script, least in (("ja", _KANA, 0.001), ("ko", _HANGUL, 0.1), ("zh", _HAN, 0.1)):
        if len(script.findall(text)) > least * letters:
            return language
    return "en"


def clusters_of(questions: Sequence[str], answers: Sequence[str]) -> list[str]:
    """Return whom or what each row is about: the name in its question, or else in its answer, that most rows have."""
    asked, said = [list(dict.fromkeys(names_in(t))) for t in questions], [list(dict.fromkeys(names_in(t))) for t in answers]
    rows = len(questions)
    wording = _wording_of(asked)
    asked = [_without(names, wording) for names in asked]
    one = _one_name_each(Counter(name for names in (*asked, *said) for name in names))
    asked, said = ([[one.get(n, n) for n in names] for names in texts] for texts in (asked, said))
    in_questions = Counter(name for names in asked for name in set(names))
    in_both = in_questions + Counter(name for names in said for name in set(names))

    def about(first: Sequence[str], second: Sequence[str]) -> str:
        """Return the best name of the question; one of the answer only if it is far better known."""
        again = [n for n in first if in_questions[n] > 1]
        counts, more = (in_questions, _FAR_MORE) if again else (in_both, 1)
        best, other = _most_common(again or first, counts, rows), _most_common(second, counts, rows)
        return other if counts[other] > more * counts[best] else best

    return [about(first, second) for first, second in zip(asked, said, strict=True)]


def _wording_of(asked: Sequence[Sequence[str]]) -> set[str]:
    """Return the words of names that stand in nearly every question."""
    counts = Counter(word for names in asked for word in {w for name in names for w in name.split()})
    return {word for word, n in counts.items() if len(asked) > 2 and n > _WORDING * len(asked)}


def _without(names: Sequence[str], wording: set[str]) -> list[str]:
    """Return the names without words of the wording; where nothing would be left, as they are."""
    left = [" ".join(w for w in name.split() if w not in wording) for name in names]
    return [name for name in left if name] or list(names)


def _one_name_each(counts: Counter[str]) -> dict[str, str]:
    """Return other forms of a name → the name: a part of a single longer name, or a name with a word of the sentence before it."""
    longer: dict[str, set[str]] = {}
    for name in counts:
        for word in name.split() if " " in name and counts[name] > 1 else ():
            longer.setdefault(word, set()).add(name)
    forms = {word: next(iter(names)) for word, names in longer.items() if len(names) == 1 and word in counts}
    for name, count in counts.items():
        tail = name.partition(" ")[2]
        if " " in tail and counts[tail] > count:
            forms[name] = tail
    return {form: forms.get(name, name) for form, name in forms.items()}


def _most_common(names: Sequence[str], counts: Counter[str], rows: int) -> str:
    """Return the name of most rows. A single word of very many rows is more likely the kind of fact than whom it is about."""
    if not names:
        return UNNAMED
    rare = [n for n in names if " " in n or counts[n] <= max(2, _UNUSUAL * rows)]
    return max(rare or names, key=lambda n: (counts[n] > 1, " " in n, counts[n], len(n)))


def names_in(text: str, *, initial: bool = True) -> Iterator[str]:
    """Yield the names that stand in a text; one behind a label such as "Customer:" comes alone.

    `initial`: also where only the capital of a sentence's first word speaks for it.
    """
    if labelled := _LABEL.search(text):
        yield _HONORIFIC.sub("", (labelled[1] or labelled[2]).strip())
    elif any(map(is_unspaced, text)):
        honoured = [_ROLE.sub("", m) for m in _HONOURED.findall(text)]
        yield from honoured or _RUN.findall(text)
    else:
        yield from _capitalised(text, initial)


def _capitalised(text: str, initial: bool) -> Iterator[str]:
    run: list[str] = []
    begins = opens = True  # a sentence; the run is the first thing in one
    for token in (*_WORD.findall(text), "."):
        word = re.sub(r"['’]s?$", "", token)
        plain = word.casefold()
        if word[:1].isupper() and plain not in _TITLES and not (begins and plain in _OPENERS):
            opens = begins if not run else opens
            run.append(word)
        elif run and plain in _PARTICLES:
            run.append(word)
        else:
            yield from _finished(run, initial or not opens)
            run = []
        if word != token:
            yield from _finished(run, initial or not opens)
            run = []
        begins = token in '.?!:;“"'


def _finished(run: list[str], single: bool) -> Iterator[str]:
    while run and run[-1].casefold() in _PARTICLES:
        run = run[:-1]
    acronym = "".join(run).isupper() and len(run) == 1
    if len(run) > 1 or (run and single and not acronym and run[0].casefold() not in _OPENERS):
        yield " ".join(run)


def keyword_of(question: str, answer: str, common: Counter[str]) -> str:
    """Return the words of an answer that carry it: quoted, a name, a number, or else the rarest word; none of the question's.

    `common` counts in how many answers a name or word stands.
    """
    names = [name for name in names_in(answer, initial=False) if len(name.split()) <= _LONGEST_NAME]
    quoted = [q.strip(" ,.;:") for q in _QUOTED.findall(answer)]
    for found in (quoted, [*names, *re.findall(r"\d[\d,./:-]*\d", answer)], words_of(answer)):
        telling = (k for k in found if len(k) > 2 or any(map(is_unspaced, k)))
        new = [k for k in telling if find_keyword(answer, k) and not find_keyword(question, k)]
        if new:
            return min(new, key=lambda k: (common[k], -len(k)))
    return ""


def words_of(text: str) -> list[str]:
    """Return the words of a text that could carry an answer."""
    if any(map(is_unspaced, text)):
        return _RUN.findall(text)
    return [w for w in re.findall(r"[^\W\d_][\w’'-]{3,}", text) if w.casefold() not in _OPENERS]
