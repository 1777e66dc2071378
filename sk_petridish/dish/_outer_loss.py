"""Outer losses: how far the dish's order of motifs is from the true one."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Added to a variance, so that a constant statistic has a finite gradient.
_TINY = 1e-24


def moments(values: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the usable motifs.

    Parameters
    ----------
    values : Tensor of shape (..., n_motifs)
        Losses.
    usable : Tensor of shape (..., n_motifs), bool
        Which to use; the others may be anything, also NaN.

    Returns
    -------
    mean, std : Tensor of shape (..., 1)
        Moments; 0 and nearly 0 where no motif is usable.
    """
    count = usable.sum(-1, keepdim=True).clamp_min(1)
    kept = torch.where(usable, values, 0.0)
    mean = kept.sum(-1, keepdim=True) / count
    deviation = torch.where(usable, kept - mean, 0.0)
    variance = deviation.square().sum(-1, keepdim=True) / count
    return mean, (variance + _TINY).sqrt()


def enough(usable: Tensor) -> Tensor:
    """Tell whether a dish can be judged: most of its motif-networks did not diverge.

    Two motifs are always in perfect order or in none.

    Parameters
    ----------
    usable : Tensor of shape (..., n_motifs), bool
        Which did not diverge.

    Returns
    -------
    Tensor of shape (...), bool
        True where more than half are usable.
    """
    return 2 * usable.sum(-1) > usable.shape[-1]


def _normalise(values: Tensor, usable: Tensor) -> Tensor:
    """Map the usable motifs to zero mean and unit variance, the others to zero."""
    mean, std = moments(values, usable)
    return torch.where(usable, (torch.where(usable, values, 0.0) - mean) / std, 0.0)


def normalised_mse(statistic: Tensor, losses: Tensor) -> Tensor:
    """Mean squared difference of the normalised losses (eq. 2).

    Parameters
    ----------
    statistic : Tensor of shape (n_dishes, n_motifs)
        What the dishes measured. Motifs for which it is not finite are left out.
    losses : Tensor of shape (n_motifs,)
        Ground truth.

    Returns
    -------
    Tensor of shape (n_dishes,)
        One loss a dish: 0 for a perfect linear relation, 2 for none, also where
        most motif-networks diverged, 4 for the opposite.
    """
    usable = statistic.isfinite()
    difference = _normalise(statistic, usable) - _normalise(losses.expand_as(statistic), usable)
    mse = difference.square().sum(-1) / usable.sum(-1).clamp_min(1)
    return torch.where(enough(usable), mse, 2.0)


def pairwise_rank(statistic: Tensor, losses: Tensor) -> Tensor:
    """Logistic loss on the order of every pair of motifs (section 3.1, footnote).

    Parameters
    ----------
    statistic : Tensor of shape (n_dishes, n_motifs)
        What the dishes measured, normalised here so that its scale does not
        matter. Motifs for which it is not finite are left out.
    losses : Tensor of shape (n_motifs,)
        Ground truth.

    Returns
    -------
    Tensor of shape (n_dishes,)
        Mean over the pairs of different ground truth: log(2) for no relation, also
        where most motif-networks diverged.
    """
    usable = statistic.isfinite()
    normalised = _normalise(statistic, usable)
    margin = normalised[:, :, None] - normalised[:, None, :]
    worse = losses[:, None] > losses[None, :]
    pairs = worse & usable[:, :, None] & usable[:, None, :]
    penalties = torch.where(pairs, F.softplus(-margin), 0.0)
    mean = penalties.sum((-2, -1)) / pairs.sum((-2, -1)).clamp_min(1)
    return torch.where(enough(usable), mean, math.log(2))


OUTER_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": normalised_mse,
    "rank": pairwise_rank,
}
