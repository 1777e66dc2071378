"""Measurements of rows, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_memory

from sk_petridish.motifs import Motifs

Measured = NDArray[np.float64]


def cached_rows(
    memory: str | joblib.Memory | None,
    described: Any,
    rows: Motifs,
    measure: Callable[[Motifs], Measured],
) -> Measured:
    """Measure those rows that are not remembered, together.

    Parameters
    ----------
    memory : str, joblib.Memory or None
        Where measurements are kept; ``None`` keeps none.
    described : object
        All that a measurement depends on beside the row; it must be picklable.
    rows : ndarray of shape (n_motifs, n_features)
        Motifs.
    measure : callable
        ``measure(rows)``: one result a row.

    Returns
    -------
    ndarray of shape (n_motifs, ...)
        What ``measure(rows)`` gives.
    """
    # joblib keeps what a function returns by its arguments, one call at a time, but rows are
    # measured much faster together. So those that are not kept are measured first, and each
    # result is handed to a function that only returns it, in an argument that joblib ignores
    # when it names the file: joblib believes that the function computed it, and keeps it.
    store = check_memory(memory)
    if store.store_backend is None:
        return measure(rows)
    recall = store.cache(_found, ignore=["found", "measure"])
    kind = joblib.hash((described, version("sk-petridish")))
    keys = [row.tobytes() for row in rows]
    new = {
        key: i
        for i, key in enumerate(keys)
        if not recall.check_call_in_cache(kind, key, {}, measure)
    }
    measured = measure(rows[list(new.values())]) if new else np.empty(0)
    found = dict(zip(new, measured, strict=True))
    return np.array([recall(kind, key, found, measure) for key in keys])


def _found(
    kind: str,
    key: bytes,
    found: dict[bytes, Measured],
    measure: Callable[[Motifs], Measured],
) -> Measured:
    """Return one of the measurements just made; joblib asks only for what it has not kept.

    Or for what it can no longer read, and that is measured again.
    """
    if key in found:
        return found[key]
    again: Measured = measure(np.frombuffer(key, dtype=np.float64)[None])[0]
    return again
