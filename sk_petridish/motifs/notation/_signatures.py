"""Arguments of functions, by the signatures of PyTorch."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ._expressions import UNARY, VARIABLE, Formula, number
from ._named_functions import DEFINITIONS, LEAST, SIGNATURES, WITHOUT_EFFECT

Value = Formula | str | bool | None
"""What an argument is: a formula, text, a truth value or nothing."""
_REQUIRED = object()
# PyTorch and NumPy have other names for these.
_ALSO = {"input": VARIABLE, "a_min": "min", "a_max": "max"}


def key_of(name: str) -> str:
    """Return what the spellings of a name have in common: LeakyReLU and leaky_relu.

    Parameters
    ----------
    name : str
        The name of a function.

    Returns
    -------
    str
        Its letters and digits.
    """
    return name.lower().replace("_", "")


def bind(name: str, arguments: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    """Find the names of arguments.

    Parameters
    ----------
    name : str
        The name of a function.
    arguments : sequence of (str, Value)
        The name of each, empty where none is given, and its value.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ValueError
        If there are too many, a name is unknown or given twice, or the function has no
        formula for a value.
    """
    signature = _signature_of(name)
    places = iter(signature)
    bound: dict[str, Value] = {}
    # Names first, so that an unknown one is told.
    for given, value in sorted(arguments, key=lambda argument: not argument[0]):
        argument = _ALSO.get(given, given) if given else next(places, "")
        if argument not in signature:
            many = f"{len(arguments)} argument{'s' * (len(arguments) != 1)}"
            how = f"an argument {given!r}" if given else many
            raise ValueError(
                f"{name!r} is unknown with {how}: it has "
                f"{', '.join(signature) or 'any number of arguments, but no names for them'}."
            )
        if argument in bound:
            raise ValueError(f"{name!r} has two arguments {argument!r}.")
        _check_value(name, argument, value)
        bound[argument] = value
    return bound


def in_full(name: str, bound: Mapping[str, Value]) -> dict[str, Value]:
    """Add the defaults of what was not given.

    Parameters
    ----------
    name : str
        The name of a function.
    bound : mapping
        Values by name.

    Returns
    -------
    dict
        The values of all that has an effect.
    """
    signature = _signature_of(name)
    defaults = {
        argument: number(default) if isinstance(default, float) else default
        for argument, default in signature.items()
        if default is not _REQUIRED
    }
    return {
        argument: value
        for argument, value in {**defaults, **bound}.items()
        if value is not None and argument not in WITHOUT_EFFECT
    }


def in_short(name: str, bound: Mapping[str, Value]) -> dict[str, Value]:
    """Leave out what has its default.

    Parameters
    ----------
    name : str
        The name of a function.
    bound : mapping
        Values by name.

    Returns
    -------
    dict
        The values of all that has an effect.
    """
    signature = _signature_of(name)
    return {
        argument: value
        for argument, value in bound.items()
        if _plain(value) != signature[argument] and argument not in WITHOUT_EFFECT
    }


def _plain(value: Value) -> Value | float:
    """Return the number that a formula is, where it is one."""
    return value.constant() if isinstance(value, Formula) and not value.uses_x else value


def _check_value(name: str, argument: str, value: Value) -> None:
    default = _signature_of(name)[argument]
    plain = _plain(value)
    # Where there is a number by default, or none, there may be any formula.
    kinds = (bool, str) if isinstance(default, bool | str) else ()
    wanted = type(default) if kinds else Formula
    if not isinstance(value, wanted) and not (value is None and default is None):
        raise ValueError(f"{name!r} cannot have {argument}={_written(value)}.")
    least = LEAST.get((key_of(name), argument))
    if least is not None and isinstance(plain, float) and not plain >= least:
        raise ValueError(f"{name!r} cannot have {argument}={plain:g}, only {least:g} or more.")


def _written(value: Value) -> str:
    return str(value) if isinstance(value, Formula) else repr(value)


def _signature_of(name: str) -> Mapping[str, Any]:
    """Return the names of a function's arguments, with their defaults."""
    return _signatures().get(key_of(name), {})


@lru_cache(maxsize=1)
def _signatures() -> Mapping[str, Mapping[str, Any]]:
    signatures: dict[str, dict[str, Any]] = {name: {VARIABLE: _REQUIRED} for name in UNARY}
    for text in (*DEFINITIONS, *SIGNATURES):
        match ast.parse(text, mode="eval").body:
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=keywords):
                required = {part.id: _REQUIRED for part in parts if isinstance(part, ast.Name)}
                optional = {str(one.arg): ast.literal_eval(one.value) for one in keywords}
                signatures[key_of(name)] = required | optional
    return signatures


@lru_cache(maxsize=1)
def definitions() -> Mapping[tuple[str, frozenset[str]], ast.expr]:
    """Parse what calls stand for, by the function and what :func:`label` returns.

    Returns
    -------
    dict
        Trees of formulas of the arguments.
    """
    parsed = {}
    for text, formula in DEFINITIONS.items():
        match ast.parse(text, mode="eval").body:
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=keywords):
                labels = {ast.unparse(part) for part in parts}
                labels |= {f"{one.arg}={ast.unparse(one.value)}" for one in keywords}
                parsed[key_of(name), frozenset(labels)] = ast.parse(formula, mode="eval").body
    return parsed


def label(argument: str, value: Value) -> str:
    """Return what a definition depends on: names of arguments, and text.

    Parameters
    ----------
    argument : str
        The name of an argument.
    value : Value
        Its value.

    Returns
    -------
    str
        The name, and the text that it has as a value.
    """
    return f"{argument}={value!r}" if isinstance(value, str) else argument
