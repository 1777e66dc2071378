"""Activation functions made of named functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sk_petridish.blueprints import Blueprint, BlueprintBuilder, canonical

from ._base import Motifs, MotifSpace, map_numbered
from ._graph import activation_of
from .notation._expressions import (
    BINARY,
    CONSTANT,
    UNARY,
    VARIABLE,
    Formula,
    add_formula,
    arity,
    numbers_of,
    parse,
)
from .recommended._paper import PAPER
from .recommended._sigmoid_slope import SIGMOID_SLOPE, SIGMOID_SLOPE_BANK

# Numbered from 1; 0 is nothing. New ones go to the end: rows must keep their meaning.
_FUNCTIONS = (None, VARIABLE, CONSTANT, *UNARY, *BINARY)
_NUMBERS = {name: number for number, name in enumerate(_FUNCTIONS) if name}
# Of at most linear growth and defined everywhere.
_TAME = (*(name for name in UNARY if name not in ("exp", "sqrt")), "+", "-", "*", "max", "min")
_HARD_SIGMOID = "min(1, max(0, 0.5 * x + 0.5))"
_TO_TWO = "max(min(x, 2), -2)"

ACTIVATION_FUNCTIONS: dict[str, str] = {
    "identity": "x",
    "sigmoid": "sigmoid(x)",
    "tanh": "tanh(x)",
    "relu": "relu(x)",
    "relu6": "min(relu(x), 6)",
    "leaky_relu": "max(x, 0.01 * x)",
    "elu": "elu(x)",
    "selu": "1.0507009873554805 * (relu(x) + 1.6732632423543772 * elu(min(x, 0)))",
    "softplus": "softplus(x)",
    "log_sigmoid": "-softplus(-x)",
    "softsign": "x / (1 + abs(x))",
    "hard_tanh": "max(min(x, 1), -1)",
    "softshrink": "x - max(min(x, 0.5), -0.5)",
    "tanhshrink": "x - tanh(x)",
    "swish": "x * sigmoid(x)",
    "e_swish": "1.75 * x * sigmoid(x)",
    "mish": "x * tanh(softplus(x))",
    "gelu": "x * (0.5 + 0.5 * erf(0.7071067811865476 * x))",
    "elish": "elu(x) * sigmoid(x)",
    "hard_elish": f"elu(x) * {_HARD_SIGMOID}",
    "bent_identity": "0.5 * (sqrt(x * x + 1) - 1) + x",
    "sqnl": f"{_TO_TWO} - 0.25 * ({_TO_TWO} * abs({_TO_TWO}))",
    "isru": "x / sqrt(1 + x * x)",
    "isrlu": "relu(x) + min(x, 0) / sqrt(1 + min(x, 0) * min(x, 0))",
    "flatten_t_swish": "relu(x) * sigmoid(x) - 0.2",
    "weighted_tanh": "tanh(1.7145 * x)",
    "lecun_tanh": "1.7159 * tanh(0.6666666666666666 * x)",
    "soft_clipping": "2 * (softplus(0.5 * x) - softplus(0.5 * (x - 1)))",
    "aria_2": "sigmoid(x) * sqrt(sigmoid(x))",
}
"""Well-known activation functions, by names that :meth:`ActivationFunction.encode` knows."""


class ActivationFunction(MotifSpace):
    """Multilayer perceptrons whose activation is a formula of named functions.

    The network has two hidden layers with the same activation, as that of section 4.1. A
    formula is made of ``x``, numbers, ``+ - * /``, ``max``, ``min``, and the functions
    sigmoid, tanh, relu, elu, softplus, abs, erf, sin, cos, exp and sqrt.

    A row is the formula in prefix order: for each of ``max_nodes`` places the number of a
    function, and a constant, which counts only where the function is one. Its notation is the
    formula as text, such as ``"x * sigmoid(x)"``, or a name of ``ACTIVATION_FUNCTIONS``, such
    as ``"swish"``.

    Parameters
    ----------
    max_nodes : int, default=24
        The most functions, variables and numbers of a formula.
    functions : tuple of str, default=("sigmoid", "tanh", "relu", ..., "max", "min")
        What is sampled and searched, besides ``x`` and constants: by default all those that
        are defined everywhere and grow no faster than their arguments. Formulas with others
        can be evaluated all the same.
    low, high : float, default=-2.0 and 2.0
        The range of constants that is sampled, searched and repaired to; any finite
        constant can be evaluated.

    See Also
    --------
    SigmoidSlope : Sigmoids that differ in their slope.

    Notes
    -----
    Formulas that differ in the order of what commutes are one motif; those that are equal
    by other rules of arithmetic remain different. The recommended settings are those of
    :class:`SigmoidSlope`.

    Random formulas are small most often. Repair rounds and clips the numbers of functions and
    clips constants; what is missing from a formula becomes x, and what is superfluous goes; a
    number without a value becomes 1, and if nothing depends on x, the formula becomes x.

    References
    ----------
    .. [1] P. Ramachandran, B. Zoph and Q. Le, "Searching for Activation Functions", 2017,
       https://arxiv.org/abs/1710.05941

    Examples
    --------
    >>> from sk_petridish.motifs import ActivationFunction
    >>> space = ActivationFunction()
    >>> X = space.encode(["mish", "tanh(softplus(x)) * x", "max(x, 0.1 * x)"])
    >>> space.decode(X)
    ['x * tanh(softplus(x))', 'tanh(softplus(x)) * x', 'max(x, 0.1 * x)']
    >>> mish, same, leaky = space.canonical_keys(X)
    >>> mish == same, mish == leaky
    (True, False)
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": SIGMOID_SLOPE, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = SIGMOID_SLOPE_BANK
    _ranges: ClassVar[tuple[str, ...]] = ("functions", "low", "high")

    def __init__(
        self,
        max_nodes: int = 24,
        functions: tuple[str, ...] = _TAME,
        low: float = -2.0,
        high: float = 2.0,
    ) -> None:
        self.max_nodes = max_nodes
        self.functions = functions
        self.low = low
        self.high = high

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        numbered = ", ".join(f"{number}: {name}" for name, number in _NUMBERS.items())
        return (
            f"A row of X is one motif: an activation function in prefix order, for each of "
            f"{self.max_nodes} places the number of a function (0: none; {numbered}) and a "
            "constant."
        )

    def _check_space(self) -> None:
        if self.max_nodes < 1 or not self.low < self.high:
            raise ValueError(f"{self!r} is empty: it needs max_nodes >= 1 and low < high.")
        unknown = set(self.functions) - set(_NUMBERS)
        if unknown:
            raise ValueError(f"Unknown functions {sorted(unknown)}; known are {list(_NUMBERS)}.")

    def _check(self, rows: Motifs) -> None:
        map_numbered("Row", _check, rows)

    def _blueprint(self, row: Motifs) -> Blueprint:
        formula = _formula(row)
        network = BlueprintBuilder()
        last = network.input
        for _ in range(2):
            linear = network.add("linear", last, units="n_hidden")
            last = add_formula(network, formula, linear)
        network.add("linear", last, units="n_outputs")
        return canonical(network.build())

    def activation(self, row: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
        """Compute the activation function itself.

        Parameters
        ----------
        row : array-like of shape (2 * max_nodes,)
            One motif.
        x : array-like
            Arguments.

        Returns
        -------
        ndarray
            Values, in the shape of ``x``.

        Examples
        --------
        >>> from sk_petridish.motifs import ActivationFunction
        >>> space = ActivationFunction()
        >>> space.activation(space.encode(["x * x"])[0], [1.0, 3.0])
        array([1., 9.])
        """
        return activation_of(self._blueprint(self._checked(row)), x)

    def _search_space(self) -> dict[str, BaseDistribution]:
        names = (VARIABLE, CONSTANT, *self.functions)
        choices = (0, *sorted(_NUMBERS[name] for name in names))
        distributions: dict[str, BaseDistribution] = {}
        for place in range(self.max_nodes):
            distributions[f"function_{place}"] = CategoricalDistribution(choices)
            distributions[f"constant_{place}"] = FloatDistribution(self.low, self.high)
        return distributions

    def _n_columns(self) -> int:
        return 2 * self.max_nodes

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        # Where there is no room for all of a formula, repair puts x for the rest.
        formulas = [list(self._draw(generator, 3).in_prefix_order()) for _ in range(n)]
        rows = [self._write(parts[: self.max_nodes]) for parts in formulas]
        return np.reshape(rows, (n, self._n_columns()))

    def _draw(self, generator: np.random.RandomState, depth: int) -> Formula:
        """Draw a formula, an activation or a combination at the top."""
        if not self.functions or depth == 0 or (depth < 3 and generator.random_sample() < 0.3):
            # Leaves are x four times out of five, or few formulas would depend on x.
            if generator.random_sample() < 0.8:
                return Formula(VARIABLE)
            value = round(generator.uniform(self.low, self.high), 2)
            return Formula(CONSTANT, value=value)
        function = self.functions[generator.randint(len(self.functions))]
        parts = tuple(self._draw(generator, depth - 1) for _ in range(arity(function)))
        return Formula(function, parts)

    def _encode(self, motif: str) -> list[float]:
        return self._encode_formula(parse(ACTIVATION_FUNCTIONS.get(motif, motif)))

    def _encode_formula(self, formula: Formula) -> list[float]:
        parts = list(formula.in_prefix_order())
        if len(parts) > self.max_nodes:
            raise ValueError(
                f"{formula} has {len(parts)} parts, more than max_nodes={self.max_nodes}."
            )
        return self._write(parts)

    def _write(self, parts: Sequence[Formula]) -> list[float]:
        row = [x for part in parts for x in (_NUMBERS[part.function], part.value)]
        return row + [0.0] * (2 * self.max_nodes - len(row))

    def _decode(self, row: Motifs) -> str:
        return str(_formula(row))

    def _repair(self, rows: Motifs) -> Motifs:
        rows = rows.copy()
        rows[:, ::2] = np.clip(np.round(rows[:, ::2]), 0, len(_FUNCTIONS) - 1)
        rows[:, 1::2] = np.clip(rows[:, 1::2], self.low, self.high)
        mended = [self._encode_formula(_mended(row)) for row in rows]
        return np.reshape(mended, rows.shape)


def _formula(row: Motifs) -> Formula:
    """Read a formula off a legal row."""
    return _build(iter(row.reshape(-1, 2).tolist()))


def _build(places: Iterator[Sequence[float]]) -> Formula:
    number, value = next(places, (math.nan, 0.0))
    if math.isnan(number):
        raise ValueError("the formula is longer than the row.")
    name = _FUNCTIONS[int(number)]
    if name is None:
        raise ValueError("an argument is missing.")
    if name == CONSTANT:
        return Formula(CONSTANT, value=value)
    return Formula(name, tuple(_build(places) for _ in range(arity(name))))


def _check(row: Motifs) -> None:
    """Raise ValueError unless a row is a formula and nothing else."""
    numbers, constants = row[::2], row[1::2]
    if (numbers != np.round(numbers)).any() or not (
        (numbers >= 0) & (numbers < len(_FUNCTIONS))
    ).all():
        raise ValueError(f"functions have whole numbers from 0 to {len(_FUNCTIONS) - 1}.")
    formula = _formula(row)
    # One formula has one row: whatever is not read is 0.
    n_parts = sum(1 for _ in formula.in_prefix_order())
    if numbers[n_parts:].any() or constants[numbers != _NUMBERS[CONSTANT]].any():
        raise ValueError("there are numbers that mean nothing, and must be 0.")
    if not formula.uses_x:
        raise ValueError(f"{formula} does not depend on x.")
    if not all(map(math.isfinite, numbers_of(formula))):
        raise ValueError(f"a number in {formula} has no value.")


def _mended(row: Motifs) -> Formula:
    """Make a formula of a row in range."""
    places = iter(row.reshape(-1, 2).tolist())
    left = len(row) // 2  # places that are not yet taken, or promised to an argument

    def build() -> Formula:
        nonlocal left
        number, value = next(places)
        name = _FUNCTIONS[int(number)] or VARIABLE
        # Every place taken is one less for arguments promised before.
        if arity(name) > left:
            name = VARIABLE
        if name == CONSTANT:
            return Formula(CONSTANT, value=value)
        left -= arity(name)
        return _valued(Formula(name, tuple(build() for _ in range(arity(name)))))

    left -= 1
    formula = build()
    return formula if formula.uses_x else Formula(VARIABLE)


def _valued(formula: Formula) -> Formula:
    """Replace a number that has no value."""
    if all(map(math.isfinite, numbers_of(formula))):
        return formula
    one = Formula(CONSTANT, value=1.0)
    if not formula.uses_x:
        return one
    return Formula(formula.function, (formula.arguments[0], one))  # a division by zero
