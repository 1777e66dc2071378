"""What must hold before kernels run: they index through pointers, without bounds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor

from sk_petridish.dish._dish import DishBatch

from ._program import FusedNetwork


def check_arguments(network: FusedNetwork, dishes: DishBatch, checkpoints: Sequence[int]) -> None:
    """Raise an error unless motif-networks, dishes and checkpoints fit together.

    Parameters
    ----------
    network : FusedNetwork
        The motif-networks.
    dishes : DishBatch
        The dishes.
    checkpoints : sequence of int
        Inner steps at which to record.

    Raises
    ------
    ValueError
        If the network was built for other widths or another precision, if an axis of the
        data is not as the settings say, or if checkpoints do not ascend from 0 on.
    """
    widths, inner = dishes.settings.widths, dishes.settings.inner
    if network.widths != widths:
        raise ValueError(
            f"The dishes have {widths}, but the network was built for {network.widths}."
        )
    for part, n_batches in (("train", inner.n_batches), ("valid", 1)):
        x, y = getattr(dishes, f"x_{part}"), getattr(dishes, f"y_{part}")
        n_samples = x.shape[1]
        if n_samples % n_batches:
            raise ValueError(f"{n_samples} samples do not make {n_batches} equal mini-batches.")
        _check_axes(f"x_{part}", x, (len(dishes.seeds), n_samples, widths.n_inputs), network)
        if tuple(x.shape[2:-1]) != tuple(dishes.settings.sample_shape):
            raise ValueError(
                f"x_{part} has shape {tuple(x.shape)}, but a sample must have the axes "
                f"{dishes.settings.sample_shape} between samples and units."
            )
        _check_axes(f"y_{part}", y, (len(dishes.seeds), n_samples, widths.n_outputs), network)
    # Kernels record at one checkpoint after another: one that never comes would leave all
    # later ones unwritten.
    if not all(one < other for one, other in itertools.pairwise([-1, *checkpoints])):
        raise ValueError(f"Checkpoints must ascend from 0 on, but are {list(checkpoints)}.")


def _check_axes(
    name: str, data: Tensor, expected: tuple[int, int, int], network: FusedNetwork
) -> None:
    """Raise an error unless the first two axes, the last one and the precision are right."""
    precision = str(data.dtype).removeprefix("torch.")
    if network.programs.parameters.dtype != precision:
        raise ValueError(
            f"The dishes are of {precision} in {name}, but the network was built for "
            f"{network.programs.parameters.dtype}."
        )
    if (*data.shape[:2], data.shape[-1]) != expected:
        n_dishes, n_samples, n_units = expected
        raise ValueError(
            f"{name} has shape {tuple(data.shape)}, but must have "
            f"({n_dishes}, {n_samples}, ..., {n_units})."
        )
