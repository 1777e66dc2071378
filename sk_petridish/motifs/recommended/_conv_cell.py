"""Dishes that were measured to suit convolutional cells."""

from __future__ import annotations

from typing import Any

from sk_petridish.tasks import GaussianTask, TeacherTask

from ._paper import PAPER

# Images of white noise with a label at every position, to be memorised; classifying whole
# images would reward pooling, which real networks do not.
CONV: dict[str, Any] = PAPER | {
    "n_inputs": 3,
    "n_hidden": 6,
    "n_outputs": 4,
    "n_synthetic": 24,
    "n_batches": 3,
    "image_size": 8,
    "task": GaussianTask(dense=True),
    "validation_data": "separate",
    "init": "fan_in",
    "init_scale": 2**0.5,
    "inner_steps": 100,
    "inner_lr": 0.03,
    "inner_l2": 0.0,
    "inner_loss": "cross_entropy",
    "statistic": "mean_train",
    "max_iter": 6,
    "outer_lr": 0.02,
    "outer_lr_decay": 0.5,
    "outer_lr_steps": (),
    "outer_l2": 0.0,
    "n_iter_no_change": 6,
}
_SINGLE: dict[str, Any] = {"n_dishes": 1, "dtype": "float32"}
CONV_BANK: dict[str, dict[str, Any]] = {
    "noise": _SINGLE,
    "teacher": _SINGLE | {"task": TeacherTask(dense=True)},
    "image_labels": _SINGLE | {"task": GaussianTask()},
}
# Nothing is trained, so that wider networks and more dishes cost little.
CONV_ZERO_COST: dict[str, Any] = {"n_dishes": 4, "n_hidden": 16, "dtype": "float32"}
