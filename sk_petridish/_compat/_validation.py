"""Settings that are checked where they are given, by scikit-learn's constraints.

scikit-learn checks what an estimator was made with in ``fit``. What has no ``fit`` is checked
when it is made, and functions when they are called: by the same declarations, in the same words.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, TypeVar, cast

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)

Constraints = Mapping[str, list[Any]]
"""What parameters must be, by their names: one constraint of each list."""

# Beyond it no loop ends and no array has room, and C's integers overflow.
LARGEST = 2**31 - 1
LARGEST_SEED = 2**32 - 1

_WHOLE = (int, np.integer)
_REAL = (int, float, np.integer, np.floating)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Numbers(Interval):
    """An interval in which a bool is no number, and a number too large for a float is none."""

    def is_satisfied_by(self, val: object) -> bool:
        whole = self.type is Integral
        if isinstance(val, bool) or not isinstance(val, _WHOLE if whole else _REAL):
            return False
        try:
            # As a float: a larger int is below no infinity, and fails where it is used.
            number: Any = val if whole else float(val)  # type: ignore[arg-type]
        except OverflowError:
            return False
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


class SequenceOf(_Constraint):
    """A sequence whose elements meet one of some constraints.

    Parameters
    ----------
    *constraints : object
        Constraints of an element.
    min_length : int, default=1
        Number of elements, at least.
    distinct : bool, default=False
        Whether no element may be there twice.
    """

    def __init__(self, *constraints: Any, min_length: int = 1, distinct: bool = False) -> None:
        super().__init__()
        self.constraints = [make_constraint(constraint) for constraint in constraints]
        self.min_length, self.distinct = min_length, distinct

    def is_satisfied_by(self, val: object) -> bool:
        if not isinstance(val, Collection) or isinstance(val, str | bytes | Mapping | Set):
            return False
        if isinstance(val, np.ndarray) and val.ndim != 1:
            return False
        elements = list(val)
        if len(elements) < self.min_length or not self._allows(elements):
            return False
        return not self.distinct or len(set(elements)) == len(elements)

    def _allows(self, elements: list[Any]) -> bool:
        return all(_meets_one(self.constraints, element) for element in elements)

    def __str__(self) -> str:
        kind = "a non-empty sequence" if self.min_length else "a sequence"
        elements = "different elements" if self.distinct else "elements"
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
        return array.size > 0 and array.ndim > 0 and (not self.finite or np.isfinite(array).all())

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
            and all(_meets_one(self.constraints, one) for one in val.values())
        )

    def __str__(self) -> str:
        return f"a non-empty dict of str to {_joined(self.constraints)}"


def _meets_one(constraints: Iterable[Any], value: object) -> bool:
    for constraint in constraints:  # twice as fast as any(), wherever a space is used
        if constraint.is_satisfied_by(value):
            return True
    return False


def _joined(constraints: Iterable[Any]) -> str:
    return " or ".join(str(constraint) for constraint in constraints)


def _made(constraints: Constraints) -> Constraints:
    return {
        name: [make_constraint(one) for one in declared] for name, declared in constraints.items()
    }


@functools.cache
def _class_constraints(kind: type) -> Constraints:
    """Return the constraints of a class."""
    declared: Constraints = kind._parameter_constraints  # type: ignore[attr-defined]
    return _made(declared)


@functools.cache
def _own_constraints(kind: type) -> Constraints:
    """Return the constraints of a class that are meant for its constructor; others are none.

    A subclass may inherit constraints, and mean something else by the same names.
    """
    declaring = next(one for one in kind.__mro__ if "_parameter_constraints" in vars(one))
    meant = kind.__init__ is declaring.__init__  # type: ignore[misc]
    return _class_constraints(kind) if meant else {}


def _check(constraints: Constraints, given: Mapping[str, Any], owner: str) -> None:
    """Raise InvalidParameterError unless parameters are what they must be.

    Constraints are those of scikit-learn, made. It makes them anew at every call, so that it
    is asked only for its message: spaces are checked wherever they are used.
    """
    for name, value in given.items():
        if name in constraints and not _meets_one(constraints[name], value):
            validate_parameter_constraints(constraints, {name: value}, owner)


def validated(init: _Function) -> _Function:
    """Check what a decorated constructor is given by the constraints of its class.

    The class declares them in ``_parameter_constraints``, a dictionary of lists. When the
    object is made, its ``_check_together()``, if it has one, says what no constraint of a
    single parameter can. A subclass with a constructor of its own decorates that, or is
    checked only in what it hands on.

    Parameters
    ----------
    init : callable
        ``__init__`` of a class.

    Returns
    -------
    callable
        The same, which raises ``InvalidParameterError``, a ValueError and a TypeError.
    """
    names = list(inspect.signature(init).parameters)[1:]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        if get_config()["skip_parameter_validation"]:
            init(self, *args, **kwargs)
            return
        kind = type(self)
        # Defaults are valid: the tests check them once for all.
        given = dict(zip(names, args, strict=False)) | kwargs
        _check(_class_constraints(kind), given, kind.__name__)
        init(self, *args, **kwargs)
        # A subclass has not set its own parameters yet while it calls this one.
        if kind.__init__ is checked and hasattr(kind, "_check_together"):
            self._check_together()

    return cast(_Function, checked)


def validate_params(**constraints: list[Any]) -> Callable[[_Function], _Function]:
    """Check what a decorated function or method is called with.

    Parameters
    ----------
    **constraints : list
        What parameters must be, by their names.

    Returns
    -------
    callable
        The decorator. What it returns has the constraints as ``_skl_parameter_constraints``,
        as scikit-learn's functions do.
    """

    def decorate(function: _Function) -> _Function:
        names, made = list(inspect.signature(function).parameters), _made(constraints)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not get_config()["skip_parameter_validation"]:
                _check(made, dict(zip(names, args, strict=False)) | kwargs, function.__qualname__)
            return function(*args, **kwargs)

        checked._skl_parameter_constraints = constraints  # type: ignore[attr-defined]
        return cast(_Function, checked)

    return decorate


class ValidatedParameters(BaseEstimator):
    """Base of what has scikit-learn's parameters and no ``fit``.

    What it was made with is checked then, where its constructor is :func:`validated`. What
    ``set_params`` has set since is checked where it is used, as scikit-learn does in ``fit``.
    """

    _parameter_constraints: ClassVar[Constraints] = {}

    def _check_params(self) -> None:
        """Raise ValueError unless parameters are what they must be, each and together."""
        kind = type(self)
        if not get_config()["skip_parameter_validation"]:
            _check(_own_constraints(kind), vars(self), kind.__name__)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ValueError unless parameters go together; each by itself is right."""
