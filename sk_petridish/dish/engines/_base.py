"""The contract of an engine: what trains motif-networks in dishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self

import torch

from sk_petridish.blueprints import NetworkSpec, SampleShape
from sk_petridish.dish._dish import DishBatch, DishSettings
from sk_petridish.dish._statistic import Curves


class Engine(Protocol):
    """Protocol of an engine, which trains motif-networks in dishes.

    Attributes
    ----------
    name : str
        Its name, by which an estimator asks for it.
    dtype : torch.dtype
        Precision of what it computes.
    device : str
        Torch device of dishes.

    See Also
    --------
    register_engine : Offers an engine to estimators.
    """

    name: ClassVar[str]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of what it computes."""

    @property
    def device(self) -> str:
        """Torch device of dishes."""

    @classmethod
    def create(cls, *, dtype: torch.dtype, device: str, n_jobs: int) -> Self:
        """Return the engine for a precision, a device and a number of threads.

        Parameters
        ----------
        dtype : torch.dtype
            Precision.
        device : str
            Torch device; one that :meth:`supports` has nothing against.
        n_jobs : int
            Threads, for an engine that has any.

        Returns
        -------
        Engine
            The engine. Engines with equal options are equal.
        """

    @classmethod
    def supports(
        cls, blueprints: Sequence[NetworkSpec], sample_shape: SampleShape, device: str
    ) -> str | None:
        """Return why motifs cannot be run on a device.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.
        sample_shape : tuple of int
            Axes of their samples beside the features: time, or height and width.
        device : str
            Torch device.

        Returns
        -------
        str or None
            The end of a sentence that begins with the engine; None where it can run all.
        """

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
            What :meth:`curves` takes. It can be hashed and referenced weakly, and has a
            method ``initial_weights(draw)``; see :meth:`DishBatch.initial_weights`.

        Raises
        ------
        ValueError
            If there is one that the engine cannot run.
        """

    def tape_bytes(self, network: Any, dishes: DishBatch) -> int:
        """Return how much memory the way back through the inner loop would take.

        Parameters
        ----------
        network : object
            What :meth:`build` returned.
        dishes : DishBatch
            The dishes.

        Returns
        -------
        int
            Bytes that grow with the number of motif-networks; 0 for an engine that keeps
            within a limit of its own.
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
