"""Settings that are checked where they are given, by declared constraints.

scikit-learn checks what an estimator was made with in ``fit``. What has no ``fit`` is checked
when it is made, and functions when they are called: by the same declarations, in the same words.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import make_constraint, validate_parameter_constraints

from ._constraints import meets_one

Constraints = Mapping[str, list[Any]]
"""What parameters must be, by their names: one constraint of each list."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Checks:
    """Constraints that are made once.

    scikit-learn makes them at every call; motif spaces are checked wherever they are used.

    Parameters
    ----------
    declared : dict of str to list
        Constraints by the names of parameters.
    """

    def __init__(self, declared: Constraints) -> None:
        self._declared = declared
        self._made = {name: [make_constraint(one) for one in declared[name]] for name in declared}

    def check(self, given: Mapping[str, Any], owner: str) -> None:
        """Raise InvalidParameterError unless parameters are what they must be."""
        for name, value in given.items():
            if name in self._made and not meets_one(self._made[name], value):
                validate_parameter_constraints(self._declared, {name: value}, owner)


@functools.cache
def _checks_of(kind: Any) -> _Checks:
    return _Checks(kind._parameter_constraints)


@functools.cache
def _later_checks_of(kind: Any) -> _Checks:
    """Return the checks of parameters that were set after the object was made.

    A subclass with a constructor of its own may inherit constraints, and mean something else
    by the same names: nothing of it is checked then.
    """
    declaring = next(one for one in kind.__mro__ if "_parameter_constraints" in vars(one))
    return _checks_of(kind) if kind.__init__ is declaring.__init__ else _Checks({})


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
        kind: Any = type(self)
        # Defaults are valid: the tests check them once for all.
        given = dict(zip(names, args, strict=False)) | kwargs
        _checks_of(kind).check(given, kind.__name__)
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
        names, checks = list(inspect.signature(function).parameters), _Checks(constraints)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not get_config()["skip_parameter_validation"]:
                checks.check(dict(zip(names, args, strict=False)) | kwargs, function.__qualname__)
            return function(*args, **kwargs)

        checked._skl_parameter_constraints = constraints  # type: ignore[attr-defined]
        return cast(_Function, checked)

    return decorate


def check_fields(owner: Any) -> None:
    """Raise InvalidParameterError unless the fields of a dataclass are what it declares.

    Parameters
    ----------
    owner : dataclass
        Calls it in ``__post_init__``.
    """
    kind: Any = type(owner)
    if not get_config()["skip_parameter_validation"]:
        _checks_of(kind).check(vars(owner), kind.__name__)


class ValidatedParameters(BaseEstimator):
    """Base of what has scikit-learn's parameters and no ``fit``.

    What it was made with is checked then, where its constructor is :func:`validated`. What
    ``set_params`` has set since is checked where it is used, as scikit-learn does in ``fit``.
    """

    _parameter_constraints: ClassVar[Constraints] = {}

    def _check_params(self) -> None:
        """Raise ValueError unless parameters are what they must be, each and together."""
        kind: Any = type(self)
        if not get_config()["skip_parameter_validation"]:
            _later_checks_of(kind).check(vars(self), kind.__name__)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ValueError unless parameters go together; each by itself is right."""
