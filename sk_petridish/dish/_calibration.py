"""What a learned dish needs to predict in the units of the ground truth (section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ._dish import Array, Dish
from ._outer_loss import enough, moments, normalised_mse

# A spread of the statistic below this share of its mean is rounding.
_ROUNDING = 1e-9


def calibrate(
    dishes: Sequence[Dish], statistic: Array, losses: Array, max_outer_loss: float
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
    max_outer_loss : float
        Dishes whose outer loss (eq. 2) is above it did not converge.

    Returns
    -------
    list of Dish
        The dishes with their calibration.
    """
    measured = torch.as_tensor(statistic)
    usable = measured.isfinite()
    means, stds = (moment.squeeze(-1) for moment in moments(measured, usable))
    outer = normalised_mse(measured, torch.as_tensor(losses))
    # Where most motifs diverged, or all measure the same, there is no scale to read
    # other motifs on.
    blind = ~enough(usable) | (stds <= _ROUNDING * means.abs())
    stds, outer = torch.where(blind, torch.nan, stds), torch.where(blind, torch.inf, outer)
    return [
        replace(
            dish,
            statistic_mean=means[index].item(),
            statistic_std=stds[index].item(),
            outer_loss=outer[index].item(),
            converged=bool(outer[index].isfinite() and outer[index] <= max_outer_loss),
        )
        for index, dish in enumerate(dishes)
    ]
