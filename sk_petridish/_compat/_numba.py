"""What Numba and llvmlite keep private and the fused engine needs; imported only here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core.extending import intrinsic as _intrinsic
from numba.np.arrayobj import make_array

# Functions of Numba's types, for the type checker functions of what these stand for.
intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = _intrinsic

__all__ = ["address_as", "intrinsic", "make_array"]


def address_as(builder: Any, pointer: Any, at: Any, kind: Any) -> Any:
    """Return the address of a pointer's element, as one where something else lies.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where code is written.
    pointer, at : llvmlite.ir.Value
        Pointer to numbers, and how many of them lie before the element.
    kind : llvmlite.ir.Type
        Type of what is read or written there, such as a register.

    Returns
    -------
    llvmlite.ir.Value
        The address.
    """
    # LLVM itself has given up types of pointers, and llvmlite will follow: then the cast
    # goes, and ``load`` and ``gep`` take the type.
    return builder.bitcast(builder.gep(pointer, [at]), kind.as_pointer())
