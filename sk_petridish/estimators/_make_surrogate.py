"""The best-known surrogate of a motif space, as an ordinary estimator."""

from __future__ import annotations

import joblib
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import LARGEST_SEED, Implements, integers, job_counts
from sk_petridish._compat._validation import validate_params
from sk_petridish.motifs import MotifSpace

from ._bank_regressor import PetriDishBankRegressor
from ._readers import make_readers
from ._recommended_banks import make_banks
from ._regressor import PetriDishRegressor


@validate_params(
    motif_space=[MotifSpace],
    random_state=[integers(0, LARGEST_SEED), None],
    n_jobs=job_counts(),
    memory=[str, Implements("cache"), None],
)
def make_surrogate(
    motif_space: MotifSpace,
    *,
    random_state: int | None = None,
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
) -> RegressorMixin:
    """Make the surrogate that is measured to be best for a family of motifs.

    For motifs with one parameter that is a :class:`~sk_petridish.PetriDishRegressor`. For
    others it is a :class:`~sk_petridish.PetriDishBankRegressor`: the space's bank of
    unlearned dishes measures every motif, and what it measures is read by ridge regression,
    extremely randomised trees and a Gaussian process, the mean of which predicts normal
    scores of the losses. Where the space recommends it, zero-cost
    measures are read in the same way, and the mean of both predicts.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    random_state : int, default=None
        Determines dishes, trees, and the folds that calibrate standard deviations.
    n_jobs : int, default=None
        Threads of dishes. ``None`` is 1 unless a :func:`joblib.parallel_config` says
        otherwise, -1 all processors.
    memory : str or joblib.Memory, default=None
        A folder that keeps what the bank measures, motif by motif, so that no motif is
        measured twice; see :class:`PetriDishTransformer`. Dishes that learn measure anew.

    Returns
    -------
    regressor
        A regressor of scikit-learn: ``fit(X, y, sample_weight=None)`` with motifs, one a
        row, their ground-truth losses, and how often each counts;
        ``predict(X, return_std=False)`` in the units of ``y``, with the standard deviation
        of its errors on motifs that were not seen.

    See Also
    --------
    PetriDishBankRegressor : The regressor, for banks and readers of one's own.
    PetriDishTransformer : What the dishes measure, for regressors of one's own.

    Examples
    --------
    >>> from sk_petridish import make_surrogate
    >>> from sk_petridish.motifs import RecurrentCell
    >>> space = RecurrentCell(n_nodes=2)
    >>> X = space.sample(12, random_state=0)
    >>> surrogate = make_surrogate(space, random_state=0)
    >>> surrogate.fit(X, X.sum(axis=1)).predict(X[:2]).shape
    (2,)
    """
    if len(motif_space.search_space()) == 1:
        return PetriDishRegressor(motif_space, random_state=random_state, n_jobs=n_jobs)
    return PetriDishBankRegressor(
        motif_space,
        banks=make_banks(motif_space, random_state, n_jobs, memory),
        readers=make_readers(random_state),
        random_state=random_state,
    )
