"""Synthetic Petri Dishes: predict how good a network architecture is by running it tiny."""

from ._make_surrogate import make_surrogate
from ._normal_scores import NormalScores
from ._regressor import PetriDishRegressor
from ._transformer import PetriDishTransformer

__all__ = ["NormalScores", "PetriDishRegressor", "PetriDishTransformer", "make_surrogate"]
__version__ = "0.1.0.dev0"
