"""What Numba keeps private and the fused engine needs; imported only here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core.extending import intrinsic as _intrinsic
from numba.np.arrayobj import make_array

# Functions of Numba's types, for the type checker functions of what these stand for.
intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = _intrinsic

__all__ = ["intrinsic", "make_array"]
