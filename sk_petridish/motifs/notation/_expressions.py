"""Formulas of one variable: trees, and how they become nodes of a blueprint."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sk_petridish.blueprints import BlueprintBuilder

VARIABLE, CONSTANT = "x", "constant"
UNARY: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x > 0 else 1 - 1 / (1 + math.exp(x)),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "abs": abs,
    "erf": math.erf,
    "sin": math.sin,
    "cos": math.cos,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
    "asinh": math.asinh,
    "atan": math.atan,
}
"""Functions of one argument, and what they give for a number."""
BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "max": max,
    "min": min,
}
"""Functions of two arguments."""
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
"""Functions of two arguments that are written between them."""


@dataclass(frozen=True)
class Formula:
    """A formula, as a tree.

    Parameters
    ----------
    function : str
        ``"x"``, ``"constant"``, or a name of ``UNARY`` or ``BINARY``.
    arguments : tuple of Formula
        Its arguments.
    value : float
        That of a constant.

    Attributes
    ----------
    uses_x : bool
        Whether it depends on x.
    n_parts : int
        The number of functions, variables and numbers.
    depth : int
        How many of them stand within each other.
    """

    function: str
    arguments: tuple[Formula, ...] = ()
    value: float = 0.0
    uses_x: bool = field(init=False, repr=False, compare=False)
    n_parts: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Counted from the parts' own counts: names within names make one object a part of a
        # formula in so many places that visiting them all would never end.
        uses_x = self.function == VARIABLE or any(part.uses_x for part in self.arguments)
        object.__setattr__(self, "uses_x", uses_x)
        object.__setattr__(self, "n_parts", 1 + sum(part.n_parts for part in self.arguments))
        depth = 1 + max((part.depth for part in self.arguments), default=0)
        object.__setattr__(self, "depth", depth)

    def in_prefix_order(self) -> Iterator[Formula]:
        """Go through all of its parts, each before its arguments."""
        yield self
        for part in self.arguments:
            yield from part.in_prefix_order()

    def constant(self) -> float:
        """Compute it, where it does not depend on x; infinite or NaN where it has no value."""
        if self.function == CONSTANT:
            return self.value
        function: Callable[..., float] = (UNARY | BINARY)[self.function]
        try:
            return float(function(*(part.constant() for part in self.arguments)))
        except (ArithmeticError, ValueError):
            return math.nan

    def __str__(self) -> str:
        """Write it as text."""
        match self.function:
            case "x":
                return VARIABLE
            case "constant":
                return repr(self.value)
            case operator if operator in OPERATORS.values():
                first, second = map(_enclosed, self.arguments)
                return f"{first} {operator} {second}"
            case function:
                return f"{function}({', '.join(map(str, self.arguments))})"


def _enclosed(formula: Formula) -> str:
    return f"({formula})" if formula.function in OPERATORS.values() else str(formula)


def arity(function: str) -> int:
    """Return the number of arguments of a function.

    Parameters
    ----------
    function : str
        As in :class:`Formula`.

    Returns
    -------
    int
        0, 1 or 2.
    """
    return (function in UNARY) + 2 * (function in BINARY)


def number(value: float) -> Formula:
    """Return a number as a formula.

    Parameters
    ----------
    value : float or int
        The number; an integer may be larger than any float.

    Returns
    -------
    Formula
        A constant.
    """
    try:
        return Formula(CONSTANT, value=float(value))
    except OverflowError:
        return Formula(CONSTANT, value=math.inf)


def add_formula(network: BlueprintBuilder, formula: Formula, x: int) -> int:
    """Add the nodes of a formula to a blueprint.

    Parameters
    ----------
    network : BlueprintBuilder
        Nodes so far.
    formula : Formula
        One that depends on x.
    x : int
        Position of the node that is x.

    Returns
    -------
    int
        Position of the result.
    """
    add = network.add

    def operate(function: str, *parts: Formula) -> int:
        """Combine two parts, of which one may be a number."""
        first, second = parts
        # There is no node for a number: a + x is a shift of x, a * x a scale.
        if not second.uses_x:
            value, varies = second.constant(), place(first)
            match function:
                case "+":
                    return add("shift", varies, parameters=(value,))
                case "*":
                    return add("scale", varies, parameters=(value,))
            # max(x, a) compares x with 0 * x + a, which is as wide as x.
            flat = add("scale", varies, parameters=(0.0,))
            other = add("shift", flat, parameters=(value,))
            return add(_EXTREMES[function], varies, other)
        if not first.uses_x:
            return operate(function, second, first)  # all of these commute
        return add(_COMMUTING[function], place(first), place(second))

    def place(part: Formula) -> int:
        match part.function:
            case "x":
                return x
            case "sigmoid":
                return add("sigmoid", place(part.arguments[0]), parameters=(1.0,))
            case "-":
                # a - b = a + (-1) * b, so that sums have one form.
                first, second = part.arguments
                return operate("+", first, _times(-1.0, second))
            case "/":
                first, second = part.arguments
                if not second.uses_x:
                    return add("scale", place(first), parameters=(1 / second.constant(),))
                # a / b = a * (1 / b)
                inverse = add("reciprocal", place(second))
                if not first.uses_x:
                    return add("scale", inverse, parameters=(first.constant(),))
                return add("product", place(first), inverse)
            case function if function in BINARY:
                return operate(function, *part.arguments)
            case function:
                return add(function, place(part.arguments[0]))

    return place(formula)


_EXTREMES = {"max": "maximum", "min": "minimum"}
_COMMUTING = {"+": "sum", "*": "product"} | _EXTREMES


def _times(factor: float, formula: Formula) -> Formula:
    if formula.uses_x:
        return Formula("*", (number(factor), formula))
    return number(factor * formula.constant())


def numbers_of(formula: Formula) -> Iterator[float]:
    """Return the values of those parts that do not depend on x.

    Parameters
    ----------
    formula : Formula
        Any.

    Returns
    -------
    iterator of float
        Numbers; not finite where a part has no value.
    """
    if not formula.uses_x:
        yield formula.constant()
        return
    # add_formula() multiplies by 1 / a where a divides.
    if formula.function == "/" and not formula.arguments[1].uses_x:
        yield Formula("/", (Formula(CONSTANT, value=1.0), formula.arguments[1])).constant()
    for part in formula.arguments:
        yield from numbers_of(part)
