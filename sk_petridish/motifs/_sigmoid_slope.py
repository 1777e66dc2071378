"""Slopes of sigmoid activations (section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, FloatDistribution

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Blueprint, BlueprintBuilder

from ._base import Motifs, MotifSpace
from ._graph import activation_of
from .recommended._paper import PAPER
from .recommended._sigmoid_slope import SIGMOID_SLOPE, SIGMOID_SLOPE_BANK


class SigmoidSlope(MotifSpace):
    """Multilayer perceptrons whose activation is ``1 / (1 + exp(-c x))``.

    The motif is the slope ``c``. With one slope the network is that of section
    4.1, two hidden layers that share it; with more, each slope has a hidden layer
    of its own.

    Parameters
    ----------
    n_slopes : int, default=1
        Numbers in a row. The notation of a motif is its slope, or a tuple of several.
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
    _ranges: ClassVar[tuple[str, ...]] = ("low", "high")

    _parameter_constraints: ClassVar[Constraints] = {
        "n_slopes": [integers(1)],
        "low": [reals(0, closed="left")],
        "high": [reals(0)],
    }

    @validated
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

    def _check_space(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"{self!r} is empty: it needs low < high.")

    def _check(self, rows: Motifs) -> None:
        # Any finite slope has a network, the range is that of searches only.
        pass

    def _blueprint(self, row: Motifs) -> Blueprint:
        slopes = row.tolist()
        network = BlueprintBuilder()
        last = network.input
        for slope in slopes * 2 if self.n_slopes == 1 else slopes:
            last = network.add("linear", last, units="n_hidden")
            last = network.add("sigmoid", last, parameters=(slope,))
        network.add("linear", last, units="n_outputs")
        return network.build()

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
        return activation_of(self._blueprint(self._checked(row)), x)

    def _search_space(self) -> dict[str, BaseDistribution]:
        names = ["slope"] if self.n_slopes == 1 else [f"slope_{i}" for i in range(self.n_slopes)]
        return {name: FloatDistribution(self.low, self.high) for name in names}

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        # Uniform, as the base's draws, and of the caller's generator directly.
        return generator.uniform(self.low, self.high, size=(n, self.n_slopes))

    def _encode(self, motif: float | Sequence[float]) -> Motifs:
        return np.ravel(motif)

    def _decode(self, row: Motifs) -> float | tuple[float, ...]:
        slopes: list[float] = row.tolist()
        return slopes[0] if self.n_slopes == 1 else tuple(slopes)
