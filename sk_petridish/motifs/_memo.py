"""Blueprints that were made of rows, kept for the next one who asks."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sk_petridish.blueprints import NetworkSpec

# All 15,625 convolutional cells have room, so that going through their table a second time
# finds them. A blueprint of the package's spaces takes 1 to 8 kB: at most about 130 MB.
_SIZE = 2**14


@dataclass(frozen=True, slots=True)
class MemoKey:
    """A row of a space, by value.

    Spaces are cloned at every fit, so that the key names no space but its class and
    parameters: clones share what is remembered, and a space whose parameters are set anew
    asks for something else.

    Parameters
    ----------
    space : type
        Class of the space.
    parameters : hashable
        Its parameters, :func:`frozen`.
    row : bytes
        The row, copied: the user's array may change.
    make : callable or None
        ``make(row)`` returns the blueprint; not part of the key, and None once it is made.
    """

    space: type
    parameters: Hashable
    row: bytes
    make: Callable[[NDArray[np.float64]], NetworkSpec] | None = field(compare=False)


# functools' cache is safe in threads and behind a fork, and belongs to no space: nothing of
# it is pickled, copied or saved.
@lru_cache(maxsize=_SIZE)
def remembered(key: MemoKey) -> NetworkSpec:
    """Return the blueprint of a row, made at most once while it is remembered.

    Parameters
    ----------
    key : MemoKey
        The row.

    Returns
    -------
    Blueprint or ModuleBlueprint
        The row's; immutable, since it is shared.
    """
    # An array of bytes is read-only, so that no blueprint can be made of a changing row.
    assert key.make is not None  # since every question comes with a key of its own
    made = key.make(np.frombuffer(key.row))
    # The cache keeps the key: it shall not keep the space, and all that this holds, too.
    object.__setattr__(key, "make", None)
    return made


def frozen(value: Any) -> Hashable:
    """Return something hashable that is equal for equal parameters.

    Parameters
    ----------
    value : object
        A parameter, or several in a container.

    Returns
    -------
    hashable
        Containers, arrays and estimators by their contents, what is hashable as it is.

    Raises
    ------
    TypeError
        If there is something else, which may change without a trace.
    """
    match value:
        case np.ndarray() if value.dtype != object:
            return value.dtype.str, value.shape, value.tobytes()
        case BaseEstimator():
            # By its own parameters, at whatever depth and in whatever container it stands.
            return type(value), frozen(value.get_params(deep=False))
        case dict():
            return dict, tuple((name, frozen(one)) for name, one in value.items())
        case list() | tuple():
            return type(value), tuple(frozen(one) for one in value)
        case set():
            return frozenset(value)
    hash(value)
    # 1, 1.0 and True are equal and need not mean the same.
    return type(value), value
