"""Motifs that are torch modules of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.utils import check_random_state

from sk_petridish.blueprints import Factory, ModuleBlueprint

from ._base import DataKind, Motifs, MotifSpace


class ModuleMotif(MotifSpace):
    """Motifs of any kind: a function makes each one's network.

    This is the way to try a family of motifs. It is slower than a space of blueprints,
    since networks are trained one at a time by PyTorch; and matrices of the networks start
    from a dish's initial weights, vectors as the module sets them.

    Parameters
    ----------
    factory : callable
        ``factory(row, n_inputs, n_hidden, n_outputs) -> torch.nn.Module``. The structure
        may differ from row to row. A module maps samples ``(n_samples, n_inputs)`` to
        outputs ``(n_samples, n_outputs)`` before any link function, with axes of time, or
        of height and width, between these where ``data_kind`` asks for them. It must be
        differentiable twice, and the same whenever it is called with the same row.
        To be used in other processes or pickled, the function stands in a module.
    distributions : dict of str to optuna.distributions.BaseDistribution
        The search space: one entry a column of ``X``, with numbers.
    data_kind : {"vectors", "sequences", "images"}, default="vectors"
        What the networks read.

    See Also
    --------
    MotifSpace : What to inherit from for a family with a notation of its own.

    Examples
    --------
    How much of its input should a layer pass on as it is?

    >>> import torch
    >>> from optuna.distributions import FloatDistribution
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.motifs import ModuleMotif
    >>> class Skip(torch.nn.Module):
    ...     def __init__(self, share, n_inputs, n_hidden, n_outputs):
    ...         super().__init__()
    ...         self.share = share
    ...         self.first = torch.nn.Linear(n_inputs, n_hidden)
    ...         self.second = torch.nn.Linear(n_hidden, n_hidden)
    ...         self.readout = torch.nn.Linear(n_hidden, n_outputs)
    ...
    ...     def forward(self, x):
    ...         x = self.first(x)
    ...         x = self.share * x + (1 - self.share) * torch.tanh(self.second(x))
    ...         return self.readout(x)
    >>> space = ModuleMotif(
    ...     lambda row, *widths: Skip(row[0], *widths), {"share": FloatDistribution(0.0, 1.0)}
    ... )
    >>> X, y = [[0.0], [0.3], [0.6], [1.0]], [0.4, 0.2, 0.3, 0.5]
    >>> dish = PetriDishRegressor(
    ...     space, n_dishes=1, inner_steps=5, max_iter=2, max_outer_loss=4, random_state=0
    ... )
    >>> dish.fit(X, y).predict([[0.5]]).shape
    (1,)
    """

    def __init__(
        self,
        factory: Factory,
        distributions: Mapping[str, BaseDistribution],
        data_kind: DataKind = "vectors",
    ) -> None:
        self.factory = factory
        self.distributions = distributions
        self.data_kind = data_kind

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        return f"A row of X is one motif: {', '.join(self.distributions)}."

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
            If there are other numbers of columns, or numbers that are not finite. What
            else a row must be, the factory says.
        """
        self._check_not_empty()
        return self._check_rows(X, len(self.distributions))

    def _check_not_empty(self) -> None:
        if not self.distributions:
            raise ValueError(f"{self!r} is empty: it needs at least one distribution.")

    def blueprint(self, row: ArrayLike) -> ModuleBlueprint:
        """Give what makes the network of a motif.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Returns
        -------
        ModuleBlueprint
            With ``build(n_inputs, n_hidden, n_outputs)``, as blueprints have.

        Raises
        ------
        ValueError
            If the row is not a motif of this space.
        """
        return ModuleBlueprint(
            self.factory, tuple(self.validate(np.asarray(row)[None])[0].tolist())
        )

    def search_space(self) -> dict[str, BaseDistribution]:
        """Give the search space as Optuna writes it.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            One entry a column of ``X``, in order.
        """
        return dict(self.distributions)

    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw every column independently from its distribution.

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
        self._check_not_empty()
        generator = check_random_state(random_state)
        columns = [_draw(one, n, generator) for one in self.distributions.values()]
        return self.repair(np.stack(columns, axis=1))

    def encode(self, objects: Sequence[Any]) -> Motifs:
        """Give rows as they are: the family's own notation.

        Parameters
        ----------
        objects : sequence of sequences of float
            Rows.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The same.
        """
        return self.validate(np.asarray(objects))

    def decode(self, X: ArrayLike) -> list[Any]:
        """Give rows as they are.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs.

        Returns
        -------
        list of lists of float
            The same.
        """
        rows: list[Any] = self.validate(X).tolist()
        return rows

    def repair(self, X: ArrayLike) -> Motifs:
        """Clip every column to its distribution and round it to its steps.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Finite rows.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The nearest motifs of the space.
        """
        columns = self.validate(X).T
        mended = [
            _nearest(one, column)
            for one, column in zip(self.distributions.values(), columns, strict=True)
        ]
        return np.stack(mended, axis=1)


def _draw(distribution: BaseDistribution, n: int, generator: np.random.RandomState) -> Motifs:
    """Draw numbers of one column."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            drawn = np.asarray(choices)[generator.randint(len(choices), size=n)]
        case IntDistribution(low=low, high=high, log=False):
            drawn = generator.randint(low, high + 1, size=n)
        case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high, log=True):
            drawn = np.exp(generator.uniform(np.log(low), np.log(high), size=n))
        case FloatDistribution(low=low, high=high):
            drawn = generator.uniform(low, high, size=n)
        case _:
            raise TypeError(f"Unknown distribution: {distribution!r}.")
    return np.asarray(drawn, dtype=np.float64)


def _nearest(distribution: BaseDistribution, column: Motifs) -> Motifs:
    """Give the nearest numbers that a distribution has."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            numbers: Motifs = np.asarray(choices, dtype=np.float64)
            return np.asarray(numbers[np.abs(column[:, None] - numbers).argmin(axis=1)])
        case (
            IntDistribution(low=low, high=high, step=step)
            | FloatDistribution(low=low, high=high, step=step)
        ):
            clipped = np.clip(column, low, high)
            if step is None:
                return clipped
            return np.clip(low + np.round((clipped - low) / step) * step, low, high)
    raise TypeError(f"Unknown distribution: {distribution!r}.")
