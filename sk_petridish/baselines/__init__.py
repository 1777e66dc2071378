"""Predictors to compare a dish with."""

from ._neural_surrogate import NeuralSurrogate

__all__ = ["NeuralSurrogate"]
