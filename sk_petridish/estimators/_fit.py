"""A fit: the data that dishes learn from, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from sk_petridish.blueprints import NetworkSpec
from sk_petridish.dish import (
    Dish,
    DishEnsemble,
    Engine,
    OuterLoop,
    OuterLoopData,
    OuterLoopResult,
    fit_readout,
    judge_dishes,
    measure_motifs,
)

from ._evaluated_motifs import EvaluatedMotifs, Losses, LossScale
from ._splits import Mask
from ._uncertainty import SpreadCalibration, calibrate_spread, out_of_bag


@dataclass(frozen=True)
class FitResult:
    """Judged dishes.

    Parameters
    ----------
    dishes : list of Dish
        With what they need to predict.
    statistic : ndarray of shape (n_dishes, n_motifs)
        What they measure on all motifs.
    scale : LossScale
        Of the losses that they learned from.
    oob_prediction : ndarray of shape (n_motifs,)
        What they predict of motifs that they have not seen; NaN for others.
    spread : SpreadCalibration
        How far predictions may be off, judged by these.
    """

    dishes: list[Dish]
    statistic: Losses
    scale: LossScale
    oob_prediction: Losses
    spread: SpreadCalibration

    def attributes(self) -> dict[str, Any]:
        """Return what an estimator predicts with, by the names of its attributes."""
        prediction = self.oob_prediction
        return {
            "dishes_": self.dishes,
            "n_converged_": sum(dish.converged for dish in self.dishes),
            "oob_prediction_": None if np.isnan(prediction).all() else prediction,
            "_loss_scale": self.scale,
            "_spread": self.spread,
        }


@dataclass(frozen=True)
class FitData:
    """Motifs with their ground truth, as dishes learn from them and are judged by them.

    Parameters
    ----------
    blueprints : list of Blueprint
        The motifs.
    truth : EvaluatedMotifs
        Their losses and weights.
    left_out : ndarray of shape (n_dishes, n_motifs), bool
        Which motifs each dish must not see.
    ensemble : DishEnsemble
        The dishes from which learning starts.
    max_outer_loss : float
        Dishes above it did not converge.
    """

    blueprints: list[NetworkSpec]
    truth: EvaluatedMotifs
    left_out: Mask
    ensemble: DishEnsemble
    max_outer_loss: float

    @cached_property
    def scale(self) -> LossScale:
        """The scale of the losses that at least one dish sees."""
        seen = self._seen
        return LossScale.of(self.truth.y[seen], self.truth.weights[seen])

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs the inner loop of all motifs."""
        return self.ensemble.choose_engine(self.blueprints)

    @property
    def known(self) -> OuterLoopData:
        """Motifs to learn from."""
        return self._select(self._seen)

    @property
    def held_out(self) -> OuterLoopData | None:
        """Motifs that no dish sees, if there are any."""
        return None if self._seen.all() else self._select(~self._seen)

    def learn(
        self, loop: OuterLoop, seed: int, callbacks: Sequence[Callback | tuple[str, Callback]]
    ) -> OuterLoopResult:
        """Learn the dishes from what they may see."""
        return self.ensemble.learn(
            self.known, loop, held_out=self.held_out, seed=seed, callbacks=callbacks
        )

    def judge(self, dishes: Sequence[Dish]) -> FitResult:
        """Measure all motifs, and make dishes ready to predict."""
        statistic = measure_motifs(self.blueprints, dishes, self.engine)
        weights = self.truth.weights * ~self.left_out
        # Each dish by the motifs that it saw, and its spread by those that it did not.
        readout = fit_readout(statistic, self.scale.transform(self.truth.y), weights)
        judged = judge_dishes(dishes, readout, self.max_outer_loss)
        converged = np.array([dish.converged for dish in judged])
        usable = converged if converged.any() else ~converged
        predicted = self.scale.inverse_transform(readout.predict(statistic))
        unseen = out_of_bag(predicted[usable], self.left_out[usable])
        errors = unseen.prediction - self.truth.y
        spread = calibrate_spread(errors, unseen.spread, self.truth.weights, self.scale.std)
        return FitResult(judged, statistic, self.scale, unseen.prediction, spread)

    @property
    def _seen(self) -> Mask:
        return np.asarray(~self.left_out.all(axis=0))

    def _select(self, motifs: Mask) -> OuterLoopData:
        """Take some motifs; those that no dish sees count by their own weight."""
        weights = self.truth.weights * ~(self.left_out & self._seen)
        return OuterLoopData(
            [self.blueprints[motif] for motif in np.flatnonzero(motifs)],
            self.scale.transform(self.truth.y[motifs]),
            weights[:, motifs],
        )
