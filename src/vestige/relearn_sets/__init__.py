"""The table of recipes for relearn sets: what text an attacker fine-tunes on.

A recipe is a frozen dataclass; calling it with a case returns a `RelearnSet`. It is deterministic, and it never looks at a model.
Equal steps and equal trained tokens are the training loop's business, not the recipe's.
"""

from __future__ import annotations

from vestige.relearn_sets.other_attributes import OtherAttributes
from vestige.relearn_sets.rtt_fold import RttFold
from vestige.relearn_sets.source import SourceRows

TABLE: dict[str, type] = {"rtt_fold": RttFold, "other_attributes": OtherAttributes, "source": SourceRows}
