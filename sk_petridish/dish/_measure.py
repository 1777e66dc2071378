"""Reading a dish's statistic off motifs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sk_petridish.blueprints import Blueprint, SuperNetwork

from ._dish import Array, Dish, DishBatch
from ._torch_engine import curves

# Synthetic data and weights are of order one: a loss beyond this has exploded, even
# where it is still finite.
_DIVERGED = 1e6
# Motif-networks in one call; more only costs memory.
_MAX_NETWORKS = 4096


def measure(blueprints: Sequence[Blueprint], dishes: DishBatch) -> Tensor:
    """Run the inner loop and read the statistic off it.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        The motifs.
    dishes : DishBatch
        The dishes.

    Returns
    -------
    Tensor of shape (n_dishes, n_motifs)
        The statistic, differentiable where the dishes' tensors are; NaN where a
        motif-network diverged.
    """
    settings, x = dishes.settings, dishes.x_train
    network = SuperNetwork(blueprints, settings.widths, dtype=x.dtype, device=x.device)
    statistic = settings.statistic_function
    values = statistic.read(curves(network, dishes, statistic.checkpoints(settings.inner.steps)))
    return torch.where(values.abs() < _DIVERGED, values, torch.nan)


def measure_motifs(
    blueprints: Sequence[Blueprint],
    dishes: Sequence[Dish],
    *,
    dtype: torch.dtype,
    device: str,
) -> Array:
    """Measure motifs in finished dishes, in pieces that fit into memory.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        The motifs.
    dishes : sequence of Dish
        The dishes.
    dtype : torch.dtype
        Precision.
    device : str
        Torch device.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs)
        The statistic; NaN where a motif-network diverged.
    """
    batch = DishBatch.stack(dishes, dtype, device)
    size = max(1, _MAX_NETWORKS // len(dishes))
    with torch.no_grad():
        pieces = [
            measure(blueprints[start : start + size], batch).cpu().numpy()
            for start in range(0, len(blueprints), size)
        ]
    return np.concatenate(pieces, axis=1).astype(np.float64)
