"""The best-known surrogate of a motif space, as an ordinary estimator."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_petridish.motifs import MotifSpace

from ._normal_scores import NormalScores
from ._regressor import PetriDishRegressor
from ._transformer import PetriDishTransformer


def make_surrogate(
    motif_space: MotifSpace,
    *,
    random_state: int | None = None,
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
) -> RegressorMixin:
    """Make the surrogate that is measured to be best for a family of motifs.

    For motifs with one parameter that is a :class:`~sk_petridish.PetriDishRegressor`. For
    others the space's bank of unlearned dishes measures every motif, and what it measures
    is read by ridge regression, extremely randomised trees and a Gaussian process, the mean
    of which predicts normal scores of the losses. Where the space recommends it, zero-cost
    measures are read in the same way, and the mean of both predicts.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    random_state : int, default=None
        Determines dishes and trees.
    n_jobs : int, default=None
        Threads of dishes. ``None`` is 1 unless a :func:`joblib.parallel_config` says
        otherwise, -1 all processors.
    memory : str or joblib.Memory, default=None
        A folder that keeps what the bank measures, motif by motif, so that no motif is
        measured twice; see :class:`PetriDishTransformer`. Dishes that learn measure anew.

    Returns
    -------
    regressor
        A regressor of scikit-learn: ``fit(X, y)`` with motifs, one a row, and their
        ground-truth losses; ``predict(X)`` in the units of ``y``, between the losses seen.

    See Also
    --------
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
    # One average per block, so that the few zero-cost measures count as much as the bank.
    blocks = [
        (name, Pipeline([("bank", bank), ("readers", make_readers(random_state))]))
        for name, bank in make_banks(motif_space, random_state, n_jobs, memory).items()
    ]
    regressor = blocks[0][1] if len(blocks) == 1 else VotingRegressor(blocks)
    return TransformedTargetRegressor(regressor, transformer=NormalScores())


def make_banks(
    motif_space: MotifSpace,
    random_state: int | None,
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
) -> dict[str, PetriDishTransformer]:
    """Make what measures the motifs of a space, block by block.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    random_state : int or None
        Determines dishes.
    n_jobs : int, default=None
        Threads of dishes.
    memory : str or joblib.Memory, default=None
        Keeps what they measure.

    Returns
    -------
    dict of str to PetriDishTransformer
        ``"dishes"``, and ``"zero_cost"`` where the space recommends it.
    """
    bank = [
        (name, PetriDishRegressor(**settings, n_jobs=n_jobs))
        for name, settings in motif_space.recommended("bank").items()
    ]
    banks = {
        "dishes": PetriDishTransformer(
            motif_space, dishes=bank, average=True, memory=memory, random_state=random_state
        )
    }
    if (settings := motif_space.recommended("zero_cost")) is not None:
        start = PetriDishRegressor(**settings)
        banks["zero_cost"] = make_zero_cost(motif_space, start, random_state, memory)
    return banks


def make_zero_cost(
    motif_space: MotifSpace,
    start: PetriDishRegressor,
    random_state: int | None,
    memory: str | joblib.Memory | None = None,
) -> PetriDishTransformer:
    """Make what measures motifs before any training.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    start : PetriDishRegressor
        Describes the dishes.
    random_state : int or None
        Determines them.
    memory : str or joblib.Memory, default=None
        Keeps what is measured.

    Returns
    -------
    PetriDishTransformer
        Means over the dishes.
    """
    return PetriDishTransformer(
        motif_space,
        dishes=[("start", start)],
        curves=(),
        zero_cost=True,
        average=True,
        memory=memory,
        random_state=random_state,
    )


def make_readers(random_state: int | None) -> VotingRegressor:
    """Make the regressors that read what dishes measure.

    Parameters
    ----------
    random_state : int or None
        Determines the trees.

    Returns
    -------
    VotingRegressor
        The mean of ridge regression, extremely randomised trees and a Gaussian process.
    """
    # The process starts from neighbours as far apart as standardised features are.
    kernel = RBF(10.0, (1e-1, 1e4)) + WhiteKernel(0.1, (1e-3, 1e1))
    process = _Process(kernel, normalize_y=True, random_state=random_state)
    trees = ExtraTreesRegressor(
        200, min_samples_leaf=2, max_features=0.33, random_state=random_state
    )
    return VotingRegressor(
        [
            ("ridge", make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 16)))),
            ("trees", trees),
            ("process", make_pipeline(StandardScaler(), process)),
        ]
    )


class _Process(GaussianProcessRegressor):
    """A Gaussian process that may end at the bounds of its kernel.

    There it says that features tell nothing, or that losses have no noise: answers, and
    no reason to warn.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> _Process:
        """Fit quietly.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        _Process
            The fitted process.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        return self
