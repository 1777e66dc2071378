"""Fields of settings, checked as scikit-learn checks the parameters of estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral
from typing import Any

from sk_petridish._compat._sklearn import validate_parameter_constraints
from sk_petridish.blueprints import SampleShape

Constraints = Mapping[str, list[Any]]


def check_fields(settings: Any, constraints: Constraints) -> None:
    """Raise ValueError unless the fields of a dataclass are what they must be.

    Parameters
    ----------
    settings : dataclass instance
        What to check.
    constraints : mapping of str to list
        For each field what it may be, in the form of ``_parameter_constraints``.

    Raises
    ------
    ValueError
        If one is something else; the message names the class, the field and its value.
    """
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    validate_parameter_constraints(dict(constraints), values, type(settings).__name__)


def check_sizes(what: str, sizes: SampleShape) -> None:
    """Raise ValueError unless sizes are positive whole numbers.

    Parameters
    ----------
    what : str
        What they are the sizes of.
    sizes : tuple of int
        The sizes.

    Raises
    ------
    ValueError
        If one is not.
    """
    if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
        raise ValueError(f"{what} must be positive whole numbers, got {sizes!r}.")
