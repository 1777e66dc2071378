"""Estimators: surrogates of training, at home in scikit-learn."""

from ._bank_regressor import PetriDishBankRegressor
from ._make_surrogate import make_surrogate
from ._normal_scores import NormalScores
from ._regressor import PetriDishRegressor
from ._transformer import PetriDishTransformer

__all__ = [
    "NormalScores",
    "PetriDishBankRegressor",
    "PetriDishRegressor",
    "PetriDishTransformer",
    "make_surrogate",
]
