"""Architecture search with a surrogate, and the ground truths that it saves."""

from sk_petridish.search._reclaim import reclaim_trials
from sk_petridish.search._sampler import PetriDishSampler

__all__ = ["PetriDishSampler", "reclaim_trials"]
