"""What Optuna keeps private, and its talkativeness."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.storages.journal._storage import JournalOperation
from optuna.study import Study
from optuna.study._optimize import _optimize_sequential
from optuna.trial import FrozenTrial, Trial
from sqlalchemy import Engine

__all__ = ["BaseHeartbeat", "BaseJournalFileLock", "JournalOperation"]

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


def study_id_of(study: Study) -> int:
    """Return the number by which a storage knows a study."""
    return study._study_id


def all_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials of the whole study, not to be changed.

    ``study.get_trials`` shows a sampler one bracket only where Hyperband prunes.
    """
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def fixed_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters that a trial was enqueued with."""
    params: dict[str, Any] = trial.system_attrs.get(FIXED_PARAMS, {})
    return params


def read_system_attrs(trial: Trial) -> dict[str, Any]:
    """Return the system attributes of a running trial."""
    return storage_of(trial.study).get_trial_system_attrs(id_of(trial))


def write_system_attr(trial: Trial, key: str, value: Any) -> None:
    """Write a system attribute of a running trial."""
    storage_of(trial.study).set_trial_system_attr(id_of(trial), key, value)


def params_fixed_by(sampler: BaseSampler) -> dict[str, Any]:
    """Return the parameters that :class:`~optuna.samplers.PartialFixedSampler` fixes."""
    fixed: dict[str, Any] = {}
    while isinstance(sampler, PartialFixedSampler):
        # The outer one is asked first.
        fixed = sampler._fixed_params | fixed
        sampler = sampler._base_sampler
    return fixed


def has_heartbeat(storage: BaseStorage) -> bool:
    """Return whether Optuna fails the trials of dead workers by itself."""
    return isinstance(storage, BaseHeartbeat) and is_heartbeat_enabled(storage)


def engine_of(storage: BaseStorage) -> Engine | None:
    """Return what connects a storage with its database, None where it has none."""
    engine = getattr(getattr(storage, "_backend", storage), "engine", None)
    return engine if isinstance(engine, Engine) else None


def journal_of(storage: BaseStorage) -> JournalFileBackend | None:
    """Return the journal of a storage, None where it is in no file."""
    backend = storage._backend if isinstance(storage, JournalStorage) else None
    return backend if isinstance(backend, JournalFileBackend) else None


def path_of(journal: JournalFileBackend) -> str:
    """Return the name of a journal's file."""
    return journal._file_path


def lock_of(journal: JournalFileBackend) -> BaseJournalFileLock:
    """Return the lock under which a journal is written."""
    return journal._lock


def set_lock(journal: JournalFileBackend, lock: BaseJournalFileLock) -> None:
    """Let a journal be written under another lock."""
    journal._lock = lock


def n_trials_left() -> int | None:
    """Return how many trials a ``study.optimize`` that this is called from still has.

    The present one counts. None where there is no such call or number, where several threads
    share it, or where one trial was asked for, a round of a loop of the user's own. Optuna
    tells samplers nothing of it, so that the callers of the caller are looked through.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is _optimize_sequential.__code__:
            known = frame.f_locals
            n_trials, begun = known.get("n_trials"), known.get("i_trial")
            if n_trials in (None, 1) or begun is None:
                return None
            left: int = n_trials - begun + 1
            return left
        frame = frame.f_back
    return None
