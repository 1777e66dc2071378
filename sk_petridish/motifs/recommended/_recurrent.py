"""Dishes that were measured to suit recurrent cells and graphs."""

from __future__ import annotations

from typing import Any

from sk_petridish.tasks import MemoryTask, TeacherTask

from ._paper import PAPER

# Chosen on the part of NAS-Bench-NLP's table that benchmarks/predictors.py uses, among
# tasks, scales, rates, widths and lengths. What matters most is a task in which the labels
# depend on inputs over time, small initial weights, and the area under the learning curve.
RECURRENT: dict[str, Any] = PAPER | {
    "n_inputs": 16,
    "n_hidden": 8,
    "n_outputs": 16,
    "n_synthetic": 80,
    "n_batches": 10,
    "n_time_steps": 10,
    "task": TeacherTask(dense=True),
    "validation_data": "separate",
    "init": "fan_in",
    "init_scale": 0.5,
    "inner_steps": 100,
    "inner_lr": 0.03,
    "inner_l2": 0.0,
    "inner_loss": "mse",
    "statistic": "mean_train",
    "max_iter": 10,
    "outer_lr": 0.02,
    "outer_lr_decay": 0.5,
    "outer_lr_steps": (),
    "outer_l2": 0.0,
    "n_iter_no_change": 10,
}
# Their means over eight dishes each are what is read: single dishes are noisy.
_EIGHT: dict[str, Any] = {"n_dishes": 8, "dtype": "float32"}
RECURRENT_BANK: dict[str, dict[str, Any]] = {
    "teacher_mse": _EIGHT,
    "teacher_ce": _EIGHT | {"inner_loss": "cross_entropy"},
    "teacher_bce_20": _EIGHT | {"inner_loss": "bce", "n_time_steps": 20},
    "memory_xor": _EIGHT | {"inner_loss": "bce", "task": MemoryTask(lags=(1, 2), xor=True)},
}
