"""Architecture search with a surrogate, and the ground truths that it saves."""

from ._journal import mend_journal
from ._patience import patient_storage
from ._reclaim import reclaim_trials
from ._result import Evaluation, SearchResult
from ._sampler import PetriDishSampler
from ._search import PetriDishSearch

__all__ = [
    "Evaluation",
    "PetriDishSampler",
    "PetriDishSearch",
    "SearchResult",
    "mend_journal",
    "patient_storage",
    "reclaim_trials",
]
