"""Acquisition functions: scores of candidates from predictions."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from sk_petridish.metrics import predict_with_spread
from sk_petridish.motifs import Motifs

from ._answers import floats_of

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
        Small for promising candidates; NaN, which comes last, where nothing finite was
        predicted.

    Raises
    ------
    ValueError
        If the surrogate has no spread, and the choice needs one, or predicts no number for
        each motif.

    Warns
    -----
    UserWarning
        If nothing finite is predicted for any motif.
    """
    # In a copy: a surrogate that writes into it would change what is evaluated.
    rows = candidates.copy()
    if acquisition == "mean":
        predicted = _checked(surrogate, surrogate.predict(rows), len(rows))
        return predicted, predicted
    predictions, spread = predict_with_spread(surrogate, rows)
    if spread is None:
        raise without_spread(acquisition, surrogate)
    predicted = _checked(surrogate, predictions, len(rows))
    std = _checked(surrogate, spread, len(rows))
    std = np.where(std >= 0, std, np.nan)
    if acquisition == "lower_confidence_bound":
        return predicted, predicted - std
    std = np.maximum(std, 1e-12)
    z = (best - predicted) / std
    return predicted, -std * (z * norm.cdf(z) + norm.pdf(z))


def _checked(surrogate: Any, predicted: ArrayLike, n_motifs: int) -> Losses:
    """Return predictions, NaN where there is none: such candidates come last."""
    name = type(surrogate).__name__
    losses = floats_of(predicted, f"{name} predicted")
    if losses.shape not in ((n_motifs,), (n_motifs, 1)):
        raise ValueError(
            f"{name} predicted an array of shape {losses.shape} for {n_motifs} motifs, not of "
            f"shape ({n_motifs},)."
        )
    losses = losses.ravel()
    losses[~np.isfinite(losses)] = np.nan
    if np.isnan(losses).all():
        warnings.warn(
            f"{name} predicted nothing finite for any of {n_motifs} motifs; they are taken in the "
            "order in which they were proposed.",
            stacklevel=4,
        )
    return losses
