"""What displays of a dish's inside are given."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from sk_petridish.estimators import PetriDishRegressor


def check_dish(display: type, estimator: Any) -> PetriDishRegressor:
    """Check that the estimator has dishes to look into."""
    if not isinstance(estimator, PetriDishRegressor):
        raise TypeError(
            f"{display.__name__} draws a fitted PetriDishRegressor, not a "
            f"{type(estimator).__name__}; of a pipeline, give that step."
        )
    check_is_fitted(estimator, "dishes_")
    return estimator
