"""Coverage of the intervals over clusters by simulation: every cell printed, the worst named, docs/coverage.md written between its markers.

    nice -n 19 python benchmarks/coverage.py --write

Beta-binomial clusters: a cluster's own rate is drawn from Beta(p (1 - icc) / icc, (1 - p) (1 - icc) / icc), and its probes from that
rate, so that two probes of one cluster correlate by icc. Both intervals are the package's own functions: `desk/stats/intervals.py`,
which the verdict used until revision 3 of the rule, and `desk/stats/widened.py`, which it uses now. They see cluster means in any order,
so each distinct sorted draw is estimated once. One process, one thread, half a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vestige.desk.stats import intervals, widened
from vestige.desk.stats.intervals import Estimate
from vestige.records import Missing

DOCUMENT = Path(__file__).parents[1] / "docs" / "coverage.md"
CLUSTERS, PROBES, RATES, ICCS = (10, 15, 20, 40), (1, 4), (0.0, 0.02, 0.1, 0.5, 0.9), (0.0, 0.3, 0.7)
PAIRS = ((0.0, 0.1), (0.0, 0.2), (0.02, 0.12), (0.1, 0.1), (0.1, 0.2), (0.5, 0.5), (0.5, 0.6), (0.9, 0.9))
FLOOR, CEILING = 0.93, 0.97
Interval = Callable[..., Estimate | Missing]
INTERVALS: Mapping[str, Interval] = {"t": intervals.estimate, "wider": widened.estimate}


@dataclass(frozen=True)
class Found:
    """What one interval did in one cell: shares of draws, and the mean width."""

    covered: float
    above: float
    below: float
    width: float

    def fault(self, rate: float) -> str:
        """Return what is wrong with it: less than the floor, or more than the ceiling where no rate is 0.1 or less."""
        if self.covered < FLOOR:
            return "low"
        return "high" if self.covered > CEILING and 0.1 < rate < 0.9 else ""


@dataclass(frozen=True)
class Cell:
    """One setting and what each interval did in it."""

    where: tuple[int, int, str, float]
    rate: float
    found: Mapping[str, Found]


def draw(rng: np.random.Generator, n: int, clusters: int, probes: int, rate: float, icc: float) -> NDArray[np.float64]:
    """Return (n, clusters) cluster means of beta-binomial draws."""
    own: NDArray[np.float64] | float = rate
    if icc > 0 and 0 < rate < 1:
        own = rng.beta(rate * (1 - icc) / icc, (1 - rate) * (1 - icc) / icc, size=(n, clusters))
    return rng.binomial(probes, own, size=(n, clusters)) / probes


def judge(means: NDArray[np.float64], probes: int, truth: float, *, signed: bool) -> dict[str, Found]:
    """Return how each interval did on (n, clusters) cluster means."""
    distinct, which = np.unique(np.sort(means, axis=1), axis=0, return_inverse=True)
    found = {}
    for name, interval in INTERVALS.items():
        bounds = np.array([_bounds(interval, row, probes, signed=signed) for row in distinct])[which.ravel()]
        above, below = bounds[:, 0] > truth + 1e-9, bounds[:, 1] < truth - 1e-9
        found[name] = Found(*(float(x) for x in (1 - np.mean(above | below), above.mean(), below.mean(), np.diff(bounds).mean())))
    return found


def _bounds(interval: Interval, row: Sequence[float], probes: int, *, signed: bool) -> tuple[float, float]:
    value = interval({str(i): [float(mean)] * probes for i, mean in enumerate(row)}, signed=signed)
    assert isinstance(value, Estimate)
    return value.low, value.high


def levels(n: int) -> Iterator[Cell]:
    """Yield every cell of levels: one arm, scores of 0 and 1."""
    for clusters, probes, rate, icc in product(CLUSTERS, PROBES, RATES, ICCS):
        rng = np.random.default_rng([clusters, probes, round(100 * rate), round(10 * icc)])
        found = judge(draw(rng, n, clusters, probes, rate, icc), probes, rate, signed=False)
        yield Cell((clusters, probes, f"{rate:g}", icc), rate, found)


def differences(n: int) -> Iterator[Cell]:
    """Yield every cell of differences: a subject and a control with rates of their own, as the verdict's E with K = 1."""
    for clusters, probes, (control, subject), icc in product(CLUSTERS, PROBES, PAIRS, ICCS):
        rng = np.random.default_rng([1, clusters, probes, round(100 * control), round(100 * subject), round(10 * icc)])
        both = [draw(rng, n, clusters, probes, rate, icc) for rate in (subject, control)]
        # Sums of fourths have no rounding noise, so equal draws are equal.
        found = judge(both[0] - both[1], probes, subject - control, signed=True)
        yield Cell((clusters, probes, f"{control:g} → {subject:g}", icc), min(control, subject), found)


def table(cells: Sequence[Cell], what: str) -> list[str]:
    """Return the Markdown table of all cells; what misses the bar is in bold."""
    heads = [f"{name} {part}" for name in INTERVALS for part in ("%", "> / <", "width")]
    lines = ["| " + " | ".join(("clusters", "probes", what, "ICC", *heads)) + " |", "|" + "--:|" * (4 + len(heads))]
    for cell in cells:
        parts = [str(x) for x in cell.where]
        for found in cell.found.values():
            covered = f"{100 * found.covered:.1f}"
            misses = f"{100 * found.above:.1f} / {100 * found.below:.1f}"
            parts += [f"**{covered}**" if found.fault(cell.rate) else covered, misses, f"{found.width:.3f}"]
        lines.append("| " + " | ".join(parts) + " |")
    return lines


def worst(cells: Sequence[Cell], name: str) -> list[str]:
    """Return what to say of one interval: its lowest cell, its greatest miss on either side, and every cell off the bar."""
    lowest = min(cells, key=lambda c: c.found[name].covered)
    side = max(cells, key=lambda c: max(c.found[name].above, c.found[name].below))
    off = [c for c in cells if c.found[name].fault(c.rate)]
    least, most = lowest.found[name].covered, max(side.found[name].above, side.found[name].below)
    lines = [
        f"- **{name}**: lowest coverage {100 * least:.1f} % ({_where(lowest)}); most misses on one side "
        f"{100 * most:.1f} % ({_where(side)}); off the bar in {len(off)} of {len(cells)} cells."
    ]
    return lines + [f"    - {_where(c)}: {100 * c.found[name].covered:.1f} %, too {c.found[name].fault(c.rate)}" for c in off]


def _where(cell: Cell) -> str:
    clusters, probes, rate, icc = cell.where
    return f"{clusters} clusters × {probes}, rate {rate}, ICC {icc}"


def report(n: int) -> list[str]:
    """Simulate everything and return the lines of the document."""
    lines = [f"{n:,} draws a cell; the standard error of 95 % is {100 * (0.95 * 0.05 / n) ** 0.5:.2f} points."]
    for title, what, cells in (("Levels", "rate", list(levels(n))), ("Differences", "control → subject", list(differences(n)))):
        lines += ["", f"### {title}", "", *(line for name in INTERVALS for line in worst(cells, name)), "", *table(cells, what)]
    return lines


def between(text: str, lines: Sequence[str], name: str) -> str:
    """Return the document with the lines put between the markers of `name`."""
    start, end = f"<!-- {name}: generated by benchmarks/{name}.py; do not edit -->", f"<!-- end of {name} -->"
    head, rest = text.split(start)
    return head + "\n".join([start, "", *lines, "", end]) + rest.split(end)[1]


def main() -> None:
    """Print the tables, and write them into the document if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/coverage.md")
    chosen = parser.parse_args()
    lines = report(chosen.simulations)
    print("\n".join(lines))
    if chosen.write:
        DOCUMENT.write_text(between(DOCUMENT.read_text(encoding="utf-8"), lines, "coverage"), encoding="utf-8")


if __name__ == "__main__":
    main()
