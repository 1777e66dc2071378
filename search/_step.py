"""One step of Algorithm 1: learn from what is known, rank new candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, clone
from sklearn.utils import check_random_state

from sk_petridish.motifs import Motifs, MotifSpace

from ._acquisition import Acquisition, acquire
from .proposers import History
from .proposers._ask import ask_for_new


class Ranked(NamedTuple):
    """Candidates, the most promising first.

    Parameters
    ----------
    X : ndarray of shape (n_candidates, n_features)
        Motifs that are new.
    predicted : ndarray of shape (n_candidates,)
        Their predicted losses; NaN where nothing was predicted.
    """

    X: Motifs
    predicted: NDArray[np.float64]


def fit_surrogate(surrogate: Any, history: History) -> RegressorMixin | None:
    """Fit a copy of a surrogate, unless there is nothing to learn an order from."""
    known = history.known()
    if len(np.unique(known.y)) < 2:
        return None
    return clone(surrogate).fit(known.X, known.y)


def rank_candidates(
    surrogate: RegressorMixin | None,
    proposer: Any,
    motif_space: MotifSpace,
    history: History,
    n_candidates: int,
    *,
    acquisition: Acquisition,
    exploration: float,
    random_state: int | np.random.RandomState | None,
    fixed: Mapping[int, float] | None = None,
) -> Ranked:
    """Draw candidates and rank them (Algorithm 1).

    Parameters
    ----------
    surrogate : fitted regressor or None
        ``None`` leaves candidates in the order in which they were proposed.
    proposer : Proposer
        Where they come from; it is asked with the surrogate, and may search on it.
    motif_space : MotifSpace
        What a row means.
    history : History
        What was evaluated.
    n_candidates : int
        M of Algorithm 1.
    acquisition : str
        By what they are ranked.
    exploration : float
        Probability with which a place in the order goes to any candidate, not the next best.
    random_state : int, RandomState instance or None
        Where randomness comes from.
    fixed : dict of int to float, default=None
        Numbers that columns of all candidates have, by their positions.

    Returns
    -------
    Ranked
        The candidates, of which there may be fewer where the space is exhausted.
    """
    generator = check_random_state(random_state)
    candidates = ask_for_new(
        proposer, motif_space, n_candidates, history, generator, surrogate, fixed
    )
    if surrogate is None or not len(candidates):
        return Ranked(candidates, np.full(len(candidates), np.nan))
    best = history.known().y.min()
    predicted, score = acquire(surrogate, candidates, best, acquisition)
    order = _explore(np.argsort(score, kind="stable"), exploration, generator)
    return Ranked(candidates[order], predicted[order])


def _explore(
    order: NDArray[np.int64], share: float, generator: np.random.RandomState
) -> NDArray[np.int64]:
    """Return the order with some places taken by candidates drawn at random from those left."""
    left = order.tolist()
    explored = generator.random_sample(len(left)) < share
    return np.array([left.pop(generator.randint(len(left)) if any_ else 0) for any_ in explored])
