"""Axes to draw on; matplotlib is imported when something is drawn."""

from __future__ import annotations

from typing import Any

from sk_petridish._compat._constraints import ArrayOfNumbers, Implements

# What displays are given, as constraints.
AXES: list[Any] = [Implements("plot"), None]
NUMBERS: list[Any] = [ArrayOfNumbers(finite=False)]
OPTIONAL_NUMBERS = [*NUMBERS, None]


def import_pyplot(display: type) -> Any:
    """Import matplotlib, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display.__name__} draws with matplotlib, which is not installed; "
            "pip install matplotlib."
        ) from error
    return plt


def get_axes(display: type, ax: Any) -> Any:
    """Return the axes to draw on, new ones where there are none."""
    return import_pyplot(display).subplots(layout="constrained")[1] if ax is None else ax
