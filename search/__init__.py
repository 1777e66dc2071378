"""Architecture search with a surrogate, and the ground truths that it saves."""

from sk_petridish.search._batches import Evaluation
from sk_petridish.search._reclaim import reclaim_trials
from sk_petridish.search._result import SearchResult
from sk_petridish.search._sampler import PetriDishSampler
from sk_petridish.search._search import PetriDishSearch

__all__ = ["Evaluation", "PetriDishSampler", "PetriDishSearch", "SearchResult", "reclaim_trials"]
