"""Rows of any motif space as sequences of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sk_petridish.motifs import Motifs

Tokens = NDArray[np.int64]


class Positions:
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
        """Say which tokens are legal where.

        Returns
        -------
        ndarray of shape (n_positions, n_tokens), bool
            Legality.
        """
        tokens = np.arange(self.n_tokens) - self.first[:, None]
        return (tokens >= 0) & (tokens < self.sizes[:, None])

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


class _Numbers:
    """A column of few numbers."""

    def __init__(self, numbers: Motifs) -> None:
        self.numbers = numbers
        self.size = len(numbers)
        self.start = float(numbers[0])

    def number(self, values: Motifs) -> Tokens:
        nearest: Tokens = np.abs(values[:, None] - self.numbers).argmin(axis=1)
        return nearest

    def value(self, numbers: Tokens, generator: np.random.RandomState) -> Motifs:
        return self.numbers[numbers]


class _Intervals:
    """A column of many numbers, in intervals of equal width, of logarithms where it is one."""

    def __init__(self, distribution: FloatDistribution | IntDistribution, size: int) -> None:
        self.distribution = distribution
        self.size = size
        self.start = float(distribution.low)
        low, high = self._scaled([distribution.low, distribution.high])
        self.edges = np.linspace(low, high, size + 1)

    def _scaled(self, values: object) -> Motifs:
        numbers = np.asarray(values, dtype=np.float64)
        return np.log(numbers) if self.distribution.log else numbers

    def number(self, values: Motifs) -> Tokens:
        return np.clip(np.searchsorted(self.edges, self._scaled(values)) - 1, 0, self.size - 1)

    def value(self, numbers: Tokens, generator: np.random.RandomState) -> Motifs:
        drawn = generator.uniform(self.edges[numbers], self.edges[numbers + 1])
        values = np.exp(drawn) if self.distribution.log else drawn
        if step := self.distribution.step:
            values = self.start + np.round((values - self.start) / step) * step
        legal: Motifs = np.clip(values, self.distribution.low, self.distribution.high)
        return legal


def _column(distribution: BaseDistribution, n_bins: int) -> _Numbers | _Intervals:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return _Numbers(np.asarray(choices, dtype=np.float64))
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            step = distribution.step
            if step is not None and (high - low) / step < n_bins:
                return _Numbers(low + step * np.arange(round((high - low) / step) + 1.0))
            return _Intervals(distribution, n_bins)
    raise TypeError(f"Unknown distribution: {distribution!r}.")
