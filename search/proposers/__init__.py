"""Proposers: where a search's candidates come from."""

from ._base import History, Proposer
from ._genetic_algorithm import GeneticAlgorithm
from ._nao import NAO
from ._random_search import RandomSearch
from ._reinforce import ReinforceController
from ._sampler import SamplerProposer

__all__ = [
    "NAO",
    "GeneticAlgorithm",
    "History",
    "Proposer",
    "RandomSearch",
    "ReinforceController",
    "SamplerProposer",
]
