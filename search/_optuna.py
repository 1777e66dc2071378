"""Between rows of motifs and Optuna's trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from sk_petridish._compat._optuna import fixed_params, quietly
from sk_petridish.motifs import Motifs, MotifSpace


def quiet_study(sampler: BaseSampler) -> optuna.Study:
    """Create a study in memory without saying so."""
    with quietly():
        return optuna.create_study(sampler=sampler)


def params_of(motif_space: MotifSpace, row: Motifs) -> dict[str, Any]:
    """Write a motif as the parameters of a trial, in Python's own types."""
    distributions = motif_space.search_space()
    return {
        name: _scalar(distribution, float(value))
        for (name, distribution), value in zip(distributions.items(), row, strict=True)
    }


def _scalar(distribution: BaseDistribution, value: float) -> Any:
    match distribution:
        case CategoricalDistribution(choices=choices):
            # Choices are numbers, but of whatever type the space has given.
            return next(choice for choice in choices if float(choice) == value)  # type: ignore[arg-type]
        case IntDistribution():
            return int(value)
    return value


def row_of(motif_space: MotifSpace, params: Mapping[str, Any]) -> Motifs | None:
    """Read a motif off parameters, or None where some of them are not there."""
    names = motif_space.search_space()
    if not params.keys() >= names.keys():
        return None
    row: Motifs = motif_space.repair([[float(params[name]) for name in names]])[0]
    return row


def row_of_trial(motif_space: MotifSpace, trial: FrozenTrial) -> Motifs | None:
    """Read the motif of a trial, which may not have been suggested yet."""
    row = row_of(motif_space, trial.params)
    return row_of(motif_space, fixed_params(trial)) if row is None else row


def loss_of(trial: FrozenTrial, sign: float = 1.0) -> float:
    """Give the loss of a completed trial, ``sign`` times its value; NaN for others."""
    if trial.state != optuna.trial.TrialState.COMPLETE or trial.value is None:
        return float("nan")
    return sign * trial.value if np.isfinite(trial.value) else float("nan")
