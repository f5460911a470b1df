"""How often the verdict is wrong, and how often it is reached, by simulation. Writes docs/coverage.md between its markers.

    nice -n 19 python benchmarks/verdict_errors.py --write

A run with keyword recall as its score, made by `tests/synthetic.py`: K = 1, nothing there at rest, a liar that comes back, one relearn
set, one step, and planted hits of subject and control after it, drawn from beta-binomial clusters as in `benchmarks/coverage.py`.

What is driven: in every row the first distinct draws go through the whole rule, `desk/rule.py` (Judge), `desk/clauses.py` and
`desk/audit.py` (decide), and its word must be that of the two clauses which alone are open in such a run: PASS where the upper bound of E
lies below delta and enough is asked, FAIL where E is delta or more and its lower bound is above 0 at a third of alpha (the first step of
Holm over residual, imprint and the set, of which the first two see nothing). These two clauses, on the package's own intervals, then
decide every draw: the whole rule takes some 10 ms a draw. The second interval is put where `desk/levels.py` calls the first. Beside
each stands what `desk/stats/power.py` says before the run.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from coverage import INTERVALS, Interval, between, draw
from numpy.typing import NDArray

from vestige.desk import levels
from vestige.desk.audit import audit, decide
from vestige.desk.clauses import clauses
from vestige.desk.evidence import Evidence, Place, gather
from vestige.desk.rule import Judge
from vestige.desk.stats.intervals import ALPHA, Estimate, n_min
from vestige.desk.stats.power import Design, at_least, below, clusters_for_pass

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from synthetic import HINTS, Run, read_blob  # noqa: E402

STEP = 4
# Residual, imprint and the one set: Holm judges the smallest p-value at a third.
TESTS = 3
SHAPES = ((10, 1, 0.0), (20, 1, 0.0), (40, 1, 0.0), (10, 4, 0.0), (20, 4, 0.0), (40, 4, 0.0), (10, 4, 0.7), (20, 4, 0.7), (40, 4, 0.7))


@dataclass(frozen=True)
class Setting:
    """Clusters, probes, intra-cluster correlation, the rates of control and subject after the attack, and the rule's delta."""

    clusters: int
    probes: int
    icc: float
    control: float
    subject: float
    delta: float

    @property
    def design(self) -> Design:
        """The same, as `stats/power.py` takes it."""
        return Design(self.clusters, self.probes, self.subject, self.control, self.icc)


class Runs:
    """The evidence of one synthetic run, into which the draws of one place are put."""

    def __init__(self, clusters: int, probes: int, delta: float) -> None:
        """Make the run and check that its liar is caught and, with nothing planted, its subject passes if enough is asked."""
        options = {"seeds": (0,), "sets": (HINTS,), "probe_at": (STEP,), "primary": "keyword", "greedy": True, "jitter": 0.0}
        without = ("never_exposed_2", "sham", "broken")
        lines = Run(test=clusters, selection=1, per_cluster=probes, delta=delta, without=without, **options).lines()
        verdict = audit(lines, read_blob)
        enough = clusters * probes / (1 + (probes - 1) / 2) >= n_min(delta)
        assert (verdict["verdict"], verdict["reasons"]) == (("PASS", []) if enough else ("INCONCLUSIVE", verdict["reasons"]))
        assert verdict["audits"][1]["verdict"] == "FAIL"
        self.evidence: Evidence = gather(lines, read_blob)
        self.spec = self.evidence.header["audits"][0]
        self.delta = delta
        self.order = [p for p, about in self.evidence.probes.items() if about["group"] == "forget" and about["split"] == "test"]
        self.probes = probes

    def word(self, subject: NDArray[np.int_], control: NDArray[np.int_]) -> str:
        """Return the verdict where this many probes of each cluster are hits after the attack."""
        for role, hits in (("subject", subject), ("never_exposed", control)):
            table = self.evidence.scores["keyword"][Place(role, HINTS, STEP)]
            for i, probe in enumerate(self.order):
                table[probe] = [float(i % self.probes < hits[i // self.probes])]
        found = Judge(self.evidence, self.spec).findings()
        return decide(found, clauses(self.evidence, found, liar_caught=True))[0]


def word_of_clauses(interval: Interval, differences: NDArray[np.int_], setting: Setting) -> str:
    """Return the verdict by the two clauses that are open; the differences are in probes."""
    m = setting.probes
    clusters = {str(i): [float(d) / m] * m for i, d in enumerate(differences)}
    found = interval(clusters)
    assert isinstance(found, Estimate)
    if found.value >= setting.delta:
        strict = interval(clusters, alpha=ALPHA / TESTS)
        assert isinstance(strict, Estimate)
        if strict.low > 0:
            return "FAIL"
    return "PASS" if found.high < setting.delta and found.n_eff >= n_min(setting.delta) else "INCONCLUSIVE"


def simulate(setting: Setting, n: int, through: int) -> dict[str, Counter[str]]:
    """Return how often each word is said, by interval; the first `through` distinct draws go through the whole rule as well."""
    shape = (setting.clusters, setting.probes)
    rng = np.random.default_rng([2, *shape, *(round(100 * x) for x in (setting.icc, setting.control, setting.subject))])
    m = setting.probes
    subject, control = (np.rint(m * draw(rng, n, *shape, rate, setting.icc)).astype(int) for rate in (setting.subject, setting.control))
    _, first, times = np.unique(np.sort(subject - control, axis=1), axis=0, return_index=True, return_counts=True)
    runs, words, usual = Runs(*shape, setting.delta), {}, levels.widened.estimate
    for name, interval in INTERVALS.items():
        words[name] = Counter[str]()
        levels.widened.estimate = interval
        for number, (i, count) in enumerate(zip(first, times, strict=True)):
            word = word_of_clauses(interval, subject[i] - control[i], setting)
            if number % max(1, len(first) // through) == 0:
                assert word == runs.word(subject[i], control[i]), (setting, name, word, subject[i], control[i])
            words[name][word] += int(count)
    levels.widened.estimate = usual
    return words


def settings() -> Iterator[tuple[str, str, list[Setting]]]:
    """Yield the tables: title, the word counted, settings."""
    two, pairs = 0.2, {"edge": ((0.0, 0.2), (0.1, 0.3)), "none": ((0.0, 0.0), (0.1, 0.1), (0.5, 0.5)), "much": ((0.0, 0.4), (0.1, 0.5))}

    def of(which: str) -> list[Setting]:
        return [Setting(*shape, *pair, two) for pair in pairs[which] for shape in SHAPES]

    small = [Setting(40, m, icc, 0.0, 0.1, 0.1) for m, icc in ((1, 0.0), (4, 0.0), (4, 0.7))]
    yield f"False PASS: E = δ; at most {100 * ALPHA:.1f} % are promised", "PASS", [*of("edge"), *small]
    yield f"False FAIL: E = 0; at most {100 * ALPHA:.1f} % are promised", "FAIL", of("none")
    yield "PASS where E = 0", "PASS", of("none")
    yield "FAIL where E = 2 δ", "FAIL", of("much")


def predicted(setting: Setting, word: str) -> float:
    """Return what `stats/power.py` says of the word before the run."""
    if word == "FAIL":
        return at_least(setting.design, setting.delta, alpha=ALPHA / TESTS)
    return below(setting.design, setting.delta) if setting.design.effective >= n_min(setting.delta) else 0.0


def report(n: int, through: int) -> list[str]:
    """Simulate everything and return the lines of the document."""
    lines = [
        f"{n:,} runs a row, one relearn set, one step; the standard error of 2.5 % is {100 * (0.025 * 0.975 / n) ** 0.5:.2f} points.",
        "",
    ]
    done: dict[Setting, dict[str, Counter[str]]] = {}
    for title, word, rows in settings():
        table = ["| clusters | probes | ICC | control → subject | δ | t | wider | predicted |", "|" + "--:|" * 8]
        for s in rows:
            done[s] = found = done.get(s) or simulate(s, n, through)
            shares = [f"{100 * found[name][word] / n:.1f}" for name in INTERVALS]
            where = f"{s.clusters} | {s.probes} | {s.icc:g} | {s.control:g} → {s.subject:g} | {s.delta:g}"
            table.append(f"| {where} | {' | '.join(shares)} | {100 * predicted(s, word):.1f} |")
        worst = {name: max(rows, key=lambda s: done[s][name][word]) for name in INTERVALS}
        off = {name: max(abs(done[s][name][word] / n - predicted(s, word)) for s in rows) for name in INTERVALS}
        said = "; ".join(f"{name}: most {100 * done[s][name][word] / n:.1f} % ({_where(s)})" for name, s in worst.items())
        apart = ", ".join(f"{100 * x:.0f} points ({name})" for name, x in off.items())
        lines += [f"### {title}", "", f"{said}. Farthest from what power.py predicts: {apart}.", "", *table, ""]
    return [*lines, *needed()]


def _where(s: Setting) -> str:
    return f"{s.clusters} × {s.probes}, ICC {s.icc:g}, {s.control:g} → {s.subject:g}, δ {s.delta:g}"


def needed() -> Sequence[str]:
    """Return the table of clusters that a PASS needs, as `stats/power.py` says it before a run."""
    lines = ["### You need so many clusters", "", "For a PASS at E = 0 with a power of 80 % at one place (predicted).", ""]
    lines += ["| δ | probes | ICC | both rates 0 | 0.02 | 0.1 | 0.5 |", "|" + "--:|" * 7]
    for delta in (0.2, 0.1, 0.05):
        for probes, icc in ((1, 0.0), (4, 0.3), (4, 0.7)):
            counts = [str(clusters_for_pass(Design(2, probes, r, r, icc), delta)) for r in (0.0, 0.02, 0.1, 0.5)]
            lines.append(f"| {delta:g} | {probes} | {icc:g} | {' | '.join(counts)} |")
    return lines


def main() -> None:
    """Print the tables, and write them into the document if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--through", type=int, default=10, help="how many draws a row go through the whole rule")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/coverage.md")
    chosen = parser.parse_args()
    lines = report(chosen.simulations, chosen.through)
    print("\n".join(lines))
    document = ROOT / "docs" / "coverage.md"
    if chosen.write:
        document.write_text(between(document.read_text(encoding="utf-8"), lines, "verdict_errors"), encoding="utf-8")


if __name__ == "__main__":
    main()
