"""How far a prediction may be off: the spread over dishes, calibrated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ._evaluated_motifs import Losses
from ._splits import Mask


def spread_over_dishes(losses: Losses) -> Losses:
    """Return the standard deviation over dishes, the first axis; 0 for a single one."""
    if len(losses) < 2:
        return np.zeros(losses.shape[1:])
    # In another unit, and back: squares may be beyond the range of floats. Powers of two are
    # exact.
    exponent = np.frexp(np.abs(losses).max(axis=0))[1]
    spread: Losses = np.ldexp(np.ldexp(losses, -exponent).std(axis=0, ddof=1), exponent)
    return spread


class OutOfBag(NamedTuple):
    """Predictions of motifs by dishes that have not seen them.

    Parameters
    ----------
    prediction : ndarray of shape (n_motifs,)
        Median; NaN for a motif that less than two dishes left out.
    spread : ndarray of shape (n_motifs,)
        Standard deviation; NaN there.
    """

    prediction: Losses
    spread: Losses


def out_of_bag(losses: Losses, left_out: Mask) -> OutOfBag:
    """Predict each motif by the dishes that left it out.

    Parameters
    ----------
    losses : ndarray of shape (n_dishes, n_motifs)
        What every dish predicts.
    left_out : ndarray of shape (n_dishes, n_motifs), bool
        Which motifs each has not seen.

    Returns
    -------
    OutOfBag
        Predictions with their spread.
    """
    prediction, spread = np.full((2, losses.shape[1]), np.nan)
    for motif, dishes in enumerate(left_out.T):
        if dishes.sum() > 1:
            ours = losses[dishes, motif]
            prediction[motif], spread[motif] = np.median(ours), spread_over_dishes(ours)
    return OutOfBag(prediction, spread)


class SpreadCalibration(NamedTuple):
    """From the spread over dishes to the standard deviation of a prediction's error.

    ``std**2 = (factor * spread)**2 + floor**2``: dishes agree on what none of them can
    know, such as the noise of the measured losses.

    Parameters
    ----------
    factor : float
        On the spread.
    floor : float
        Error where dishes agree, in the units of the losses.
    """

    factor: float = 1.0
    floor: float = 0.0

    def std(self, spread: Losses) -> Losses:
        """Return the standard deviation of a prediction's error."""
        return np.hypot(self.factor * spread, self.floor)


def calibrate_spread(
    errors: Losses, spread: Losses, weights: Losses, scale: float
) -> SpreadCalibration:
    """Find the most likely calibration, given errors on motifs that dishes did not see.

    Parameters
    ----------
    errors : ndarray of shape (n_motifs,)
        How far predictions out of the bag were off; NaN where there was none.
    spread : ndarray of shape (n_motifs,)
        Standard deviation of these predictions over the dishes.
    weights : ndarray of shape (n_motifs,)
        How often each motif counts.
    scale : float
        Standard deviation of the losses.

    Returns
    -------
    SpreadCalibration
        The identity, where nothing was left out.
    """
    known = np.isfinite(errors)
    if not known.any():
        return SpreadCalibration()
    squared = (errors[known] / scale) ** 2
    spread, weights = spread[known] / scale, weights[known]

    def surprise(logs: NDArray[np.float64]) -> float:
        factor, floor = np.exp(logs)
        variance = (factor * spread) ** 2 + floor**2
        likelihood = 0.5 * np.sum(weights * (np.log(variance) + squared / variance))
        # A handful of errors cannot tell the two apart: the factor has a prior around 1.
        return float(likelihood + 0.5 * logs[0] ** 2)

    bounds = [(-5.0, 5.0), (np.log(1e-3), np.log(1e2))]
    best = minimize(surprise, (0.0, -1.0), method="L-BFGS-B", bounds=bounds).x
    factor, floor = np.exp(best)
    return SpreadCalibration(float(factor), float(floor * scale))
