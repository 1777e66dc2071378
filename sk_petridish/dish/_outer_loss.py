"""Outer losses: how far the dish's order of motifs is from the true one."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Added to a variance, so that a constant statistic has a finite gradient.
_TINY = 1e-24


def moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and standard deviation over motifs.

    Parameters
    ----------
    values : Tensor of shape (..., n_motifs)
        Losses.
    weights : Tensor of shape (..., n_motifs)
        How much each counts. Values of weight zero may be anything, also NaN.

    Returns
    -------
    mean, std : Tensor of shape (..., 1)
        Moments; 0 and nearly 0 where no motif counts.
    """
    counts = weights > 0
    total = _positive(weights.sum(-1, keepdim=True))
    kept = torch.where(counts, values, 0.0)
    mean = (weights * kept).sum(-1, keepdim=True) / total
    deviation = torch.where(counts, kept - mean, 0.0)
    variance = (weights * deviation.square()).sum(-1, keepdim=True) / total
    return mean, (variance + _TINY).sqrt()


def finite_weights(statistic: Tensor, weights: Tensor) -> Tensor:
    """Take the weight from motif-networks that diverged.

    Parameters
    ----------
    statistic : Tensor of shape (n_dishes, n_motifs)
        What the dishes measured; not finite where a motif-network diverged.
    weights : Tensor of shape (n_dishes, n_motifs)
        How much each motif counts.

    Returns
    -------
    Tensor of shape (n_dishes, n_motifs)
        The weights, zero for diverged ones.
    """
    return torch.where(statistic.isfinite(), weights, 0.0)


def mostly_finite(kept: Tensor, weights: Tensor) -> Tensor:
    """Return whether a dish can be judged: most of its motif-networks did not diverge.

    Two motifs are always in perfect order or in none.

    Parameters
    ----------
    kept : Tensor of shape (..., n_motifs)
        The weights of those that did not.
    weights : Tensor of shape (..., n_motifs)
        The weights of all.

    Returns
    -------
    Tensor of shape (...), bool
        True where more than half of the weight is kept.
    """
    return 2 * kept.sum(-1) > weights.sum(-1)


def normalise(values: Tensor, weights: Tensor) -> Tensor:
    """Map motifs to zero mean and unit variance, those without weight to zero.

    Parameters
    ----------
    values : Tensor of shape (..., n_motifs)
        Losses.
    weights : Tensor of shape (..., n_motifs)
        How much each counts.

    Returns
    -------
    Tensor of shape (..., n_motifs)
        Normalised losses.
    """
    # (L - mean(L)) / std(L), and 0 where the weight is: also there the gradient is finite.
    mean, std = moments(values, weights)
    counts = weights > 0
    return torch.where(counts, (torch.where(counts, values, 0.0) - mean) / std, 0.0)


def normalised_mse(statistic: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
    """Mean squared difference of the normalised losses (eq. 2).

    Parameters
    ----------
    statistic : Tensor of shape (n_dishes, n_motifs)
        What the dishes measured. Motifs for which it is not finite are left out.
    losses : Tensor of shape (n_motifs,)
        Ground truth.
    weights : Tensor of shape (n_dishes, n_motifs)
        How much each motif counts.

    Returns
    -------
    Tensor of shape (n_dishes,)
        One loss a dish: 0 for a perfect linear relation, 2 for none, also where
        most motif-networks diverged, 4 for the opposite.
    """
    kept = finite_weights(statistic, weights)
    difference = normalise(statistic, kept) - normalise(losses.expand_as(statistic), kept)
    mse = (kept * difference.square()).sum(-1) / _positive(kept.sum(-1))
    return torch.where(mostly_finite(kept, weights), mse, 2.0)


def pairwise_rank(statistic: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
    """Logistic loss on the order of every pair of motifs (section 3.1, footnote).

    Parameters
    ----------
    statistic : Tensor of shape (n_dishes, n_motifs)
        What the dishes measured, normalised here so that its scale does not
        matter. Motifs for which it is not finite are left out.
    losses : Tensor of shape (n_motifs,)
        Ground truth.
    weights : Tensor of shape (n_dishes, n_motifs)
        How much each motif counts; a pair counts as the product.

    Returns
    -------
    Tensor of shape (n_dishes,)
        Mean over the pairs of different ground truth: log(2) for no relation, also
        where most motif-networks diverged.
    """
    kept = finite_weights(statistic, weights)
    normalised = normalise(statistic, kept)
    margin = normalised[:, :, None] - normalised[:, None, :]
    pairs = (losses[:, None] > losses[None, :]) * kept[:, :, None] * kept[:, None, :]
    penalties = pairs * F.softplus(-margin)
    mean = penalties.sum((-2, -1)) / _positive(pairs.sum((-2, -1)))
    return torch.where(mostly_finite(kept, weights), mean, math.log(2))


def _positive(total: Tensor) -> Tensor:
    """Divide by this: where the total is zero, so is what it divides."""
    return torch.where(total > 0, total, 1.0)


OUTER_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mse": normalised_mse,
    "rank": pairwise_rank,
}
"""Losses of the outer loop, by name: eq. 2, and the paper's footnoted alternative."""
