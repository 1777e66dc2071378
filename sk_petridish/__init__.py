"""Synthetic Petri Dishes: predict how good a network architecture is by running it tiny."""

from ._regressor import PetriDishRegressor
from ._transformer import PetriDishTransformer

__all__ = ["PetriDishRegressor", "PetriDishTransformer"]
__version__ = "0.1.0.dev0"
