"""Forget quality: could the unlearned model's truth ratios be those of a model that never saw the forget set?

Paper: Maini et al. 2024, arXiv 2401.06121, §3 (TOFU): the p-value of the two-sample Kolmogorov-Smirnov test, with
D = sup_x |F_unlearned(x) - F_retained(x)|, exact for sets of this size. High (above 0.05): not told apart. Two sets of n that do not
overlap have D = 1 and p = 2 / C(2n, n): 1.06e-239 for the 400 questions of forget10, the least that can be.

The test sees ranks alone, so that log R serves as well as R or 1/R, and does not run out of floats. It does tell the arithmetic
truth ratio from the geometric one: both sides must use the same. Even an honest retrain of another seed differs, and with enough
probes it will be told apart: a p-value is no distance.
"""

from __future__ import annotations

from collections.abc import Iterable

from vestige.desk.counted import Counted, known
from vestige.desk.stats.kolmogorov_smirnov import two_samples
from vestige.records import Missing


def forget_quality(unlearned: Iterable[float | Missing], retained: Iterable[float | Missing]) -> Counted | Missing:
    """Return the p-value that both sets of (logarithms of) truth ratios have one distribution."""
    ours, lost = known(unlearned)
    theirs, lost_theirs = known(retained)
    if not ours or not theirs:
        return Missing(f"{len(ours)} unlearned ({lost} missing) and {len(theirs)} retained ({lost_theirs} missing) ratios; both are needed")
    found = two_samples(ours, theirs)
    return found if isinstance(found, Missing) else Counted(found.p, len(ours) + len(theirs), lost + lost_theirs)
