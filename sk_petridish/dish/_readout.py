"""The readout: from what a dish measures to losses (section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ._dish import Array, Dish
from ._outer_loss import finite_weights, moments, mostly_finite, normalised_mse

# A spread of the statistic below this share of its mean is rounding.
_ROUNDING = 1e-9


class Readout(NamedTuple):
    """Moments of what dishes measure and of the losses, and the line that they make.

    With the statistic s and the loss L, ``slope = std(L) / std(s)`` and
    ``intercept = mean(L) - slope * mean(s)``: the statistic has the order of the losses,
    whether or not it fits them (eq. 2).

    Parameters
    ----------
    mean, std : ndarray of shape (n_dishes, 1)
        Of the statistic; the latter NaN where a dish has no scale to read motifs on.
    loss_mean, loss_std : ndarray of shape (n_dishes, 1)
        Of the losses.
    outer_loss : ndarray of shape (n_dishes, 1)
        Normalised mean squared error of the line (eq. 2); infinite where there is no scale.
    """

    mean: Array
    std: Array
    loss_mean: Array
    loss_std: Array
    outer_loss: Array

    @property
    def slope(self) -> Array:
        """Slope of the line."""
        return self.loss_std / self.std

    @property
    def intercept(self) -> Array:
        """Intercept of the line."""
        return self.loss_mean - self.slope * self.mean

    def predict(self, statistic: Array) -> Array:
        """Return the line's losses, computed around the mean.

        There ``slope * statistic`` and ``intercept`` cancel; what is fitted to these losses
        may be sensitive to how they are rounded.

        Parameters
        ----------
        statistic : ndarray of shape (n_dishes, n_motifs)
            What dishes measure.

        Returns
        -------
        ndarray of shape (n_dishes, n_motifs)
            Predicted losses; not finite where a motif diverged or the dish has no scale.
        """
        return (statistic - self.mean) / self.std * self.loss_std + self.loss_mean


def fit_readout(statistic: Array, losses: Array, weights: Array) -> Readout:
    """Fit every dish's line, by mean and standard deviation of both sides.

    Parameters
    ----------
    statistic : ndarray of shape (n_dishes, n_motifs)
        What dishes measure on motifs.
    losses : ndarray of shape (n_motifs,)
        Ground truth.
    weights : ndarray of shape (n_dishes, n_motifs)
        How much each motif counts in each dish; zero where it was left out.

    Returns
    -------
    Readout
        One line a dish.
    """
    measured, counts = torch.as_tensor(statistic), torch.as_tensor(weights)
    # Both sides over the same motifs: those that the dish saw and that did not diverge.
    kept = finite_weights(measured, counts)
    mean, std = (moment.numpy() for moment in moments(measured, kept))
    truth = torch.as_tensor(losses).expand_as(measured)
    loss_mean, loss_std = (moment.numpy() for moment in moments(truth, kept))
    # Where most motifs diverged, or all measure the same, there is no scale to read
    # other motifs on.
    blind = ~mostly_finite(kept, counts).numpy()[:, None] | (std <= _ROUNDING * np.abs(mean))
    outer = normalised_mse(measured, torch.as_tensor(losses), counts).numpy()[:, None]
    return Readout(
        mean,
        np.where(blind, np.nan, std),
        loss_mean,
        loss_std,
        np.where(blind, np.inf, outer),
    )


def judge_dishes(dishes: Sequence[Dish], readout: Readout, max_outer_loss: float) -> list[Dish]:
    """Store in every dish its readout, and judge whether it converged.

    Parameters
    ----------
    dishes : sequence of Dish
        Dishes.
    readout : Readout
        Their lines.
    max_outer_loss : float
        Dishes whose outer loss is above it did not converge.

    Returns
    -------
    list of Dish
        The dishes with their readout.
    """
    lines = np.hstack([readout.slope, readout.intercept, readout.outer_loss])
    return [
        replace(
            dish,
            slope=slope,
            intercept=intercept,
            outer_loss=outer_loss,
            converged=bool(np.isfinite(outer_loss) and outer_loss <= max_outer_loss),
        )
        for dish, (slope, intercept, outer_loss) in zip(dishes, lines.tolist(), strict=True)
    ]


def predict_losses(dishes: Sequence[Dish], statistic: Array) -> Array:
    """Return the losses that dishes read off: ``slope * statistic + intercept``.

    Parameters
    ----------
    dishes : sequence of Dish
        Dishes with their readout.
    statistic : ndarray of shape (n_dishes, n_motifs)
        What they measure.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs)
        Predicted losses, in the units of those that :func:`fit_readout` was given; not
        finite where a motif diverged or the dish has no scale.
    """
    slope, intercept = np.array([(dish.slope, dish.intercept) for dish in dishes]).T[..., None]
    losses: Array = slope * statistic + intercept
    return losses
