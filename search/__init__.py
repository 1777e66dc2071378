"""Architecture search with a surrogate, and the ground truths that it saves."""

from ._reclaim import reclaim_trials
from ._result import Evaluation, SearchResult
from ._sampler import PetriDishSampler
from ._search import PetriDishSearch

__all__ = ["Evaluation", "PetriDishSampler", "PetriDishSearch", "SearchResult", "reclaim_trials"]
