"""The engines that run the inner loop, and which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numba import config as numba_config

from sk_petridish.blueprints import (
    Blueprint,
    Network,
    NetworkSpec,
    build_network,
)
from sk_petridish.dish._dish import DishBatch, DishSettings
from sk_petridish.dish._statistic import Curves

from . import fused
from .torch import _curves as _torch_curves


class Engine(Protocol):
    """What trains motif-networks in dishes.

    Attributes
    ----------
    name : str
        Its name.
    dtype : torch.dtype
        Precision of what it computes.
    device : str
        Torch device of dishes.
    """

    name: ClassVar[str]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of what it computes."""

    @property
    def device(self) -> str:
        """Torch device of dishes."""

    def build(self, blueprints: Sequence[NetworkSpec], settings: DishSettings) -> Any:
        """Prepare motif-networks.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            One a motif-network.
        settings : DishSettings
            Those of the dishes in which they will be trained.

        Returns
        -------
        object
            What :meth:`curves` takes.
        """

    def curves(self, network: Any, dishes: DishBatch, checkpoints: Sequence[int]) -> Curves:
        """Train every motif-network in every dish and record its losses.

        Differentiable with respect to the tensors of ``dishes``, through every inner
        step. A motif-network whose training diverges has losses that are not finite,
        and contributes nothing to that gradient.

        Parameters
        ----------
        network : object
            What :meth:`build` returned.
        dishes : DishBatch
            The dishes.
        checkpoints : sequence of int
            Inner steps at which to record, ascending; training ends at the last.

        Returns
        -------
        Curves
            Tensors of shape (n_dishes, n_motifs, n_checkpoints).

        Raises
        ------
        ValueError
            If a motif is recurrent and the samples are no sequences.
        """


@dataclass(frozen=True)
class TorchEngine:
    """The reference: plain PyTorch, for every operation and device.

    Parameters
    ----------
    dtype : torch.dtype
        Precision.
    device : str
        Torch device.
    """

    name: ClassVar[str] = "torch"
    dtype: torch.dtype
    device: str

    def build(self, blueprints: Sequence[NetworkSpec], settings: DishSettings) -> Network:
        """Prepare motif-networks."""
        return build_network(
            blueprints,
            settings.widths,
            settings.sample_shape,
            dtype=self.dtype,
            device=self.device,
        )

    def curves(self, network: Network, dishes: DishBatch, checkpoints: Sequence[int]) -> Curves:
        """Train every motif-network in every dish and record its losses."""
        return _torch_curves.curves(network, dishes, checkpoints)


@dataclass(frozen=True)
class NumbaEngine:
    """The fused one: compiled kernels on the CPU.

    Parameters
    ----------
    dtype : torch.dtype
        Precision.
    n_jobs : int
        Threads.
    """

    name: ClassVar[str] = "numba"
    device: ClassVar[str] = "cpu"
    dtype: torch.dtype
    n_jobs: int

    def build(
        self, blueprints: Sequence[NetworkSpec], settings: DishSettings
    ) -> fused.FusedNetwork:
        """Prepare motif-networks."""
        graphs = [one for one in blueprints if isinstance(one, Blueprint)]
        precision = np.dtype(str(self.dtype).removeprefix("torch."))
        return fused.FusedNetwork(graphs, settings.widths, settings.sample_shape, precision)

    def curves(
        self, network: fused.FusedNetwork, dishes: DishBatch, checkpoints: Sequence[int]
    ) -> Curves:
        """Train every motif-network in every dish and record its losses."""
        return fused.curves(network, dishes, checkpoints, self.n_jobs)


def choose_engine(
    name: Literal["auto", "numba", "torch"],
    blueprints: Sequence[NetworkSpec],
    *,
    dtype: torch.dtype,
    device: str,
    n_jobs: int,
) -> Engine:
    """Choose an engine for motifs.

    Parameters
    ----------
    name : {"auto", "numba", "torch"}
        The engine. ``"auto"`` is ``"numba"`` on the CPU, where all operations have a
        kernel, and ``"torch"`` otherwise.
    blueprints : sequence of Blueprint or ModuleBlueprint
        The motifs.
    dtype : torch.dtype
        Precision.
    device : str
        Torch device.
    n_jobs : int
        Threads of the fused engine.

    Returns
    -------
    Engine
        The engine.

    Raises
    ------
    ValueError
        If ``"numba"`` is asked for what it cannot run.
    """
    if name == "torch":
        return TorchEngine(dtype, device)
    obstacle = _obstacle(blueprints, device)
    if obstacle is None:
        return NumbaEngine(dtype, n_jobs)
    if name == "numba":
        raise ValueError(f"engine='numba' {obstacle}; use engine='torch' or 'auto'.")
    return TorchEngine(dtype, device)


def _obstacle(blueprints: Sequence[NetworkSpec], device: str) -> str | None:
    """Say why the fused engine cannot run motifs, if it cannot."""
    if torch.device(device).type != "cpu":
        return f"runs on the CPU only, but device is {device!r}"
    graphs = [one for one in blueprints if isinstance(one, Blueprint)]
    if len(graphs) < len(blueprints):
        return "has no kernels for modules of a ModuleMotif"
    if missing := fused.without_kernel(graphs):
        return f"has no kernel for the operations {missing}"
    if numba_config.DISABLE_JIT:
        return "needs Numba's compiler, which NUMBA_DISABLE_JIT switches off"
    return None
