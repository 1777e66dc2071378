"""Synthetic Petri Dishes: predict how good a network architecture is by running it tiny."""

from .estimators import (
    NormalScores,
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
    make_surrogate,
)

__all__ = [
    "NormalScores",
    "PetriDishBankRegressor",
    "PetriDishRegressor",
    "PetriDishTransformer",
    "make_surrogate",
]
__version__ = "0.1.0.dev0"
