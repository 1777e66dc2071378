"""Motif spaces whose rows are choices."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.utils import check_random_state

from ._base import Motifs, MotifSpace


class DiscreteSpace(MotifSpace):
    """A motif space in which every column is a choice, a whole number from 0 on."""

    @abstractmethod
    def _columns(self) -> dict[str, int]:
        """Give the number of choices of every column, by its name.

        Raises ValueError where the space itself is empty.
        """

    def _limits(self) -> NDArray[np.int64]:
        return np.array(list(self._columns().values()))

    def validate(self, X: ArrayLike) -> Motifs:
        """Check motifs and return them as an array.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The same, in float64.

        Raises
        ------
        ValueError
            If a row is not a motif of this space; the message says what a row is.
        """
        limits = self._limits()
        rows = self._check_rows(X, len(limits))
        wrong = (rows != np.round(rows)) | (rows < 0) | (rows >= limits)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name, limit = list(self._columns().items())[column]
            raise ValueError(
                f"Row {row} has {name}={rows[row, column]:g}, which must be a whole number from "
                f"0 to {limit - 1}.\n{self.row_description}"
            )
        return rows

    def search_space(self) -> dict[str, BaseDistribution]:
        """Give the search space as Optuna writes it.

        Returns
        -------
        dict of str to optuna.distributions.CategoricalDistribution
            One entry a column of ``X``, in order.
        """
        return {
            name: CategoricalDistribution(range(limit)) for name, limit in self._columns().items()
        }

    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw every column uniformly.

        Parameters
        ----------
        n : int
            How many motifs.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n, n_features)
            Motifs.
        """
        limits = self._limits()
        generator = check_random_state(random_state)
        rows = generator.randint(limits, size=(n, len(limits))).astype(np.float64)
        return self.repair(rows)

    def repair(self, X: ArrayLike) -> Motifs:
        """Round every column and clip it to its choices.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Finite rows.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The nearest motifs of the space; legal ones are returned as they are.
        """
        limits = self._limits()
        return np.clip(np.round(self._check_rows(X, len(limits))), 0, limits - 1)
