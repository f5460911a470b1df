"""Which clusters choose settings and which are reported on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from vestige.records import Split


def split_of(case: str, clusters: Iterable[str]) -> dict[str, Split]:
    """Return the split of every cluster: in the order of sha256(case/cluster), the first quarter, rounded up, selects.

    Fixed by names alone, so neither a seed nor a look at results can move a cluster from one split to the other.
    """
    ordered = sorted(set(clusters), key=lambda c: hashlib.sha256(f"{case}/{c}".encode()).hexdigest())
    selection = -(-len(ordered) // 4)
    return {c: "selection" if i < selection else "test" for i, c in enumerate(ordered)}
