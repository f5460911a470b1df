"""The table of recipes for relearn sets: what text an attacker fine-tunes on.

A recipe is a frozen dataclass; calling it with a case and a request returns a `RelearnSet` whose rows stand in order of preference.
It is deterministic under the request's seed, and looks at a model only through `request.ask` and `request.inform`; `helpers` names
which of the two it reads. Equal steps and equal trained tokens are the training loop's business.
"""

from __future__ import annotations

from vestige.relearn_sets.general_knowledge import GeneralKnowledge
from vestige.relearn_sets.lorem_ipsum import LoremIpsum
from vestige.relearn_sets.low_mutual_information import LowMutualInformation
from vestige.relearn_sets.masked_answers import MaskedAnswers
from vestige.relearn_sets.other_attributes import OtherAttributes
from vestige.relearn_sets.paraphrases import Paraphrases
from vestige.relearn_sets.partial_forget import PartialForget
from vestige.relearn_sets.public_text import PublicText
from vestige.relearn_sets.relevance_tiers import RelevanceTiers
from vestige.relearn_sets.retain import Retain
from vestige.relearn_sets.rtt_fold import RttFold
from vestige.relearn_sets.shuffled_tokens import ShuffledTokens
from vestige.relearn_sets.source import SourceRows
from vestige.relearn_sets.syntactic_twins import SyntacticTwins
from vestige.relearn_sets.topical import Topical
from vestige.relearn_sets.two_by_two import TwoByTwo
from vestige.relearn_sets.unrelated import Unrelated

TABLE: dict[str, type] = {
    "partial_forget": PartialForget,
    "rtt_fold": RttFold,
    "other_attributes": OtherAttributes,
    "public_text": PublicText,
    "syntactic_twins": SyntacticTwins,
    "topical": Topical,
    "two_by_two": TwoByTwo,
    "paraphrases": Paraphrases,
    "general_knowledge": GeneralKnowledge,
    "relevance_tiers": RelevanceTiers,
    "low_mutual_information": LowMutualInformation,
    "retain": Retain,
    "unrelated": Unrelated,
    "lorem_ipsum": LoremIpsum,
    "shuffled_tokens": ShuffledTokens,
    "masked_answers": MaskedAnswers,
    "source": SourceRows,
}
