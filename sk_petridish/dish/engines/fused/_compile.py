"""How kernels are compiled, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import Any

from numba import njit

_OPTIONS: dict[str, Any] = {"error_model": "numpy"}
# Functions that only kernels call need no wrappers for Python and C, half of the work of
# compiling one so small.
_INNER = _OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inlined = njit(forceinline=True, **_INNER)
"""Compile a function into those that call it."""
compiled = njit(**_INNER)
"""Compile a function that kernels call."""


class Kernel:
    """A function that is compiled when it is first called, and then kept on disk.

    Where nothing can be kept, since neither the package's folder nor the user's cache
    can be written, it is compiled in every process.

    Parameters
    ----------
    function : callable
        The function; it returns nothing.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        # What is kept is found by this name, and otherwise only by the state of the file
        # that the function stands in: the others count as well.
        function.__qualname__ = f"{function.__name__}_{_fingerprint()}"
        self._function = function
        self._compiled: Callable[..., None] | None = None
        self._lock = Lock()

    def __call__(self, *args: Any) -> None:
        """Run it.

        Parameters
        ----------
        *args
            The function's arguments.
        """
        with self._lock:
            if self._compiled is None:
                self._compiled = self._compile(keep=True)
        try:
            self._compiled(*args)
        except (OSError, EOFError, UnpicklingError):
            # The folder is there, but what lies in it cannot be read, or nothing written
            # into it. The function has not run.
            compiled = self._compile(keep=False)
            compiled(*args)
            self._compiled = compiled

    def _compile(self, *, keep: bool) -> Callable[..., None]:
        try:
            compiled: Callable[..., None] = njit(nogil=True, cache=keep, **_OPTIONS)(self._function)
        except RuntimeError:
            # Numba's error where it finds no folder to keep it in.
            if not keep:
                raise
            return self._compile(keep=False)
        return compiled


@cache
def _fingerprint() -> str:
    """Digest the sources of all kernels."""
    digest = sha256()
    here = Path(__file__).parent
    # Adam's constants and what writes addresses are compiled into the kernels too.
    others = here.parents[1] / "_inner_loop.py", here.parents[2] / "_compat" / "_numba.py"
    for path in [*sorted(here.glob("*.py")), *others]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
