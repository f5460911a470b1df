"""Does what was said entail what was expected? The three labels of natural language inference, weighed by a model that scores text.

Paper: Williams, Nangia and Bowman 2018, arXiv 1704.05426 (MultiNLI: entailment, neutral, contradiction). With l the summed
log-probability of a label's word behind premise and hypothesis, P(entailment) = exp l_e / (exp l_e + exp l_n + exp l_c); the highest over
the expected answers.

Any `Target` that scores a given text will do. No model made for inference was run here: it needs one that reads this template, or a server
that gives the three words the probabilities of its labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from vestige.judgement import Answered
from vestige.records import Missing
from vestige.target import Target

_LABELS = (" entailment", " neutral", " contradiction")
_ASK = "premise: {question} {said}\nhypothesis: {question} {expected}\nlabel:"


@dataclass(frozen=True)
class Entailment:
    """Probability that what was said entails the expected answer, among three labels."""

    asks: ClassVar[Literal["target", "embedding"]] = "target"
    paper: ClassVar[str] = "Williams et al. 2018, arXiv 1704.05426"

    def __call__(self, model: Target, answers: Sequence[Answered]) -> list[float | Missing]:
        """Return P(entailment) for each answer."""
        prompts = [[_ASK.format(question=a.question, said=a.said, expected=e) for e in a.expected] for a in answers]
        scores = iter(model.answer_logp([(prompt, label) for own in prompts for prompt in own for label in _LABELS]))
        return [highest([entailed([next(scores) for _ in _LABELS]) for _ in own]) for own in prompts]


def entailed(logps: Sequence[float | Missing]) -> float | Missing:
    """Return the probability of the first of the labels' log-probabilities."""
    known = [x for x in logps if not isinstance(x, Missing)]
    if len(known) < len(logps):
        return next(x for x in logps if isinstance(x, Missing))
    most = max(known)
    if not math.isfinite(most):
        return Missing("no label has a finite log-probability")
    weights = [math.exp(x - most) for x in known]
    return weights[0] / math.fsum(weights)


def highest(values: Sequence[float | Missing]) -> float | Missing:
    """Return the highest value; Missing where one is, or there is none."""
    lacking = next((v for v in values if isinstance(v, Missing)), None)
    known = [v for v in values if not isinstance(v, Missing)]
    return lacking or (max(known) if known else Missing("no answer is expected"))
