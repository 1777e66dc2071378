"""Slopes of sigmoid activations (section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from sklearn.utils import check_random_state

from sk_petridish.blueprints import Blueprint, Node

from ._base import Motifs, MotifSpace
from ._graph import activation_of
from ._settings import PAPER, SIGMOID_SLOPE, SIGMOID_SLOPE_BANK


class SigmoidSlope(MotifSpace):
    """Multilayer perceptrons whose activation is ``1 / (1 + exp(-c x))``.

    The motif is the slope ``c``. With one slope the network is that of section
    4.1, two hidden layers that share it; with more, each slope has a hidden layer
    of its own.

    Parameters
    ----------
    n_slopes : int, default=1
        Numbers in a row.
    low, high : float, default=0.01 and 2.01
        The range that is sampled, searched and repaired to. Any finite slope can
        be evaluated.

    See Also
    --------
    sk_petridish.datasets.load_sigmoid_slopes : Ground truth for this space.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 4.1.

    Examples
    --------
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> space = SigmoidSlope()
    >>> [node.operation for node in space.blueprint([0.23]).nodes]
    ['input', 'linear', 'sigmoid', 'linear', 'sigmoid', 'linear']
    >>> space.sample(2, random_state=0).round(2)
    array([[1.11],
           [1.44]])
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": SIGMOID_SLOPE, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = SIGMOID_SLOPE_BANK

    def __init__(self, n_slopes: int = 1, low: float = 0.01, high: float = 2.01) -> None:
        self.n_slopes = n_slopes
        self.low = low
        self.high = high

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        if self.n_slopes == 1:
            return "A row of X is one motif: [c], the slope of both hidden layers' sigmoid."
        return f"A row of X is one motif: the sigmoid slopes of {self.n_slopes} hidden layers."

    def validate(self, X: ArrayLike) -> Motifs:
        """Check motifs and return them as an array.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_slopes)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs, n_slopes)
            The same, in float64.

        Raises
        ------
        ValueError
            If ``X`` is not two-dimensional, a slope is not finite, rows have not
            ``n_slopes`` numbers, or the space itself is empty.
        """
        if self.n_slopes < 1 or not self.low < self.high:
            raise ValueError(f"{self!r} is empty: it needs n_slopes >= 1 and low < high.")
        return self._check_rows(X, self.n_slopes)

    def blueprint(self, row: ArrayLike) -> Blueprint:
        """Describe the multilayer perceptron with these slopes.

        Parameters
        ----------
        row : array-like of shape (n_slopes,)
            One motif.

        Returns
        -------
        Blueprint
            Linear layers with sigmoids between them.

        Raises
        ------
        ValueError
            If the row is not a motif of this space.
        """
        slopes = self.validate(np.asarray(row)[None])[0].tolist()
        nodes = [Node("input")]
        for slope in slopes * 2 if self.n_slopes == 1 else slopes:
            nodes.append(Node("linear", (len(nodes) - 1,), units="n_hidden"))
            nodes.append(Node("sigmoid", (len(nodes) - 1,), (slope,)))
        nodes.append(Node("linear", (len(nodes) - 1,), units="n_outputs"))
        return Blueprint(tuple(nodes))

    def activation(self, row: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
        """Compute the first layer's activation function itself.

        Parameters
        ----------
        row : array-like of shape (n_slopes,)
            One motif.
        x : array-like
            Arguments.

        Returns
        -------
        ndarray
            Values, in the shape of ``x``.

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().activation([2.0], [-1.0, 0.0, 1.0]).round(2)
        array([0.12, 0.5 , 0.88])
        """
        return activation_of(self.blueprint(row), x)

    def search_space(self) -> dict[str, BaseDistribution]:
        """Give the search space as Optuna writes it.

        Returns
        -------
        dict of str to optuna.distributions.FloatDistribution
            ``"slope"``, or ``"slope_0"``, ``"slope_1"``, ...

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().search_space()
        {'slope': FloatDistribution(high=2.01, log=False, low=0.01, step=None)}
        """
        names = ["slope"] if self.n_slopes == 1 else [f"slope_{i}" for i in range(self.n_slopes)]
        return {name: FloatDistribution(self.low, self.high) for name in names}

    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw slopes uniformly between ``low`` and ``high``.

        Parameters
        ----------
        n : int
            How many motifs.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n, n_slopes)
            Motifs.
        """
        generator = check_random_state(random_state)
        return self.validate(generator.uniform(self.low, self.high, size=(n, self.n_slopes)))

    def encode(self, objects: Sequence[Any]) -> Motifs:
        """Turn slopes into rows.

        Parameters
        ----------
        objects : sequence of float or of sequences of float
            One slope a motif, or ``n_slopes`` of them.

        Returns
        -------
        ndarray of shape (n_motifs, n_slopes)
            Their rows.
        """
        return self.validate(np.asarray(objects, dtype=np.float64).reshape(len(objects), -1))

    def decode(self, X: ArrayLike) -> list[Any]:
        """Turn rows into slopes.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_slopes)
            Motifs.

        Returns
        -------
        list of float or of tuple of float
            One slope a motif, or ``n_slopes`` of them.

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().decode([[0.23], [1.0]])
        [0.23, 1.0]
        """
        rows = self.validate(X).tolist()
        return [row[0] for row in rows] if self.n_slopes == 1 else [tuple(row) for row in rows]

    def repair(self, X: ArrayLike) -> Motifs:
        """Clip slopes to the range from ``low`` to ``high``.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_slopes)
            Finite rows.

        Returns
        -------
        ndarray of shape (n_motifs, n_slopes)
            Motifs in range.
        """
        return np.clip(self.validate(X), self.low, self.high)
