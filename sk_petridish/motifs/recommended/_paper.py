"""Settings and search ranges of the paper: Tables 2 and 4."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sk_petridish.tasks import GaussianTask

# Table 2; the decay after step 20 and every 30 after that is the released
# experiment's. The validation data starts as a copy of the training data, with
# the same labels (section 3.1).
PAPER: dict[str, Any] = {
    "n_inputs": 10,
    "n_hidden": 1,
    "n_outputs": 10,
    "n_synthetic": 10,
    "n_batches": 1,
    "n_time_steps": 10,
    "image_size": 8,
    "task": GaussianTask(),
    "validation_data": "copy",
    "learn_labels": False,
    "init": "normal",
    "init_scale": 1.0,
    "inner_steps": 250,
    "inner_lr": 0.01,
    "inner_l2": 1e-5,
    "inner_optimizer": "adam",
    "inner_loss": "bce",
    "statistic": "final_valid",
    "max_iter": 60,
    "outer_lr": 0.05,
    "outer_lr_decay": 0.4,
    "outer_lr_steps": (20, 50),
    "outer_l2": 1e-5,
    "outer_loss": "mse",
    "n_iter_no_change": 60,
}

# The search ranges of Tables 2 and 4, in which the tables' final settings lie.
FEED_FORWARD_RANGES: dict[str, BaseDistribution] = {
    "n_hidden": CategoricalDistribution((1, 3, 5)),
    "n_synthetic": CategoricalDistribution((10, 20)),
    "inner_lr": FloatDistribution(0.001, 0.01, log=True),
    "inner_l2": FloatDistribution(1e-5, 1e-3, log=True),
    "inner_steps": CategoricalDistribution((200, 250)),
    "outer_lr": FloatDistribution(0.01, 0.05, log=True),
    "outer_lr_decay": FloatDistribution(0.4, 0.8),
    "outer_l2": FloatDistribution(1e-5, 1e-3, log=True),
    "max_iter": CategoricalDistribution((20, 40, 60)),
}
RECURRENT_RANGES: dict[str, BaseDistribution] = FEED_FORWARD_RANGES | {
    "inner_steps": CategoricalDistribution((50, 100)),
    "outer_lr": FloatDistribution(0.01, 2.5, log=True),
    "outer_l2": FloatDistribution(1e-6, 1e-3, log=True),
    "max_iter": CategoricalDistribution((100, 200, 300)),
}

# Table 4, with 200 of its 100 to 300 outer steps. When the rate decays it does not say;
# here it does after each third.
RECURRENT_PAPER: dict[str, Any] = PAPER | {
    "n_hidden": 3,
    "n_synthetic": 20,
    "n_time_steps": 10,
    "inner_steps": 50,
    "max_iter": 200,
    "outer_lr": 2.0,
    "outer_lr_decay": 0.5,
    "outer_lr_steps": (70, 140),
    "outer_l2": 5e-5,
    "n_iter_no_change": 200,
}
