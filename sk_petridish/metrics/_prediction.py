"""Predictions with their standard deviation, of whatever regressor."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.pipeline import Pipeline

from sk_petridish._compat._constraints import Implements
from sk_petridish._compat._validation import validate_params


@validate_params(estimator=[Implements("predict")])
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


def has_spread(estimator: Any) -> bool:
    """Return whether an estimator's ``predict`` may take ``return_std``, before it is fitted.

    Parameters
    ----------
    estimator : regressor
        Any, or a pipeline that ends in one.

    Returns
    -------
    bool
        False where ``predict`` cannot return standard deviations.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> from sk_petridish.metrics import has_spread
    >>> has_spread(GaussianProcessRegressor()), has_spread(LinearRegression())
    (True, False)
    """
    if isinstance(estimator, Pipeline):
        return has_spread(estimator.steps[-1][1])
    if isinstance(estimator, StackingRegressor):
        final = estimator.final_estimator
        return final is not None and has_spread(final)
    if isinstance(estimator, TransformedTargetRegressor):
        return False  # it passes the argument on, and cannot transform a pair back
    parameters = inspect.signature(estimator.predict).parameters
    return "return_std" in parameters or any(
        parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()
    )
