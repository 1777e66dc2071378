"""Dish settings for tests."""

from sk_petridish.blueprints import Widths
from sk_petridish.dish import DishSettings, InitialWeights, InnerLoop
from sk_petridish.tasks import TeacherTask


def make_settings(**changes):
    """Return dish settings, small unless said otherwise."""
    inner = {
        "steps": 4,
        "lr": 0.05,
        "l2": 1e-3,
        "optimizer": "adam",
        "loss": "bce",
        "n_batches": 1,
    }
    inner |= {name: changes.pop(name) for name in list(changes) if name in inner}
    settings = {
        "widths": Widths(3, 2, 3),
        "n_synthetic": 6,
        "task": TeacherTask(),
        "validation_data": "separate",
        "learn_labels": False,
        "initial_weights": InitialWeights("normal", 1.0),
        "statistic": "final_valid",
    }
    return DishSettings(**(settings | changes), inner=InnerLoop(**inner))
