"""Losses and weights, checked, and brought to where floats can compute with them."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d

from ._sklearn import check_sample_weight

Floats = NDArray[np.float64]

# Beyond these, predictions of a fit could leave the range of floats, which ends at 1.8e308,
# and differences lose their digits, which are whole down to 2.2e-308.
_LARGEST, _SMALLEST = 1e303, 1e-303
# Weights outside of this range are scaled, and those below this share of the largest are zero.
_ORDINARY_WEIGHTS = (1e-100, 1e100)
_NEGLIGIBLE = 1e-20
# Losses this many times as far from the median as most others leave them no digits.
_FAR = 1e12
# A spread below this share of the losses is rounding, and no measure of distance.
_ROUNDING = 1e-9


def validate_losses(y: ArrayLike | None, n_motifs: int, estimator: BaseEstimator) -> Floats:
    """Check ground-truth losses before an estimator computes anything with them.

    Parameters
    ----------
    y : array-like of shape (n_motifs,)
        Losses.
    n_motifs : int
        How many there must be.
    estimator : estimator
        What they were given to.

    Returns
    -------
    ndarray of shape (n_motifs,)
        The losses.

    Raises
    ------
    ValueError
        If a loss is no finite number, floats cannot compute with them, or there are others
        than ``n_motifs``.
    """
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    try:
        # scikit-learn adds all up to see whether they are finite, and then looks more closely.
        with np.errstate(invalid="ignore", over="ignore"):
            losses: Floats = check_array(
                column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"
            )
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"{error}\ny holds one finite ground-truth loss a motif; leave out motifs whose "
            "training failed, or give them a bad finite loss."
        ) from error
    if len(losses) != n_motifs:
        raise ValueError(f"X has {n_motifs} motifs, but y has {len(losses)} losses.")
    check_range(losses, "y")
    return losses


def check_range(losses: Floats, name: str) -> None:
    """Raise ValueError where floats cannot compute with losses.

    Parameters
    ----------
    losses : ndarray of shape (n_motifs,)
        Finite losses.
    name : str
        What they are called.
    """
    largest = np.abs(losses).max()
    if largest > _LARGEST:
        raise ValueError(
            f"{name} holds a loss of {losses[np.abs(losses).argmax()]:.3g}, near where the range "
            f"of floats ends: divide losses by {largest:.0e}, or leave the motif out."
        )
    spread = np.ptp(losses)
    if 0 < spread < _SMALLEST:
        raise ValueError(
            f"The losses in {name} differ by {spread:.3g}, where floats have no digits left: "
            "divide losses by 1e-300."
        )


def validate_weights(
    sample_weight: ArrayLike | None, X: NDArray[np.float64], *, all_zero: bool = False
) -> Floats:
    """Check sample weights; they count as repetitions of rows.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        Weights; ``None`` is 1 for all.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    all_zero : bool, default=False
        Whether no row needs to count.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights. Very large and very small ones are divided by the largest, of which
        those that are a negligible share are zero.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are zero and must not be.
    """
    weights: Floats = check_sample_weight(
        sample_weight,
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=all_zero,
    )
    largest = weights.max()
    if largest and not _ORDINARY_WEIGHTS[0] <= largest <= _ORDINARY_WEIGHTS[1]:
        weights = weights / largest
    return np.where(weights < _NEGLIGIBLE * weights.max(), 0.0, weights)


def canonical_order(X: NDArray[np.float64], y: Floats) -> NDArray[np.intp]:
    """Return the order of rows in which it does not matter how they were given.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Losses, which decide where rows are equal.

    Returns
    -------
    ndarray of shape (n_samples,)
        Places of the rows.
    """
    return np.lexsort((y, *X.T[::-1]))


def limit_outliers(y: Floats) -> Floats:
    """Bring losses nearer that are so far off that floats cannot tell the others apart.

    Beside a loss of 1e200 those of 0.02 and 0.03 are the same number once they are
    normalised. Where most losses are within some range, each that is beyond ``1e12`` times
    their spread comes to lie one such range behind the last, so that the order of all is as
    it was. Other losses are returned as they are.

    Parameters
    ----------
    y : ndarray of shape (n_motifs,)
        Losses.

    Returns
    -------
    ndarray of shape (n_motifs,)
        Losses in the same order.

    Warns
    -----
    RuntimeWarning
        If some had to be brought nearer.
    """
    values, place = np.unique(y, return_inverse=True)
    centre = np.median(values)
    distances = np.abs(values - centre)
    spread = np.median(distances)
    far = distances / _FAR > spread
    if spread <= _ROUNDING * abs(centre) or not far.any():
        return y
    near = values[~far]
    n_below = int((far & (values < centre)).sum())
    n_above = len(values) - len(near) - n_below
    step = np.ptp(near)
    below = near[0] - step * np.arange(n_below, 0, -1)
    above = near[-1] + step * np.arange(1, n_above + 1)
    warnings.warn(
        f"y holds losses like {values[far][-1]:.3g}, beside which floats cannot tell most others "
        f"apart; {far.sum()} of them are taken for {np.r_[below, above][-1]:.3g} and the like. "
        "Leave such motifs out, or give them a bad loss that is nearer.",
        RuntimeWarning,
        stacklevel=2,
    )
    return np.asarray(np.concatenate([below, near, above])[place])


def mean_and_std(y: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Return moments of numbers whose squares may be beyond the range of floats.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Numbers.
    weights : ndarray of shape (n,), default=None
        How much each counts.

    Returns
    -------
    mean, std : float
        Moments.
    """
    # With k of max |y| = f 2**k, f < 1: std(y) = 2**k std(y / 2**k), exactly.
    exponent = int(np.frexp(np.abs(y).max())[1])
    scaled = np.ldexp(y, -exponent)
    if weights is None:
        mean, std = scaled.mean(), scaled.std()
    else:
        mean = np.average(scaled, weights=weights)
        deviations = scaled - mean
        small = int(np.frexp(np.abs(deviations).max())[1])
        squares = np.ldexp(deviations, -small) ** 2
        std = np.ldexp(np.sqrt(np.average(squares, weights=weights)), small)
    return float(np.ldexp(mean, exponent)), float(np.ldexp(std, exponent))
