"""Answers of the user's proposers and surrogates as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def floats_of(answer: Any, said: str) -> NDArray[np.float64]:
    """Return an answer as an array of its own: whoever gave it may write into theirs again.

    Parameters
    ----------
    answer : object
        Numbers; masked ones count as missing.
    said : str
        Who has said that, and how, for the message.

    Returns
    -------
    ndarray
        A copy, NaN where a number is missing.

    Raises
    ------
    ValueError
        If it is no array of real numbers.
    """
    try:
        if np.iscomplexobj(answer):
            raise ValueError("complex numbers have no order")
        # In two steps: foreign arrays may share their memory, and need not know how to copy it.
        numbers = np.asarray(answer, dtype=np.float64).copy()
        if isinstance(answer, np.ma.MaskedArray):
            numbers[np.ma.getmaskarray(answer)] = np.nan
        return numbers
    except Exception as error:  # whatever foreign arrays raise
        raise ValueError(f"{said} what is no array of real numbers: {error!r}") from error
