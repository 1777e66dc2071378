"""From text to formulas."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from functools import reduce

from ._expressions import CONSTANT, OPERATORS, UNARY, VARIABLE, Formula, number
from ._named_functions import DEFINITIONS, FOLDED
from ._python_text import parse_expression
from ._signatures import Value, bind, definitions, in_full, in_short, key_of, label

_GREATEST_EXPONENT = 1000
# As many as Python nests parentheses.
_GREATEST_DEPTH = 200
_NUMBERS = {"pi": math.pi, "e": math.e}
# PyTorch's modules, as people import them, and those that agree with it on elementary functions.
_MODULES = frozenset(
    "torch torch.nn torch.nn.functional torch.special nn nn.functional F math np numpy".split()
)
_X = Formula(VARIABLE)
_Given = Mapping[str, Formula]
# Values of arguments, each with its name, which is empty where it has none.
_Arguments = Sequence[tuple[str, Value]]


def parse(text: str, max_nodes: int) -> Formula:
    """Read a formula, or the name of a function.

    Parameters
    ----------
    text : str
        A formula in x as Python writes it, such as ``"x * tanh(softplus(x))"``, or a
        function of x, such as ``"torch.tanh"``.
    max_nodes : int
        The most parts that it may have.

    Returns
    -------
    Formula
        The same.

    Raises
    ------
    ValueError
        If it is none, uses something unknown, or has too many parts.
    """
    if not isinstance(text, str):
        raise ValueError(f"a formula is text, got {text!r:.200}.")
    try:
        formula = _read_function(parse_expression(text))
    except RecursionError:
        raise ValueError(f"{text!r:.200} is no formula: it is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{text!r:.200} is no formula: {error}") from None
    # Names within names multiply parts: they are counted before anything visits them.
    if formula.n_parts > max_nodes:
        n_parts = formula.n_parts if formula.n_parts < 10**9 else "over a billion"
        raise ValueError(f"{text!r:.200} has {n_parts} parts, more than {max_nodes=}.")
    if formula.depth > _GREATEST_DEPTH:
        raise ValueError(f"{text!r:.200} is {formula.depth} deep, more than {_GREATEST_DEPTH}.")
    return formula


def _read_function(node: ast.expr) -> Formula:
    """Read a whole text, which may be a function instead of its value."""
    match node:
        case ast.Name(id=name) if name not in (VARIABLE, *_NUMBERS):
            return _called(node, [("", _X)], {VARIABLE: _X})
        case ast.Attribute() if _number_of(node) is None:
            return _called(node, [("", _X)], {VARIABLE: _X})
        case ast.Call() if _is_made(node):
            return _called(node, [("", _X)], {VARIABLE: _X})
    return _read(node, {VARIABLE: _X})


def _read(node: ast.expr, given: _Given) -> Formula:
    # Python parses, and nothing is ever evaluated: whatever is not listed here is refused.
    match node:
        case ast.Name(id=name) if name in given:
            return given[name]
        case ast.Constant(value=float() | int() as value) if not isinstance(value, bool):
            return number(value)
        case ast.Name() | ast.Attribute() if (named := _number_of(node)) is not None:
            return number(named)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _read(operand, given)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _negative(_read(operand, given))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_read(left, given), _read(right, given))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return Formula(OPERATORS[type(operator)], (_read(left, given), _read(right, given)))
        case ast.Call(func=function):
            return _called(function, _arguments(node, given), given)
    raise _unknown(node)


def _arguments(call: ast.Call, given: _Given) -> _Arguments:
    parts = [("", part) for part in call.args]
    parts += [(one.arg or "**", one.value) for one in call.keywords]
    arguments: list[tuple[str, Value]] = []
    for name, part in parts:
        match part:
            case ast.Constant(value=(str() | bool() | None) as word):
                arguments.append((name, word))
            case _:
                arguments.append((name, _read(part, given)))
    return arguments


def _called(function: ast.expr, arguments: _Arguments, given: _Given) -> Formula:
    """Apply a function to arguments."""
    match function:
        case ast.Name(id=name):
            return _applied(name, arguments, function)
        case ast.Attribute(value=module, attr=name) if ast.unparse(module) in _MODULES:
            return _applied(name, arguments, function)
        case ast.Call(func=maker) if _is_made(function):
            # Of a module such as LeakyReLU(0.2) the numbers follow what it is applied to.
            return _called(maker, [*arguments, *_arguments(function, given)], given)
    raise _unknown(function)


def _is_made(node: ast.Call) -> bool:
    """Return whether a call makes one of PyTorch's modules: a class, without x."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            return not name.islower() and VARIABLE not in names
    return False


def _applied(name: str, arguments: _Arguments, node: ast.expr) -> Formula:
    key = key_of(name)
    if key not in _KNOWN:
        raise _unknown(node, f" with {len(arguments)} argument{'s' * (len(arguments) != 1)}")
    combination, fewest = _FOLDED.get(key, ("", math.inf))
    parts = [value for given, value in arguments if not given and isinstance(value, Formula)]
    if fewest <= len(parts) == len(arguments):
        return reduce(lambda a, b: Formula(combination, (a, b)), parts)
    bound = bind(name, arguments)
    # PyTorch's default is the known function itself, leaky_relu(x, 0.01) as leaky_relu(x).
    for values in (in_short(name, bound), in_full(name, bound)):
        labels = frozenset(label(argument, value) for argument, value in values.items())
        given = {one: value for one, value in values.items() if isinstance(value, Formula)}
        if key in UNARY and labels == {VARIABLE}:
            return Formula(key, (given[VARIABLE],))
        if body := definitions().get((key, labels)):
            result = _read(body, given)
            return result if result.uses_x else number(result.constant())
    known = [form for form in DEFINITIONS if key_of(form.partition("(")[0]) == key]
    raise ValueError(
        f"{ast.unparse(node)!r:.200} is unknown with {', '.join(sorted(labels)) or '0 arguments'}: "
        f"it is {' or '.join(known) or key + '(x)'}."
    )


def _power(base: Formula, exponent: Formula) -> Formula:
    """Write a power as products, a root and a quotient."""
    if exponent.uses_x:
        # a^x = exp(x log(a))
        logarithm = Formula("log", (base,)).constant() if not base.uses_x else math.nan
        if not math.isfinite(logarithm):
            raise ValueError("where an exponent depends on x, its base must be a number above 0.")
        return Formula("exp", (_times(number(logarithm), exponent),))
    power = exponent.constant()
    if not base.uses_x:
        return number(_number_power(base.constant(), power))
    if not (abs(power) <= _GREATEST_EXPONENT and (2 * power).is_integer()):
        raise ValueError(
            f"the exponent {power:g} is unknown: exponents are whole or half numbers from "
            f"{-_GREATEST_EXPONENT} to {_GREATEST_EXPONENT}."
        )
    whole, half = divmod(abs(power), 1)
    factors = [_whole_power(base, int(whole))] if whole else []
    factors += [Formula("sqrt", (base,))] if half else []
    if not factors:
        return number(1.0)
    product = reduce(_times, factors)
    return product if power > 0 else Formula("/", (number(1.0), product))


def _whole_power(base: Formula, power: int) -> Formula:
    # a^(2k) = a^k a^k and a^(2k + 1) = a^(2k) a: no deeper than the exponent has bits.
    if power == 1:
        return base
    half = _whole_power(base, power // 2)
    even = _times(half, half)
    return _times(even, base) if power % 2 else even


def _times(a: Formula, b: Formula) -> Formula:
    return Formula("*", (a, b))


def _number_power(base: float, power: float) -> float:
    try:
        return math.pow(base, power)
    except (ArithmeticError, ValueError):
        return math.nan


def _negative(formula: Formula) -> Formula:
    if formula.function == CONSTANT:
        return number(-formula.value)
    return _times(number(-1.0), formula)


def _number_of(node: ast.expr) -> float | None:
    """Return the value of a number with a name."""
    match node:
        case ast.Name(id=name):
            return _NUMBERS.get(name)
        case ast.Attribute(value=module, attr=name) if ast.unparse(module) in _MODULES:
            return _NUMBERS.get(name)
    return None


_FOLDED = {key_of(name): folded for name, folded in FOLDED.items()}
_NAMES = {signature.partition("(")[0] for signature in DEFINITIONS} | set(UNARY) | set(FOLDED)
_KNOWN = {key_of(name) for name in _NAMES}


def _unknown(node: ast.expr, how: str = "") -> ValueError:
    return ValueError(
        f"{ast.unparse(node)!r:.200} is unknown{how}. A formula is made of x, numbers, + - * / **, "
        f"and the functions {', '.join(sorted(_NAMES))}."
    )
