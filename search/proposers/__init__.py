"""Proposers: where a search's candidates come from."""

from sk_petridish.search.proposers._base import History, Proposer
from sk_petridish.search.proposers._genetic_algorithm import GeneticAlgorithm
from sk_petridish.search.proposers._nao import NAO
from sk_petridish.search.proposers._random_search import RandomSearch
from sk_petridish.search.proposers._reinforce import ReinforceController
from sk_petridish.search.proposers._sampler import SamplerProposer

__all__ = [
    "NAO",
    "GeneticAlgorithm",
    "History",
    "Proposer",
    "RandomSearch",
    "ReinforceController",
    "SamplerProposer",
]
