"""Dishes: synthetic data, the inner loop inside and the outer loop around them."""

from ._calibration import calibrate, read_losses
from ._dish import Dish, DishBatch, DishSettings, draw_dish
from ._engines import Engine, NumbaEngine, TorchEngine, choose_engine
from ._initial_weights import InitialWeights
from ._inner_loop import InnerLoop
from ._inner_loss import INNER_LOSSES
from ._measure import measure_curves, measure_motifs
from ._outer_loop import Known, Learned, OuterLoop, learn
from ._outer_loss import OUTER_LOSSES
from ._statistic import STATISTICS, Curves
from ._zero_cost import ZERO_COST, zero_cost

__all__ = [
    "INNER_LOSSES",
    "OUTER_LOSSES",
    "STATISTICS",
    "ZERO_COST",
    "Curves",
    "Dish",
    "DishBatch",
    "DishSettings",
    "Engine",
    "InitialWeights",
    "InnerLoop",
    "Known",
    "Learned",
    "NumbaEngine",
    "OuterLoop",
    "TorchEngine",
    "calibrate",
    "choose_engine",
    "draw_dish",
    "learn",
    "measure_curves",
    "measure_motifs",
    "read_losses",
    "zero_cost",
]
