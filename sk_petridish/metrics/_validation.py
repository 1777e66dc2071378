"""What every metric checks first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sk_petridish._compat._constraints import ArrayOfNumbers

# Constraints of losses; whether they are finite, check_losses says.
LOSSES: list[Any] = [ArrayOfNumbers(finite=False)]

Losses = NDArray[np.float64]


def check_losses(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Losses, Losses]:
    """Check measured and predicted losses; they are finite and as many."""
    # scikit-learn adds all up to see whether they are finite, and then looks more closely.
    with np.errstate(invalid="ignore", over="ignore"):
        checked = [
            check_array(column_or_1d(y), ensure_2d=False, dtype=np.float64, input_name=name)
            for name, y in (("y_true", y_true), ("y_pred", y_pred))
        ]
    check_consistent_length(*checked)
    return checked[0], checked[1]


def without_order(y_true: Losses, y_pred: Losses) -> float | None:
    """Return the score where there is nothing to order, None where there is."""
    # Not by their range, which may be beyond that of floats.
    if len(y_true) < 2 or y_true.max() == y_true.min():
        warnings.warn(
            "A rank correlation needs two motifs of different loss; it is not defined here.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return np.nan
    # A constant prediction is no better than a random one.
    return 0.0 if y_pred.max() == y_pred.min() else None
