"""Ground truth as a dish learns from it: checked, one loss a motif, with an order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_petridish._compat._losses import canonical_order, mean_and_std
from sk_petridish.motifs import Motifs, MotifSpace

Losses = NDArray[np.float64]
# A diverged motif is predicted above the worst loss by this many times their range.
_BEYOND = 10


class EvaluatedMotifs(NamedTuple):
    """Different motifs with their losses.

    Parameters
    ----------
    X : ndarray of shape (n_motifs, n_features)
        Motifs, one a row.
    y : ndarray of shape (n_motifs,)
        Their losses.
    weights : ndarray of shape (n_motifs,)
        How often each counts.
    """

    X: Motifs
    y: Losses
    weights: Losses


def join_repeats(space: MotifSpace, evaluated: EvaluatedMotifs) -> EvaluatedMotifs:
    """Join rows that are the same motif, and forget the order of rows.

    A motif's loss is the weighted mean of its rows' losses, its weight the sum of
    theirs; a row of weight zero is none.
    """
    return _join(evaluated, _repeats(evaluated, space.canonical_keys))


def join_equal_rows(evaluated: EvaluatedMotifs) -> EvaluatedMotifs:
    """Join rows that are equal, and forget the order of rows.

    What a random seed means to a regressor depends on that.
    """
    return _join(evaluated, _repeats(evaluated, lambda X: [tuple(row) for row in X.tolist()]))


def _repeats(
    evaluated: EvaluatedMotifs, name: Callable[[Motifs], Sequence[Hashable]]
) -> list[list[int]]:
    """Return the rows that have the same name, as lists."""
    X, y, weights = evaluated
    # Sorted, so that sums are rounded alike and seeds mean the same in every order.
    order = canonical_order(X, y)
    order = order[weights[order] > 0]
    repeats: dict[Hashable, list[int]] = {}
    for row, key in zip(order.tolist(), name(X[order]), strict=True):
        repeats.setdefault(key, []).append(row)
    return list(repeats.values())


def _join(evaluated: EvaluatedMotifs, groups: list[list[int]]) -> EvaluatedMotifs:
    X, y, weights = evaluated
    return EvaluatedMotifs(
        X[[rows[0] for rows in groups]],
        np.array([_mean(y[rows], weights[rows]) for rows in groups]),
        np.array([weights[rows].sum() for rows in groups]),
    )


def _mean(y: Losses, weights: Losses) -> float:
    """Return the weighted mean, exactly the loss where all are equal.

    Else 0.1 given three times and 0.1 of another motif were no tie.
    """
    return float(y.min() + np.average(y - y.min(), weights=weights))


def check_several(y: Losses) -> None:
    """Raise ValueError where there are not two motifs to compare."""
    if len(y) < 2:
        raise ValueError(
            f"A dish learns to order motifs and needs at least 2 different ones, got "
            f"n_samples={len(y)} after averaging repeats."
        )


def check_ordering(y: Losses) -> None:
    """Raise ValueError where there is no order to learn."""
    check_several(y)
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise ValueError(
            "All motifs have the same loss, so there is no order to learn. Evaluate motifs that "
            "differ in quality, or check that y is the loss you mean."
        )


@dataclass(frozen=True)
class LossScale:
    """Losses in their units, and normalised: to zero mean and unit variance.

    Dishes learn and predict normalised losses, so that neither ``tol`` nor rounding depends on
    the units of ``y``.

    Parameters
    ----------
    mean, std : float
        Moments of the losses that dishes learn from.
    diverged : float
        What is predicted of a motif whose inner training diverged.
    """

    mean: float
    std: float
    diverged: float

    @classmethod
    def of(cls, y: Losses, weights: Losses) -> LossScale:
        """Return the scale of some losses."""
        mean, std = mean_and_std(y, weights)
        return cls(mean, std, float(y.max() + _BEYOND * np.ptp(y)))

    def transform(self, y: Losses) -> Losses:
        """Return normalised losses."""
        return (y - self.mean) / self.std

    def inverse_transform(self, normalised: Losses) -> Losses:
        """Return losses in their units, a bad one where there is none."""
        losses = normalised * self.std + self.mean
        return np.where(np.isfinite(losses), losses, self.diverged)
