"""Predictions with their standard deviation, of whatever regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UnsetMetadataPassedError


def predict_with_spread(
    estimator: Any, X: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Predict, with the standard deviation of errors where the estimator knows it.

    Parameters
    ----------
    estimator : regressor
        A fitted one, or a pipeline that ends in one.
    X : array-like of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    predicted : ndarray of shape (n_samples,)
        Predictions.
    std : ndarray of shape (n_samples,) or None
        Their standard deviations; None where ``predict`` takes no ``return_std``.
    """
    try:
        predicted, std = estimator.predict(X, return_std=True)
    except (TypeError, UnsetMetadataPassedError):
        # Not a regressor, nor a pipeline of one, that takes return_std.
        return np.asarray(estimator.predict(X)), None
    return predicted, std
