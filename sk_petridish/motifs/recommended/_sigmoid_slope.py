"""Dishes that were measured to suit activation functions."""

from __future__ import annotations

from typing import Any

from sk_petridish.tasks import TeacherTask

from ._paper import PAPER

# Chosen on another table of the same experiment: labels that can be learned and not
# only memorised, weights large enough to saturate a sigmoid, and the area under the
# learning curve instead of its last point. benchmarks/sigmoid_slope.py measures them
# on ours; all of its 240 dishes converge.
SIGMOID_SLOPE: dict[str, Any] = PAPER | {
    "n_hidden": 5,
    "n_synthetic": 40,
    "n_batches": 4,
    "task": TeacherTask(),
    "learn_labels": True,
    "init_scale": 2.0,
    "inner_steps": 100,
    "inner_lr": 0.03,
    "statistic": "mean_train",
    "max_iter": 40,
    "outer_lr": 0.1,
    "outer_lr_decay": 0.5,
    "outer_lr_steps": (20,),
    "n_iter_no_change": 10,
}

# The scale of the initial weights decides for which slopes a motif-network learns well.
SIGMOID_SLOPE_BANK: dict[str, dict[str, Any]] = {
    "scale1": {"n_dishes": 4, "init_scale": 1.0},
    "scale2": {"n_dishes": 4, "init_scale": 2.0},
    "scale4": {"n_dishes": 4, "init_scale": 4.0},
}
