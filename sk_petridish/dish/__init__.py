"""Dishes: synthetic data, the inner loop inside and the outer loop around them."""

from ._dish import Dish, DishBatch, DishSettings, draw_dish
from ._ensemble import DishEnsemble, EngineOptions
from ._initial_weights import InitialWeights
from ._inner_loop import InnerLoop
from ._inner_loss import INNER_LOSSES
from ._measure import measure_curves, measure_motifs
from ._outer_loop import (
    HELD_OUT_KEYS,
    HISTORY_KEYS,
    OuterLoop,
    OuterLoopData,
    OuterLoopResult,
    StopLearning,
    learn,
)
from ._outer_loss import OUTER_LOSSES
from ._readout import Readout, fit_readout, judge_dishes, predict_losses
from ._size import check_proportion
from ._statistic import STATISTICS, Curves
from ._zero_cost import ZERO_COST, zero_cost
from .engines import (
    AUTO,
    ENGINE_NAMES,
    Engine,
    NumbaEngine,
    TorchEngine,
    choose_engine,
    register_engine,
    unregister_engine,
)

__all__ = [
    "AUTO",
    "ENGINE_NAMES",
    "HELD_OUT_KEYS",
    "HISTORY_KEYS",
    "INNER_LOSSES",
    "OUTER_LOSSES",
    "STATISTICS",
    "ZERO_COST",
    "Curves",
    "Dish",
    "DishBatch",
    "DishEnsemble",
    "DishSettings",
    "Engine",
    "EngineOptions",
    "InitialWeights",
    "InnerLoop",
    "NumbaEngine",
    "OuterLoop",
    "OuterLoopData",
    "OuterLoopResult",
    "Readout",
    "StopLearning",
    "TorchEngine",
    "check_proportion",
    "choose_engine",
    "draw_dish",
    "fit_readout",
    "judge_dishes",
    "learn",
    "measure_curves",
    "measure_motifs",
    "predict_losses",
    "register_engine",
    "unregister_engine",
    "zero_cost",
]
