"""Data sets: ground truth measured by this project, and loaders of real data."""

from ._mnist import load_mnist
from ._penn_treebank import load_penn_treebank
from ._sigmoid_slopes import load_sigmoid_slopes
from ._text import limit_vocabulary, load_text

__all__ = [
    "limit_vocabulary",
    "load_mnist",
    "load_penn_treebank",
    "load_sigmoid_slopes",
    "load_text",
]
