"""Reading a dish's statistic, or whole learning curves, off motifs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sk_petridish.blueprints import NetworkSpec

from ._dish import Array, Dish, DishBatch
from .engines import Engine

# Synthetic data and weights are of order one: a loss beyond this has exploded, even
# where it is still finite.
_DIVERGED = 1e6
# Motif-networks in one call: more cost memory, and keep Ctrl-C waiting.
_MAX_NETWORKS = 4096


def measure(network: Any, dishes: DishBatch, engine: Engine) -> Tensor:
    """Run the inner loop and read the statistic off it.

    Parameters
    ----------
    network : object
        The motif-networks, as the engine built them.
    dishes : DishBatch
        The dishes.
    engine : Engine
        What runs the inner loop.

    Returns
    -------
    Tensor of shape (n_dishes, n_motifs)
        The statistic, differentiable where the dishes' tensors are; NaN where a
        motif-network diverged.
    """
    statistic = dishes.settings.statistic_function
    checkpoints = statistic.checkpoints(dishes.settings.inner.steps)
    values = statistic.read(engine.curves(network, dishes, checkpoints))
    return torch.where(values.abs() < _DIVERGED, values, torch.nan)


def measure_motifs(
    blueprints: Sequence[NetworkSpec], dishes: Sequence[Dish], engine: Engine
) -> Array:
    """Measure motifs in finished dishes, in pieces that fit into memory.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        The motifs.
    dishes : sequence of Dish
        The dishes.
    engine : Engine
        What runs the inner loop.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs)
        The statistic; NaN where a motif-network diverged.
    """
    batch = DishBatch.stack(dishes, engine.dtype, engine.device)
    return in_chunks(blueprints, batch, engine, lambda network: measure(network, batch, engine))


def measure_curves(
    blueprints: Sequence[NetworkSpec],
    dishes: Sequence[Dish],
    engine: Engine,
    checkpoints: Sequence[int],
) -> Array:
    """Record motifs' learning curves in finished dishes.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        The motifs.
    dishes : sequence of Dish
        The dishes.
    engine : Engine
        What runs the inner loop.
    checkpoints : sequence of int
        Inner steps, increasing.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs, n_checkpoints, 3)
        The fields of :class:`Curves`, in order; not finite where a motif-network diverged.
    """
    batch = DishBatch.stack(dishes, engine.dtype, engine.device)
    return in_chunks(
        blueprints,
        batch,
        engine,
        lambda network: torch.stack(engine.curves(network, batch, checkpoints), dim=-1),
    )


def in_chunks(
    blueprints: Sequence[NetworkSpec],
    batch: DishBatch,
    engine: Engine,
    read: Callable[[Any], Tensor],
    max_networks: int = _MAX_NETWORKS,
) -> Array:
    """Read something off motif-networks, in pieces that fit into memory.

    Parameters
    ----------
    blueprints : sequence of Blueprint or ModuleBlueprint
        The motifs.
    batch : DishBatch
        The dishes.
    engine : Engine
        What builds the motif-networks.
    read : callable
        ``read(network) -> Tensor`` of shape (n_dishes, n_motifs, ...).
    max_networks : int
        Motif-networks in a piece, in all dishes together.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs, ...)
        What was read.
    """
    # A motif is a network in every dish.
    size = max(1, max_networks // len(batch.seeds))
    pieces = []
    with torch.no_grad():
        for start in range(0, len(blueprints), size):
            network = engine.build(blueprints[start : start + size], batch.settings)
            pieces.append(read(network).detach().cpu().numpy())
    return np.concatenate(pieces, axis=1).astype(np.float64)
