"""Selection of a dish's settings (appendix A.1)."""

from ._optuna import OptunaSearchCV
from ._select import outer_mse_scorer, select_hyperparameters

__all__ = ["OptunaSearchCV", "outer_mse_scorer", "select_hyperparameters"]
