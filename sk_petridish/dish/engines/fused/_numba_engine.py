"""The fused engine behind the engines' contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from numba import config as numba_config

from sk_petridish.blueprints import Blueprint, NetworkSpec, SampleShape, data_kind
from sk_petridish.dish._dish import DishBatch, DishSettings
from sk_petridish.dish._statistic import Curves

from ._engine import curves
from ._program import FusedNetwork, without_kernel


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

    @classmethod
    def create(cls, *, dtype: torch.dtype, device: str, n_jobs: int) -> Self:
        """Return the engine for a precision and a number of threads."""
        return cls(dtype, n_jobs)

    @classmethod
    def supports(
        cls, blueprints: Sequence[NetworkSpec], sample_shape: SampleShape, device: str
    ) -> str | None:
        """Return why the kernels cannot run motifs."""
        if torch.device(device).type != cls.device:
            return f"runs on the CPU only, but device is {device!r}"
        graphs = [one for one in blueprints if isinstance(one, Blueprint)]
        if len(graphs) < len(blueprints):
            return "has no kernels for modules of a ModuleMotif"
        if missing := without_kernel(graphs):
            return f"has no kernel for the operations {missing}"
        if data_kind(sample_shape) == "images":
            return "has kernels for vectors and sequences, not images"
        if numba_config.DISABLE_JIT:
            return "needs Numba's compiler, which NUMBA_DISABLE_JIT switches off"
        return None

    def build(self, blueprints: Sequence[NetworkSpec], settings: DishSettings) -> FusedNetwork:
        """Prepare motif-networks."""
        if reason := self.supports(blueprints, settings.sample_shape, self.device):
            raise ValueError(f"The engine {self.name!r} {reason}.")
        graphs = [one for one in blueprints if isinstance(one, Blueprint)]
        precision = np.dtype(str(self.dtype).removeprefix("torch."))
        return FusedNetwork(graphs, settings.widths, settings.sample_shape, precision)

    def tape_bytes(self, network: FusedNetwork, dishes: DishBatch) -> int:
        """Return 0: what is kept for the way back has a limit of its own."""
        return 0

    def curves(
        self, network: FusedNetwork, dishes: DishBatch, checkpoints: Sequence[int]
    ) -> Curves:
        """Train every motif-network in every dish and record its losses."""
        return curves(network, dishes, checkpoints, self.n_jobs)
