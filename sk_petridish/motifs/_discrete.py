"""Motif spaces whose rows are choices."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from ._base import Motifs, MotifSpace


class DiscreteSpace(MotifSpace):
    """A motif space in which every column is a choice, a whole number from 0 on.

    Instead of ``_search_space`` a subclass writes ``_columns() -> dict``, the number of
    choices of every column by its name.
    """

    @abstractmethod
    def _columns(self) -> dict[str, int]:
        """Return the number of choices of every column, by its name, in order."""

    def _limits(self) -> NDArray[np.int64]:
        return np.array(list(self._columns().values()))

    def _n_columns(self) -> int:
        return len(self._columns())

    def _search_space(self) -> dict[str, BaseDistribution]:
        return {
            name: CategoricalDistribution(range(limit)) for name, limit in self._columns().items()
        }

    def _check(self, rows: Motifs) -> None:
        wrong = (rows != np.round(rows)) | (rows < 0) | (rows >= self._limits())
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name, limit = list(self._columns().items())[column]
            raise ValueError(
                f"Row {row} has {name}={rows[row, column]:g}, which must be a whole number from "
                f"0 to {limit - 1}."
            )

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        limits = self._limits()
        return generator.randint(limits, size=(n, len(limits))).astype(np.float64)

    def _repair(self, rows: Motifs) -> Motifs:
        # Numbers in order, not names: half-way goes to the even one, outside to the end.
        return np.clip(np.round(rows), 0, self._limits() - 1)
