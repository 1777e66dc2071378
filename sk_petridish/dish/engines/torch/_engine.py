"""The reference engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from sk_petridish.blueprints import Network, NetworkSpec, SampleShape, build_network
from sk_petridish.dish._dish import DishBatch, DishSettings
from sk_petridish.dish._statistic import Curves

from ._curves import curves, tape_bytes


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

    @classmethod
    def create(cls, *, dtype: torch.dtype, device: str, n_jobs: int) -> Self:
        """Return the engine for a precision and a device; threads are torch's own."""
        return cls(dtype, device)

    @classmethod
    def supports(
        cls, blueprints: Sequence[NetworkSpec], sample_shape: SampleShape, device: str
    ) -> str | None:
        """Return None: it runs all motifs everywhere."""
        return None

    def build(self, blueprints: Sequence[NetworkSpec], settings: DishSettings) -> Network:
        """Prepare motif-networks."""
        return build_network(
            blueprints,
            settings.widths,
            settings.sample_shape,
            dtype=self.dtype,
            device=self.device,
        )

    def tape_bytes(self, network: Network, dishes: DishBatch) -> int:
        """Return the size of the tape of all inner steps, as one of them has it."""
        return tape_bytes(network, dishes)

    def curves(self, network: Network, dishes: DishBatch, checkpoints: Sequence[int]) -> Curves:
        """Train every motif-network in every dish and record its losses."""
        return curves(network, dishes, checkpoints)
