"""Between rows of motifs and Optuna's trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from sk_petridish._compat._optuna import quietly
from sk_petridish.motifs import Motifs, MotifSpace
from sk_petridish.motifs._distributions import to_python


def quiet_study(sampler: BaseSampler) -> optuna.Study:
    """Return a study in memory, created without a message."""
    with quietly():
        return optuna.create_study(sampler=sampler)


def params_of(motif_space: MotifSpace, row: Motifs) -> dict[str, Any]:
    """Return a motif as the parameters of a trial, in Python's own types."""
    distributions = motif_space.search_space()
    return {
        name: to_python(distribution, float(value))
        for (name, distribution), value in zip(distributions.items(), row, strict=True)
    }


def loss_of(trial: FrozenTrial, sign: float = 1.0) -> float:
    """Return the loss of a completed trial, ``sign`` times its value; NaN for others."""
    if trial.state != optuna.trial.TrialState.COMPLETE or trial.value is None:
        return float("nan")
    return sign * trial.value if np.isfinite(trial.value) else float("nan")
