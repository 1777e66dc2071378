"""Sizes of samples and layers, checked."""

from __future__ import annotations

from numbers import Integral

from sk_petridish.blueprints import SampleShape


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
