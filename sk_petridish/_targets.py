"""Ground-truth losses as a dish learns from them: checked, one a motif, with an order."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, column_or_1d

from .motifs import Motifs, MotifSpace

Losses = NDArray[np.float64]


def validate_losses(y: ArrayLike | None, n_motifs: int) -> Losses:
    """Check ground-truth losses before anything is computed with them."""
    if y is None:
        raise ValueError("PetriDishRegressor requires y to be passed, but the target y is None.")
    try:
        losses: Losses = check_array(
            column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"
        )
    except ValueError as error:
        raise ValueError(
            f"{error}\ny holds one finite ground-truth loss a motif; leave out motifs whose "
            "training failed, or give them a bad finite loss."
        ) from error
    if len(losses) != n_motifs:
        raise ValueError(f"X has {n_motifs} motifs, but y has {len(losses)} losses.")
    return losses


def average_repeats(space: MotifSpace, X: Motifs, y: Losses) -> tuple[Motifs, Losses]:
    """Join rows that are the same motif; its loss is the mean of theirs."""
    repeats: dict[Hashable, list[int]] = {}
    for row, key in enumerate(space.canonical(X)):
        repeats.setdefault(key, []).append(row)
    first = [rows[0] for rows in repeats.values()]
    return X[first], np.array([y[rows].mean() for rows in repeats.values()])


def check_ordering(y: Losses) -> None:
    """Raise ValueError where there is no order to learn."""
    if len(y) < 2:
        raise ValueError(
            f"A dish learns to order motifs and needs at least 2 different ones, got "
            f"n_samples={len(y)} after averaging repeats."
        )
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise ValueError(
            "All motifs have the same loss, so there is no order to learn. Evaluate motifs that "
            "differ in quality, or check that y is the loss you mean."
        )
