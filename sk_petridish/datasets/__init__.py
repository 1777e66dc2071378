"""Data sets: ground truth measured by this project, and loaders of real data."""

from ._mnist import load_mnist
from ._sigmoid_slopes import load_sigmoid_slopes

__all__ = ["load_mnist", "load_sigmoid_slopes"]
