"""Selection of a dish's settings (appendix A.1)."""

from ._select import outer_mse_scorer, select_hyperparameters

__all__ = ["outer_mse_scorer", "select_hyperparameters"]
