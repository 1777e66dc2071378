"""The statistic of many motifs, piece by piece within a limit of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sk_petridish.blueprints import NetworkSpec

from ._dish import SAMPLES, DishBatch
from ._measure import measure
from .engines import Engine

# Memory for an engine's tape of the inner loop.
_MAX_TAPE_BYTES = 2**32


def max_tape_bytes(device: str) -> int:
    """Return how much memory the inner loop's tape may take.

    Parameters
    ----------
    device : str
        Torch device.

    Returns
    -------
    int
        Half of a GPU's memory, 4 GiB elsewhere.
    """
    if torch.device(device).type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 2
    return _MAX_TAPE_BYTES


def build_chunks(blueprints: Sequence[NetworkSpec], dishes: DishBatch, engine: Engine) -> list[Any]:
    """Build motif-networks in as many pieces as the limit of memory asks for.

    Parameters
    ----------
    blueprints : sequence of Blueprint or ModuleBlueprint
        The motifs.
    dishes : DishBatch
        The dishes that they will be measured in.
    engine : Engine
        What builds them.

    Returns
    -------
    list of object
        Networks of consecutive motifs. One motif in all dishes is the smallest piece.
    """
    network = engine.build(blueprints, dishes.settings)
    needed = engine.tape_bytes(network, dishes) / max_tape_bytes(engine.device)
    if needed <= 1:
        return [network]
    size = max(1, math.floor(len(blueprints) / needed))
    return [
        engine.build(blueprints[start : start + size], dishes.settings)
        for start in range(0, len(blueprints), size)
    ]


def measure_chunks(networks: Sequence[Any], dishes: DishBatch, engine: Engine) -> Tensor:
    """Measure motifs so that the tape of a single piece is in memory.

    Parameters
    ----------
    networks : sequence of object
        The motif-networks, as :func:`build_chunks` built them.
    dishes : DishBatch
        The dishes.
    engine : Engine
        What runs the inner loop.

    Returns
    -------
    Tensor of shape (n_dishes, n_motifs)
        The statistic, as :func:`measure` returns it.
    """
    if len(networks) == 1:
        return measure(networks[0], dishes, engine)
    data = [getattr(dishes, name) for name in SAMPLES]
    measured: Tensor = _Chunks.apply(networks, dishes, engine, *data)  # type: ignore[no-untyped-call]
    return measured


class _Chunks(torch.autograd.Function):
    """The statistic as a function of the data; each piece is trained again on the way back.

    With the statistic s_k of piece k, a vector, and the loss's gradient g_k there:
    dL/dx = sum over k of g_k ds_k/dx.
    """

    @staticmethod
    def forward(
        ctx: Any, networks: Sequence[Any], dishes: DishBatch, engine: Engine, *data: Tensor
    ) -> Tensor:
        ctx.run = networks, dishes, engine
        ctx.save_for_backward(*data)
        plain = replace(dishes, **_named([tensor.detach() for tensor in data]))
        return torch.cat([measure(network, plain, engine) for network in networks], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        networks, dishes, engine = ctx.run
        needed = ctx.needs_input_grad[3:]
        leaves = [
            tensor.detach().requires_grad_(need)
            for tensor, need in zip(ctx.saved_tensors, needed, strict=True)
        ]
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        sums = {id(leaf): torch.zeros_like(leaf) for leaf in wanted}
        first = 0
        # In the order of the pieces, so that sums are always rounded alike.
        for network in networks:
            with torch.enable_grad():
                statistic = measure(network, replace(dishes, **_named(leaves)), engine)
            last = first + statistic.shape[1]
            of_chunk = torch.autograd.grad(
                statistic, wanted, gradients[0][:, first:last], allow_unused=True
            )
            for leaf, gradient in zip(wanted, of_chunk, strict=True):
                if gradient is not None:
                    sums[id(leaf)] += gradient
            first = last
        return None, None, None, *(sums.get(id(leaf)) for leaf in leaves)


def _named(data: Sequence[Tensor]) -> dict[str, Any]:
    return dict(zip(SAMPLES, data, strict=True))
