"""What Optuna keeps private, and its talkativeness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

# Key of the system attribute in which Optuna keeps the parameters of an enqueued trial.
FIXED_PARAMS = "fixed_params"


@contextmanager
def quietly() -> Iterator[None]:
    """Let Optuna log warnings only."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def storage_of(study: Study) -> BaseStorage:
    """Return the storage of a study, whose methods are public."""
    return study._storage


def id_of(trial: FrozenTrial | Trial) -> int:
    """Return the number by which a storage knows a trial; ``trial.number`` is the study's."""
    return trial._trial_id


def all_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials of the whole study, not to be changed.

    ``study.get_trials`` shows a sampler one bracket only where Hyperband prunes.
    """
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def fixed_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters that a trial was enqueued with."""
    params: dict[str, Any] = trial.system_attrs.get(FIXED_PARAMS, {})
    return params
