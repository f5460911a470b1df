"""The table of judges: an answer a model gave, and the one that was expected, to a number from 0 (nothing of it) to 1 (it is said).

Judges are advice. What they say stands beside a run and decides nothing: no verdict, no stop rule and no choice of a step reads it.
"""

from __future__ import annotations

from vestige.judges.entailment import Entailment
from vestige.judges.same_answer import SameAnswer
from vestige.judges.similarity import Similarity

TABLE: dict[str, type] = {"same_answer": SameAnswer, "entailment": Entailment, "similarity": Similarity}
