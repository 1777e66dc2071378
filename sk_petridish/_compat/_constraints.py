"""Constraints that scikit-learn lacks, or means otherwise.

Each is one of those that a list in ``_parameter_constraints`` may have, of which a value must
meet one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Set
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    make_constraint,
)

# Beyond it no loop ends and no array has room, and C's integers overflow.
LARGEST = 2**31 - 1
LARGEST_SEED = 2**32 - 1
_LARGEST_INT = 2**63 - 1

_WHOLE = (int, np.integer)
_REAL = (int, float, np.integer, np.floating)


class _Numbers(Interval):
    """An interval in which a bool is no number, and a number too large for a float is none."""

    def is_satisfied_by(self, val: object) -> bool:
        whole = self.type is Integral
        if isinstance(val, bool) or not isinstance(val, _WHOLE if whole else _REAL):
            return False
        if isinstance(val, int) and abs(val) > _LARGEST_INT:
            return False  # though a float may hold it, torch takes no such int
        number: Any = val if whole else float(val)
        low, high = self.left, self.right
        left, right = self.closed in ("left", "both"), self.closed in ("right", "both")
        # NaN is neither above nor below.
        above = low is None or low < number or (left and low == number)
        below = number < (math.inf if high is None else high) or (right and number == high)
        return bool(above and below and number != -math.inf)


def integers(low: int, high: int = LARGEST) -> Interval:
    """Return the constraint of an int from ``low`` to ``high``."""
    return _Numbers(Integral, low, high, closed="both")


def reals(
    low: float | None = None,
    high: float | None = None,
    *,
    closed: Literal["left", "right", "both", "neither"] = "neither",
) -> Interval:
    """Return the constraint of a float between two bounds; open ones leave out infinity."""
    return _Numbers(Real, low, high, closed=closed)


def job_counts() -> list[Any]:
    """Return the constraints of ``n_jobs``, joblib's number of workers."""
    return [integers(-LARGEST, -1), integers(1), None]


def random_states() -> list[Any]:
    """Return the constraints of ``random_state``; a bool is no seed."""
    return [integers(0, LARGEST_SEED), np.random.RandomState, None]


class Implements(HasMethods):
    """An object, and no class, that has methods."""

    def __init__(self, *methods: str) -> None:
        super().__init__(list(methods))

    def is_satisfied_by(self, val: object) -> bool:
        return not isinstance(val, type) and bool(super().is_satisfied_by(val))


class _Constraint(Options):
    """Base of other constraints: scikit-learn takes only what inherits from one of its own."""

    def __init__(self) -> None:
        self.hidden = False


class Function(_Constraint):
    """A callable that is no class: calling one would make an instance and evaluate nothing."""

    def is_satisfied_by(self, val: object) -> bool:
        return callable(val) and not isinstance(val, type)

    def __str__(self) -> str:
        return "a callable that is no class"


class SubclassOf(_Constraint):
    """A class that inherits from another.

    Parameters
    ----------
    base : type
        The other.
    """

    def __init__(self, base: type) -> None:
        super().__init__()
        self.base = base

    def is_satisfied_by(self, val: object) -> bool:
        return isinstance(val, type) and issubclass(val, self.base)

    def __str__(self) -> str:
        return f"a subclass of {self.base.__name__}"


class SequenceOf(_Constraint):
    """A sequence whose elements meet one of some constraints.

    Parameters
    ----------
    *constraints : object
        Constraints of an element.
    min_length : int, default=1
        Number of elements, at least.
    length : int, default=None
        Number of elements; any, where it is None.
    distinct : bool, default=False
        Whether no element may be there twice.
    """

    def __init__(
        self,
        *constraints: Any,
        min_length: int = 1,
        length: int | None = None,
        distinct: bool = False,
    ) -> None:
        super().__init__()
        self.constraints = [make_constraint(constraint) for constraint in constraints]
        self.min_length, self.length, self.distinct = min_length, length, distinct

    def is_satisfied_by(self, val: object) -> bool:
        if not isinstance(val, Collection) or isinstance(val, str | bytes | Mapping | Set):
            return False
        if isinstance(val, np.ndarray) and val.ndim != 1:
            return False
        elements = list(val)
        if len(elements) < self.min_length or len(elements) != (self.length or len(elements)):
            return False
        if not self._allows(elements):
            return False
        return not self.distinct or len(set(elements)) == len(elements)

    def _allows(self, elements: list[Any]) -> bool:
        return all(meets_one(self.constraints, element) for element in elements)

    def __str__(self) -> str:
        kind = "a non-empty sequence" if self.min_length else "a sequence"
        elements = "different elements" if self.distinct else "elements"
        if self.length is not None:
            kind, elements = "a sequence", f"{self.length} {elements}"
        return f"{kind} of {elements}, each {_joined(self.constraints)}"


class ChoicesOf(SequenceOf):
    """A sequence of some of the strings that there are.

    Parameters
    ----------
    options : iterable of str
        All of them.
    min_length : int, default=1
        Number of elements, at least.
    distinct : bool, default=False
        Whether no element may be there twice.
    """

    def __init__(
        self, options: Iterable[str], *, min_length: int = 1, distinct: bool = False
    ) -> None:
        self.choices = set(options)
        super().__init__(StrOptions(self.choices), min_length=min_length, distinct=distinct)

    def _allows(self, elements: list[Any]) -> bool:
        try:
            return self.choices.issuperset(elements)
        except TypeError:  # something that has no hash is no string
            return False


class NamedParts(_Constraint):
    """A list of pairs: names, and what is called so.

    Parameters
    ----------
    *constraints : object
        Constraints of what is called so; anything, where there are none.
    """

    def __init__(self, *constraints: Any) -> None:
        super().__init__()
        self.constraints = [make_constraint(constraint) for constraint in constraints or (object,)]

    def is_satisfied_by(self, val: object) -> bool:
        return isinstance(val, list | tuple) and all(
            isinstance(pair, tuple | list)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and meets_one(self.constraints, pair[1])
            for pair in val
        )

    def __str__(self) -> str:
        return f"a list of pairs, a str and {_joined(self.constraints)}"


class ArrayOfNumbers(_Constraint):
    """An array, with numbers in it.

    Parameters
    ----------
    finite : bool, default=True
        Whether they must be finite.
    """

    def __init__(self, *, finite: bool = True) -> None:
        super().__init__()
        self.finite = finite

    def is_satisfied_by(self, val: object) -> bool:
        if isinstance(val, str | bytes | type):
            return False
        try:
            array = np.asarray(val, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            return False
        right = array.size > 0 and array.ndim > 0
        return right and not (self.finite and not np.isfinite(array).all())

    def __str__(self) -> str:
        return f"a non-empty array of {'finite ' if self.finite else ''}numbers"


class MappingOf(_Constraint):
    """A non-empty dictionary of str to what meets one of some constraints.

    Parameters
    ----------
    *constraints : object
        Constraints of a value.
    """

    def __init__(self, *constraints: Any) -> None:
        super().__init__()
        self.constraints = [make_constraint(constraint) for constraint in constraints]

    def is_satisfied_by(self, val: object) -> bool:
        return (
            isinstance(val, Mapping)
            and len(val) > 0
            and all(isinstance(name, str) for name in val)
            and all(meets_one(self.constraints, one) for one in val.values())
        )

    def __str__(self) -> str:
        return f"a non-empty dict of str to {_joined(self.constraints)}"


def meets_one(constraints: Iterable[Any], value: object) -> bool:
    for constraint in constraints:  # twice as fast as any(), wherever a space is used
        if constraint.is_satisfied_by(value):
            return True
    return False


def _joined(constraints: Iterable[Any]) -> str:
    return " or ".join(str(constraint) for constraint in constraints)
