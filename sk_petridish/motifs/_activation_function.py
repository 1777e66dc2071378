"""Activation functions made of named functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sk_petridish._compat._constraints import ChoicesOf, integers, reals
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Blueprint, BlueprintBuilder, canonical

from ._base import Motifs, MotifSpace, map_numbered
from ._graph import activation_of
from .notation._expressions import (
    CONSTANT,
    VARIABLE,
    Formula,
    add_formula,
    arity,
    number,
    numbers_of,
)
from .notation._formula_text import parse
from .recommended._paper import PAPER
from .recommended._sigmoid_slope import SIGMOID_SLOPE, SIGMOID_SLOPE_BANK

# Of at most linear growth and defined everywhere.
_TAME = (
    *("sigmoid", "tanh", "relu", "elu", "softplus", "abs", "erf", "sin", "cos"),
    *("+", "-", "*", "max", "min"),
)
# Numbered from 1; 0 is nothing. New ones go to the end: rows must keep their meaning.
_FUNCTIONS = (
    *(None, VARIABLE, CONSTANT, "sigmoid", "tanh", "relu", "elu", "softplus", "abs", "erf", "sin"),
    *("cos", "exp", "sqrt", "+", "-", "*", "/", "max", "min", "log", "asinh", "atan"),
)
_NUMBERS = {name: number for number, name in enumerate(_FUNCTIONS) if name}


class ActivationFunction(MotifSpace):
    """Multilayer perceptrons whose activation is a formula of named functions.

    The network has two hidden layers with the same activation, as that of section 4.1. A
    formula is made of ``x``, numbers, ``+ - * /``, ``max``, ``min``, and the functions
    sigmoid, tanh, relu, elu, softplus, abs, erf, sin, cos, exp, sqrt, log, asinh and atan.

    A row is the formula in prefix order: for each of ``max_nodes`` places the number of a
    function, and a constant, which counts only where the function is one. Its notation is the
    formula as text, such as ``"x * sigmoid(x)"``. Text may use all that can be written as such a
    formula: the names of ``ACTIVATION_FUNCTIONS`` as functions, ``"swish(2 * x)"``; PyTorch's
    names and modules, ``"F.silu(x)"`` or ``"nn.LeakyReLU(0.2)"``, with the names of their
    arguments, ``"GELU(approximate='tanh')"``; arithmetic as functions,
    ``"sum_n(abs(x), swish(x), 1)"``; powers with whole and half exponents, ``"x**2"``; and a
    function alone, ``"torch.tanh"``.

    Parameters
    ----------
    max_nodes : int, default=24
        The most functions, variables and numbers of a formula.
    functions : tuple of str, default=("sigmoid", "tanh", "relu", ..., "max", "min")
        What is sampled and searched, besides ``x`` and constants: by default all those that
        are defined everywhere and grow no faster than their arguments. Formulas with others
        can be evaluated all the same.
    low, high : float, default=-2.0 and 2.0
        The range of constants that is sampled and searched; any finite constant can be
        evaluated.

    See Also
    --------
    SigmoidSlope : Sigmoids that differ in their slope.

    Notes
    -----
    Formulas that differ in the order of what commutes are one motif; those that are equal
    by other rules of arithmetic remain different. The recommended settings are those of
    :class:`SigmoidSlope`. Names that PyTorch has, too, mean what they mean there: the
    ``hard_sigmoid`` is that of slope 1/6. Of their arguments, ``inplace`` is ignored, and so is
    the ``threshold`` of softplus from 20 on, its default: below that it makes a jump.

    Random formulas are small most often. Repair leaves formulas alone, whatever their
    constants. Otherwise it rounds the numbers of functions, clips them to the last that is
    searched, and clips constants; what is missing from a formula becomes x, and what is
    superfluous goes; a number without a value becomes 1, and if nothing depends on x, the
    formula becomes x. The constant of a place that has none is 0, or the nearest number of a
    range without 0.

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
    >>> space.decode(space.encode(["F.silu(x)", "add(relu(x), swish(x))", "x**2 - atan(x)"]))
    ['x * sigmoid(x)', 'relu(x) + (x * sigmoid(x))', '(x * x) - atan(x)']

    A module, as PyTorch prints it:

    >>> from torch import nn
    >>> space.decode(space.encode([str(nn.Hardtanh(0.0, 6.0, inplace=True))]))
    ['max(min(x, 6.0), 0.0)']
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": SIGMOID_SLOPE, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = SIGMOID_SLOPE_BANK
    _ranges: ClassVar[tuple[str, ...]] = ("functions", "low", "high")

    _parameter_constraints: ClassVar[Constraints] = {
        "max_nodes": [integers(1)],
        "functions": [ChoicesOf(_NUMBERS, min_length=0)],
        "low": [reals()],
        "high": [reals()],
    }

    @validated
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
        if not self.low < self.high:
            raise ValueError(f"{self!r} is empty: it needs low < high.")

    def _check(self, rows: Motifs) -> None:
        map_numbered("Row", self._check_row, rows)

    def _check_row(self, row: Motifs) -> None:
        _check(row, self._unused)

    @property
    def _unused(self) -> float:
        """The constant of a place that has none: 0, or the nearest number in range."""
        return float(np.clip(0.0, self.low, self.high))

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
        choices = self._choices()
        distributions: dict[str, BaseDistribution] = {}
        for place in range(self.max_nodes):
            distributions[f"function_{place}"] = CategoricalDistribution(choices)
            distributions[f"constant_{place}"] = FloatDistribution(self.low, self.high)
        return distributions

    def _choices(self) -> tuple[int, ...]:
        """Return the numbers of what is searched."""
        names = (VARIABLE, CONSTANT, *self.functions)
        return (0, *sorted(_NUMBERS[name] for name in names))

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
            return number(min(max(value, self.low), self.high))
        function = self.functions[generator.randint(len(self.functions))]
        parts = tuple(self._draw(generator, depth - 1) for _ in range(arity(function)))
        return Formula(function, parts)

    def _encode(self, motif: Any) -> list[float]:
        formula = parse(motif, self.max_nodes)
        _check_formula(formula)
        return self._write(list(formula.in_prefix_order()))

    def _write(self, parts: Sequence[Formula]) -> list[float]:
        row = []
        for part in parts:
            value = part.value if part.function == CONSTANT else self._unused
            row += [_NUMBERS[part.function], value]
        return row + [0.0, self._unused] * (self.max_nodes - len(parts))

    def _decode(self, row: Motifs) -> str:
        return str(_formula(row))

    def _repair(self, rows: Motifs) -> Motifs:
        return np.reshape([self._repair_row(row) for row in rows], rows.shape)

    def _repair_row(self, row: Motifs) -> ArrayLike:
        try:
            self._check_row(row)
        except ValueError:
            numbers = np.clip(np.round(row[::2]), 0, max(self._choices()))
            constants = np.clip(row[1::2], self.low, self.high)
            # The number for what has no value: 1, or the nearest in range that is not 0.
            one = float(np.clip(1.0, self.low, self.high)) or self.low
            mended = _mended(np.column_stack([numbers, constants]), number(one))
            return self._write(list(mended.in_prefix_order()))
        return row  # with constants out of range, too


def _formula(row: Motifs) -> Formula:
    """Read a formula off a legal row."""
    return _build(iter(row.reshape(-1, 2).tolist()))


def _build(places: Iterator[Sequence[float]]) -> Formula:
    function, value = next(places, (math.nan, 0.0))
    if math.isnan(function):
        raise ValueError("the formula is longer than the row.")
    name = _FUNCTIONS[int(function)]
    if name is None:
        raise ValueError("an argument is missing.")
    if name == CONSTANT:
        return number(value)
    return Formula(name, tuple(_build(places) for _ in range(arity(name))))


def _check(row: Motifs, unused: float) -> None:
    """Raise ValueError unless a row is a formula and nothing else."""
    numbers, constants = row[::2], row[1::2]
    if (numbers != np.round(numbers)).any() or not (
        (numbers >= 0) & (numbers < len(_FUNCTIONS))
    ).all():
        raise ValueError(f"functions have whole numbers from 0 to {len(_FUNCTIONS) - 1}.")
    formula = _formula(row)
    # One formula has one row: whatever is not read has one value.
    if (
        numbers[formula.n_parts :].any()
        or (constants[numbers != _NUMBERS[CONSTANT]] != unused).any()
    ):
        raise ValueError(
            f"there are numbers that mean nothing: functions must be 0, constants {unused:g}."
        )
    _check_formula(formula)


def _check_formula(formula: Formula) -> None:
    """Raise ValueError unless a formula is a function of x."""
    if not formula.uses_x:
        raise ValueError(f"{formula} does not depend on x.")
    if not all(map(math.isfinite, numbers_of(formula))):
        raise ValueError(f"a number in {formula} has no value.")


def _mended(table: Motifs, one: Formula) -> Formula:
    """Make a formula of numbers in range; ``one`` stands for a number without a value."""
    places = iter(table.tolist())
    left = len(table)  # places that are not yet taken, or promised to an argument

    def build() -> Formula:
        nonlocal left
        function, value = next(places)
        name = _FUNCTIONS[int(function)] or VARIABLE
        # Every place taken is one less for arguments promised before.
        if arity(name) > left:
            name = VARIABLE
        if name == CONSTANT:
            return number(value)
        left -= arity(name)
        return _valued(Formula(name, tuple(build() for _ in range(arity(name)))), one)

    left -= 1
    formula = build()
    return formula if formula.uses_x else Formula(VARIABLE)


def _valued(formula: Formula, one: Formula) -> Formula:
    """Replace a number that has no value."""
    if all(map(math.isfinite, numbers_of(formula))):
        return formula
    if not formula.uses_x:
        return one
    return Formula(formula.function, (formula.arguments[0], one))  # a division by zero
