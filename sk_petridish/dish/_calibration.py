"""What a learned dish needs to predict normalised losses (section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ._dish import Array, Dish
from ._outer_loss import finite_weights, moments, mostly_finite, normalised_mse

# A spread of the statistic below this share of its mean is rounding.
_ROUNDING = 1e-9


def fit_readout(
    dishes: Sequence[Dish],
    statistic: Array,
    losses: Array,
    weights: Array,
    max_outer_loss: float,
) -> list[Dish]:
    """Store in every dish what predictions need, and judge whether it converged.

    Parameters
    ----------
    dishes : sequence of Dish
        Dishes.
    statistic : ndarray of shape (n_dishes, n_motifs)
        What they measure on the training motifs.
    losses : ndarray of shape (n_motifs,)
        Ground truth, normalised.
    weights : ndarray of shape (n_dishes, n_motifs)
        How much each motif counts in each dish; zero where it was left out.
    max_outer_loss : float
        Dishes whose outer loss (eq. 2) is above it did not converge.

    Returns
    -------
    list of Dish
        The dishes with their calibration.
    """
    measured, counts = torch.as_tensor(statistic), torch.as_tensor(weights)
    truth = torch.as_tensor(losses).expand_as(measured)
    kept = finite_weights(measured, counts)
    means, stds = (moment.squeeze(-1) for moment in moments(measured, kept))
    loss_means, loss_stds = (moment.squeeze(-1) for moment in moments(truth, kept))
    outer = normalised_mse(measured, torch.as_tensor(losses), counts)
    # Where most motifs diverged, or all measure the same, there is no scale to read
    # other motifs on.
    blind = ~mostly_finite(kept, counts) | (stds <= _ROUNDING * means.abs())
    stds, outer = torch.where(blind, torch.nan, stds), torch.where(blind, torch.inf, outer)
    return [
        replace(
            dish,
            statistic_mean=means[index].item(),
            statistic_std=stds[index].item(),
            loss_mean=loss_means[index].item(),
            loss_std=loss_stds[index].item(),
            outer_loss=outer[index].item(),
            converged=bool(outer[index].isfinite() and outer[index] <= max_outer_loss),
        )
        for index, dish in enumerate(dishes)
    ]


def predict_losses(dishes: Sequence[Dish], statistic: Array) -> Array:
    """Turn what dishes measure into normalised losses.

    Parameters
    ----------
    dishes : sequence of Dish
        Calibrated dishes.
    statistic : ndarray of shape (n_dishes, n_motifs)
        What they measure.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs)
        Predicted losses, normalised as those that :func:`fit_readout` was given; not finite
        where a motif diverged or the dish has no scale.
    """

    def column(name: str) -> Array:
        return np.array([[getattr(dish, name)] for dish in dishes])

    normalised = (statistic - column("statistic_mean")) / column("statistic_std")
    return normalised * column("loss_std") + column("loss_mean")
