"""Architecture search with a surrogate, and the ground truths that it saves."""

from ._journal import mend_journal
from ._patience import PatientStorage
from ._reclaim import reclaim_trials
from ._result import Evaluation, SearchResult
from ._sampler import PetriDishSampler
from ._search import PetriDishSearch

__all__ = [
    "Evaluation",
    "PatientStorage",
    "PetriDishSampler",
    "PetriDishSearch",
    "SearchResult",
    "mend_journal",
    "reclaim_trials",
]
