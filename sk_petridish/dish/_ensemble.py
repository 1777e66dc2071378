"""A set of dishes that share their settings: drawn, learned and measured together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from joblib import effective_n_jobs
from skorch.callbacks import Callback

from sk_petridish._compat._constraints import job_counts
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, check_fields
from sk_petridish.blueprints import NetworkSpec, SampleShape

from ._dish import Array, Dish, DishSettings, draw_dish
from ._measure import measure_curves, measure_motifs
from ._outer_loop import OuterLoop, OuterLoopData, OuterLoopResult, learn
from ._zero_cost import zero_cost
from .engines import AUTO, ENGINE_NAMES, Engine, choose_engine


@dataclass(frozen=True)
class EngineOptions:
    """How the inner loop is to be run.

    Parameters
    ----------
    name : str, default="auto"
        Name of an engine, as :func:`choose_engine` takes it.
    dtype : {"float64", "float32"}, default="float64"
        Precision.
    device : str, default="cpu"
        Torch device.
    n_jobs : int, default=None
        Threads. ``None`` is 1 unless a :func:`joblib.parallel_config` says otherwise, -1
        all processors.

    Raises
    ------
    ValueError
        If a field is none of these.
    """

    _parameter_constraints: ClassVar[Constraints] = {
        # As live: an engine of the user's own may come later.
        "name": [StrOptions(ENGINE_NAMES)],
        "dtype": [StrOptions({"float64", "float32"})],
        "device": [str],
        "n_jobs": job_counts(),
    }

    name: str = AUTO
    dtype: Literal["float64", "float32"] = "float64"
    device: str = "cpu"
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that are none."""
        check_fields(self)

    @property
    def precision(self) -> torch.dtype:
        """``dtype`` as torch has it."""
        precision: torch.dtype = getattr(torch, self.dtype)
        return precision

    def choose(self, blueprints: Sequence[NetworkSpec], sample_shape: SampleShape) -> Engine:
        """Choose an engine for motifs.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.
        sample_shape : tuple of int
            Axes of their samples beside the features.

        Returns
        -------
        Engine
            One that can run all of them.

        Raises
        ------
        ValueError
            If there is none of that name that can.
        """
        return choose_engine(
            self.name,
            blueprints,
            dtype=self.precision,
            device=self.device,
            n_jobs=effective_n_jobs(self.n_jobs),
            sample_shape=sample_shape,
        )


@dataclass(frozen=True)
class DishEnsemble:
    """Dishes that share their settings, and how their inner loops are run.

    Everything is done on blueprints; rows and losses in the user's units are for estimators.

    Parameters
    ----------
    dishes : sequence of Dish
        At least one.
    engine : EngineOptions, default=EngineOptions()
        How inner loops are run.

    Raises
    ------
    ValueError
        If there is no dish, or two do not share their settings.

    Examples
    --------
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.dish import DishEnsemble
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> X = [[0.4], [0.9], [1.4]]
    >>> fitted = PetriDishRegressor(n_dishes=2, max_iter=0, random_state=0).fit(X, [1, 2, 3])
    >>> DishEnsemble(fitted.dishes_).statistics(SigmoidSlope().blueprints(X)).shape
    (2, 3)
    """

    dishes: Sequence[Dish]
    engine: EngineOptions = field(default_factory=EngineOptions)

    def __post_init__(self) -> None:
        """Refuse dishes that cannot be run together."""
        if not self.dishes or not all(isinstance(dish, Dish) for dish in self.dishes):
            raise ValueError(f"An ensemble needs at least one Dish, got {self.dishes!r}.")
        for index, dish in enumerate(self.dishes):
            ours = dish.settings
            # Those of a fit are the same object.
            if ours is not self.settings and not ours.same_but_for_the_task(self.settings):
                raise ValueError(
                    f"Dishes of an ensemble share their settings, but dish {index} has {ours}, and "
                    f"dish 0 {self.settings}."
                )

    @classmethod
    def draw(
        cls, settings: DishSettings, seeds: Sequence[int], engine: EngineOptions
    ) -> DishEnsemble:
        """Draw dishes before any learning.

        Parameters
        ----------
        settings : DishSettings
            What they share.
        seeds : sequence of int
            One a dish.
        engine : EngineOptions
            How inner loops are run.

        Returns
        -------
        DishEnsemble
            With the task's own samples.
        """
        return cls([draw_dish(settings, seed) for seed in seeds], engine)

    @property
    def settings(self) -> DishSettings:
        """Settings that the dishes share."""
        return self.dishes[0].settings

    def choose_engine(self, blueprints: Sequence[NetworkSpec]) -> Engine:
        """Choose the engine that runs motifs in these dishes.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.

        Returns
        -------
        Engine
            One that can run all of them.
        """
        return self.engine.choose(blueprints, self.settings.sample_shape)

    def go_on(self, settings: DishSettings, seeds: Sequence[int]) -> DishEnsemble:
        """Prepare the dishes for more learning, with others beside them.

        Parameters
        ----------
        settings : DishSettings
            Their settings from now on.
        seeds : sequence of int
            One a dish; those beyond the present dishes draw new ones.

        Returns
        -------
        DishEnsemble
            The same dishes with the data that they have, and the new ones.

        Raises
        ------
        ValueError
            If there are fewer seeds than dishes, or their data has not the shape that the
            settings ask for.
        """
        kept = list(self.dishes)
        # Any dish will do: all of them have data of the same shape.
        drawn = draw_dish(settings, seeds[0])
        if len(kept) > len(seeds) or any(
            getattr(kept[0], name).shape != getattr(drawn, name).shape
            for name in ("x_train", "y_train")
        ):
            raise ValueError(
                f"Learning cannot go on: there are {len(kept)} dishes with inputs of shape "
                f"{kept[0].x_train.shape} and labels of shape {kept[0].y_train.shape}, but the "
                f"parameters ask for {len(seeds)} with {drawn.x_train.shape} and "
                f"{drawn.y_train.shape}. Restore them, or start anew with warm_start=False."
            )
        new = [draw_dish(settings, seed) for seed in seeds[len(kept) :]]
        return replace(self, dishes=[replace(dish, settings=settings) for dish in kept] + new)

    def learn(
        self,
        known: OuterLoopData,
        loop: OuterLoop,
        *,
        held_out: OuterLoopData | None,
        seed: int,
        callbacks: Sequence[Callback | tuple[str, Callback]] = (),
    ) -> OuterLoopResult:
        """Learn the synthetic data (eq. 3), by one engine for all motifs.

        Parameters
        ----------
        known : OuterLoopData
            Training motifs.
        loop : OuterLoop
            Settings.
        held_out : OuterLoopData or None
            Motifs that decide when to stop and which state to keep.
        seed : int
            Determines the batches of motifs.
        callbacks : sequence of skorch callbacks
            Told of every outer step.

        Returns
        -------
        OuterLoopResult
            The dishes with learned data, and the outer losses on the way.
        """
        blueprints = known.blueprints + ([] if held_out is None else held_out.blueprints)
        return learn(
            self.dishes,
            known,
            loop,
            held_out=held_out,
            seed=seed,
            engine=self.choose_engine(blueprints),
            callbacks=callbacks,
        )

    def statistics(self, blueprints: Sequence[NetworkSpec]) -> Array:
        """Measure motifs, each by the engine that it would get alone.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.

        Returns
        -------
        ndarray of shape (n_dishes, n_motifs)
            The statistic; NaN where a motif-network diverged.
        """
        return self._by_engine(
            blueprints, lambda ours, engine: measure_motifs(ours, self.dishes, engine)
        )

    def curves(self, blueprints: Sequence[NetworkSpec], checkpoints: Sequence[int]) -> Array:
        """Record motifs' learning curves, each by the engine that it would get alone.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.
        checkpoints : sequence of int
            Inner steps, increasing.

        Returns
        -------
        ndarray of shape (n_dishes, n_motifs, n_checkpoints, 3)
            The fields of :class:`Curves`, in order; not finite where a network diverged.
        """
        return self._by_engine(
            blueprints, lambda ours, engine: measure_curves(ours, self.dishes, engine, checkpoints)
        )

    def zero_cost(self, blueprints: Sequence[NetworkSpec]) -> Array:
        """Measure motifs before any training.

        Parameters
        ----------
        blueprints : sequence of Blueprint or ModuleBlueprint
            The motifs.

        Returns
        -------
        ndarray of shape (n_dishes, n_motifs, 8)
            The measures of ``ZERO_COST``.
        """
        return zero_cost(
            blueprints, self.dishes, dtype=self.engine.precision, device=self.engine.device
        )

    def _by_engine(
        self,
        blueprints: Sequence[NetworkSpec],
        measure: Callable[[list[NetworkSpec], Engine], Array],
    ) -> Array:
        """Measure motifs, the second axis; what one gets does not depend on the others."""
        chosen: list[Any] = [self.choose_engine([blueprint]) for blueprint in blueprints]
        # One call an engine; argsort of the order in which motifs were measured undoes it.
        order, pieces = [], []
        for engine in dict.fromkeys(chosen):
            ours = [index for index, one in enumerate(chosen) if one == engine]
            order.extend(ours)
            pieces.append(measure([blueprints[index] for index in ours], engine))
        return np.concatenate(pieces, axis=1)[:, np.argsort(order)]
