"""What a case is large enough to show, before a run: its test clusters and probes, and the difference they can tell (`desk/stats/power`).

Rates are not known before a run, so they are supposed, and named: SPREAD, the subject at 1/2 and the control at 1/10, where intervals are
about as wide as they get; NOTHING, nobody shows anything, where the interval is exact. Probes of one cluster are taken to go together by an
intra-cluster correlation of 1/2. One place, one test: a PASS asks for all of them at once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from vestige.desk.stats.intervals import effective, n_min
from vestige.desk.stats.power import Design, clusters_for_width, half_width
from vestige.plan_parts import Rule
from vestige.records import Case, Missing

SPREAD, NOTHING = (0.5, 0.1), (0.0, 0.0)
WITHIN = 0.05


def sees(case: Case, rule: Rule) -> dict[str, Any]:
    """Return the test clusters and primary probes of the forget group, and the half widths of intervals they give."""
    sizes = Counter(p.cluster for p in case.asked("forget", "test"))
    clusters, probes = len(sizes), sizes.total()
    found: dict[str, Any] = {"test_clusters": clusters, "test_probes": probes, "within": WITHIN}
    if clusters < 2:
        return {**found, "missing_reason": f"{clusters} test clusters; an interval needs two or more"}
    each = probes // clusters  # where clusters differ in size, rather too few
    spread, nothing = (Design(clusters, each, *rates) for rates in (SPREAD, NOTHING))
    needed = clusters_for_width(spread, WITHIN, alpha=rule.alpha)
    return {
        **found,
        "n_eff": effective({c: [0.0] * n for c, n in sizes.items()}),
        "n_min": n_min(rule.delta, rule.alpha),
        "half_width": half_width(spread, alpha=rule.alpha),
        "half_width_of_nothing": half_width(nothing, alpha=rule.alpha),
        "clusters_for_within": {"missing_reason": needed.reason} if isinstance(needed, Missing) else needed,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return what a case can show, in words."""
    head = f"{found['test_clusters']} test clusters, {found['test_probes']} probes"
    if "missing_reason" in found:
        return [f"{head}: {found['missing_reason']}"]
    needed, points = found["clusters_for_within"], f"±{100 * found['within']:.0f} points"
    more = needed["missing_reason"] if isinstance(needed, dict) else f"{needed} clusters to see {points}"
    supposed = f"subject at {SPREAD[0]:.0%}, control at {SPREAD[1]:.0%}"
    enough = "enough" if found["n_eff"] >= found["n_min"] else "NOT enough"
    return [
        f"{head}: a difference shows to within ±{100 * found['half_width']:.0f} points ({supposed}); {more}",
        f"if nothing comes back, the upper bound is {100 * found['half_width_of_nothing']:.0f} points; "
        f"{found['n_eff']:.1f} effective probes, a PASS needs {found['n_min']}: {enough}",
    ]
