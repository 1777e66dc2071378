"""Integers of any library."""

from __future__ import annotations

import operator
from typing import Any


def integer(value: Any) -> int | None:
    """Read an integer.

    Parameters
    ----------
    value : object
        Anything, such as an element of an array or a tensor.

    Returns
    -------
    int or None
        The integer, and ``None`` for everything else, truth values among it.
    """
    # Python takes True for 1, and PyTorch its own.
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
