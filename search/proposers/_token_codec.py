"""Rows of any motif space as sequences of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from sk_petridish.motifs import Motifs
from sk_petridish.motifs._distributions import bin_edges, draw_between, values

Tokens = NDArray[np.int64]


class TokenCodec:
    """The columns of a motif space as positions, each with the tokens that are legal there.

    A column of few numbers has a token for each; one of many, or of all real numbers, a
    token for each of ``n_bins`` intervals. Columns whose names differ in numbers only, such
    as ``previous_1`` and ``previous_2``, share tokens, as predecessors and activations do in
    NAO's vocabulary.

    Parameters
    ----------
    distributions : dict of str to optuna.distributions.BaseDistribution
        The space's.
    n_bins : int
        Intervals of a column with more numbers than that.

    Attributes
    ----------
    n_tokens : int
        Tokens of all positions together.
    sizes : ndarray of shape (n_positions,)
        Tokens that are legal at each position.
    first : ndarray of shape (n_positions,)
        The first of them; the others follow.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution], n_bins: int) -> None:
        self._columns = [_column(one, n_bins) for one in distributions.values()]
        self.sizes: Tokens = np.array([column.size for column in self._columns])
        kinds = [
            (re.sub(r"\d+", "", name), column.start)
            for name, column in zip(distributions, self._columns, strict=True)
        ]
        offsets, self.n_tokens = {}, 0
        for kind in dict.fromkeys(kinds):
            offsets[kind] = self.n_tokens
            ours = [size for size, other in zip(self.sizes, kinds, strict=True) if other == kind]
            self.n_tokens += int(max(ours))
        self.first: Tokens = np.array([offsets[kind] for kind in kinds])

    def legal(self) -> NDArray[np.bool_]:
        """Return which tokens are legal where.

        Returns
        -------
        ndarray of shape (n_positions, n_tokens), bool
            Legality.
        """
        tokens = np.arange(self.n_tokens) - self.first[:, None]
        return (tokens >= 0) & (tokens < self.sizes[:, None])

    def penalties(self) -> torch.Tensor:
        """Return what is added to scores of tokens, so that only legal ones are chosen.

        Returns
        -------
        Tensor of shape (n_positions, n_tokens)
            0, and minus infinity where a token is illegal.
        """
        illegal = torch.from_numpy(~self.legal())
        return torch.zeros(illegal.shape).masked_fill(illegal, -torch.inf)

    def tokens(self, X: Motifs) -> Tokens:
        """Turn rows into tokens.

        Parameters
        ----------
        X : ndarray of shape (n_motifs, n_positions)
            Motifs.

        Returns
        -------
        ndarray of shape (n_motifs, n_positions), int64
            Tokens.
        """
        columns = [column.number(values) for column, values in zip(self._columns, X.T, strict=True)]
        return np.stack(columns, axis=1) + self.first

    def rows(self, tokens: Tokens, generator: np.random.RandomState) -> Motifs:
        """Turn tokens into rows, drawing numbers from intervals.

        Parameters
        ----------
        tokens : ndarray of shape (n_motifs, n_positions), int64
            Legal tokens.
        generator : RandomState
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n_motifs, n_positions)
            Rows, which the motif space may have to repair.
        """
        numbers = (tokens - self.first).T
        columns = [
            column.value(ours, generator)
            for column, ours in zip(self._columns, numbers, strict=True)
        ]
        return np.stack(columns, axis=1)


class _DiscreteColumn:
    """A column of whole steps, or of choices: a token for each number, or for neighbours."""

    def __init__(self, numbers: Motifs, group: Tokens) -> None:
        self.numbers = numbers
        self.start = float(numbers[0])
        names, self.group = np.unique(group, return_inverse=True)
        self.size = len(names)
        self.members = [numbers[self.group == token] for token in range(self.size)]

    def number(self, values: Motifs) -> Tokens:
        nearest: Tokens = self.group[np.abs(values[:, None] - self.numbers).argmin(axis=1)]
        return nearest

    def value(self, numbers: Tokens, generator: np.random.RandomState) -> Motifs:
        return np.array([generator.choice(self.members[token]) for token in numbers])


class _ContinuousColumn:
    """A column of real numbers: a token for each interval."""

    def __init__(self, distribution: BaseDistribution, edges: Motifs) -> None:
        self.distribution = distribution
        self.edges = edges
        self.start = float(edges[0])
        self.size = len(edges) - 1

    def number(self, values: Motifs) -> Tokens:
        return _interval(values, self.edges)

    def value(self, numbers: Tokens, generator: np.random.RandomState) -> Motifs:
        low, high = self.edges[numbers], self.edges[numbers + 1]
        return draw_between(self.distribution, low, high, generator)


def _column(distribution: BaseDistribution, n_bins: int) -> _DiscreteColumn | _ContinuousColumn:
    counted = values(distribution)
    if counted is None:
        return _ContinuousColumn(distribution, bin_edges(distribution, n_bins))
    numbers = np.asarray(counted, dtype=np.float64)
    # Choices have no order: each is a token, however many there are.
    if isinstance(distribution, CategoricalDistribution) or len(numbers) <= n_bins:
        return _DiscreteColumn(numbers, np.arange(len(numbers)))
    return _DiscreteColumn(numbers, _interval(numbers, bin_edges(distribution, n_bins)))


def _interval(values: Motifs, edges: Motifs) -> Tokens:
    """Return the intervals that values lie in, the outermost of which have no end."""
    return np.searchsorted(edges[1:-1], values, side="right")
