"""The synthetic data of dishes as trainable parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from sk_petridish.blueprints import NetworkSpec

from ._chunks import build_chunks, measure_chunks
from ._dish import Dish, DishBatch
from .engines import Engine


class SyntheticData(nn.Module):
    """The synthetic data of several dishes as trainable parameters.

    Calling it runs the inner loop on a batch of motifs.

    Parameters
    ----------
    dishes : sequence of Dish
        The dishes before learning.
    blueprints : sequence of Blueprint
        The motifs that a batch may name by index.
    engine : Engine
        What runs the inner loop.
    """

    def __init__(
        self, dishes: Sequence[Dish], blueprints: Sequence[NetworkSpec], engine: Engine
    ) -> None:
        super().__init__()
        start = DishBatch.stack(dishes, engine.dtype, engine.device)
        self.engine = engine
        # The motif-networks of the last batch: small problems have the same in all.
        self._motifs: list[int] = []
        self._networks: list[Any] = []
        self._dishes = dishes
        self._start = start
        self._blueprints = blueprints
        settings = start.settings
        names = (
            ["x_train", "x_valid"] if settings.statistic_function.uses_validation else ["x_train"]
        )
        for name in names:
            self.register_parameter(name, nn.Parameter(getattr(start, name).clone()))
        if settings.learn_labels:
            for name in (f"y{name[1:]}" for name in names):
                free = settings.inner.loss_function.unconstrain(getattr(start, name))
                self.register_parameter(f"free_{name}", nn.Parameter(free))

    def batch(self) -> DishBatch:
        """Return the dishes, stacked, with the data as learned so far.

        Returns
        -------
        DishBatch
            Its tensors depend on this module's parameters.
        """
        constrain = self._start.settings.inner.loss_function.constrain
        learned: dict[str, Any] = {
            name.removeprefix("free_"): constrain(value) if name.startswith("free_") else value
            for name, value in self.named_parameters()
        }
        return replace(self._start, **learned)

    def dishes(self) -> list[Dish]:
        """Return the dishes with the data as learned so far.

        Returns
        -------
        list of Dish
            One for each dish that learning started from.
        """
        return self.batch().unstack(self._dishes)

    def forward(self, motifs: Tensor) -> Tensor:
        """Measure a batch of motifs in every dish.

        Parameters
        ----------
        motifs : Tensor of shape (n_motifs,), int64
            Indices of blueprints.

        Returns
        -------
        Tensor of shape (n_dishes, n_motifs)
            The statistic.
        """
        # The first call of an outer loop, and any with another batch (appendix A.3.2).
        if motifs.tolist() != self._motifs:
            self._motifs = motifs.tolist()
            blueprints = [self._blueprints[motif] for motif in self._motifs]
            self._networks = build_chunks(blueprints, self._start, self.engine)
        return measure_chunks(self._networks, self.batch(), self.engine)
