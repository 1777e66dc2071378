"""Acquisition functions: scores of candidates from predictions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from sk_petridish.metrics import predict_with_spread
from sk_petridish.motifs import Motifs

Acquisition = Literal["mean", "lower_confidence_bound", "expected_improvement"]
Losses = NDArray[np.float64]


def without_spread(acquisition: str, surrogate: Any) -> ValueError:
    """Return the error of a choice that a surrogate cannot serve."""
    return ValueError(
        f"acquisition={acquisition!r} needs a surrogate that predicts a spread, as a "
        f"PetriDishRegressor does; {type(surrogate).__name__} does not. Use 'mean'."
    )


def acquire(
    surrogate: Any, candidates: Motifs, best: float, acquisition: Acquisition
) -> tuple[Losses, Losses]:
    """Predict candidates and say how promising they are.

    Parameters
    ----------
    surrogate : fitted regressor
        With ``predict(X, return_std=True)``, unless the choice is ``"mean"``.
    candidates : ndarray of shape (n_candidates, n_features)
        Motifs.
    best : float
        The smallest loss known.
    acquisition : {"mean", "lower_confidence_bound", "expected_improvement"}
        What counts: the predicted loss, one standard deviation less than it, or the mean of
        what a normally distributed loss would be smaller than the best, 0 where larger.

    Returns
    -------
    predicted : ndarray of shape (n_candidates,)
        Predicted losses.
    score : ndarray of shape (n_candidates,)
        Small for promising candidates.

    Raises
    ------
    ValueError
        If the surrogate has no spread, and the choice needs one.
    """
    if acquisition == "mean":
        predicted = np.asarray(surrogate.predict(candidates), dtype=np.float64)
        return predicted, predicted
    predicted, std = predict_with_spread(surrogate, candidates)
    if std is None:
        raise without_spread(acquisition, surrogate)
    if acquisition == "lower_confidence_bound":
        return predicted, predicted - std
    std = np.maximum(std, 1e-12)
    z = (best - predicted) / std
    return predicted, -std * (z * norm.cdf(z) + norm.pdf(z))
