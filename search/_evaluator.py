"""The evaluation of one trial, wherever it takes place."""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import BaseTrial, Trial, TrialState

from sk_petridish._compat._optuna import id_of, quietly, storage_of
from sk_petridish.motifs import Motifs, MotifSpace

from ._errors import is_exit_of_a_signal, text_of
from ._lease import lease
from ._reclaim import reclaim
from ._storage_errors import StorageError
from ._study import SearchStudy
from ._subprocess import call_in_subprocess
from ._trial_attributes import write_error

# ``f(row)`` or ``f(row, trial=trial)``; classes of ground truths are callable.
GroundTruthFunction = Callable[..., float]
_logger = logging.getLogger("sk_petridish.search")


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates trials; travels to the workers.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    ground_truth : callable
        ``ground_truth(row, trial)`` or ``ground_truth(row)``.
    storage : optuna.storages.BaseStorage
        Where the study is.
    study_name : str
        Its name.
    pruner : optuna.pruners.BasePruner
        What may end evaluations early.
    timeout : float or None
        Seconds that one may take.
    lease : float
        Seconds after which a worker that was not heard of is dead.
    deadline : float
        When no evaluation is to begin any more, in seconds since the epoch.
    run : str
        Names the run of the search.
    """

    motif_space: MotifSpace
    ground_truth: GroundTruthFunction
    storage: BaseStorage
    study_name: str
    pruner: BasePruner
    timeout: float | None
    lease: float
    deadline: float
    run: str

    def __call__(self, trial_id: int) -> None:
        """Evaluate a waiting trial, unless another worker does."""
        if time.time() >= self.deadline:
            return
        study = self._study()
        if not _begin(study, trial_id):
            return
        try:
            self._evaluate(study, trial_id)
        except optuna.exceptions.UpdateFinishedTrialError:
            # Others have taken this worker for dead: a machine that slept.
            _logger.warning("An evaluation was reclaimed by another worker while it ran.")

    def _evaluate(self, study: optuna.Study, trial_id: int) -> None:
        storage = storage_of(study)
        with lease(storage, trial_id, self.lease, self.run):
            if SearchStudy(study, self.motif_space).fail_duplicate(trial_id):
                return
            trial = Trial(study, trial_id)
            row = self.motif_space.suggest(trial)
            try:
                outcome = outcome_of(partial(self._loss, row, trial))
            except StorageError:  # says nothing about the motif, and takes no word of it either
                raise
            except BaseException:
                reclaim(study, storage.get_trial(trial_id), interrupted=True)
                raise
            if outcome.error is not None:
                _logger.warning("Trial %d failed: %s", trial.number, outcome.error)
                write_error(trial, outcome.error)
        value = outcome.loss if outcome.state == TrialState.COMPLETE else None
        study.tell(trial, value, state=outcome.state, skip_if_finished=True)

    def _loss(self, row: Motifs, trial: Trial) -> float:
        if self.timeout is None:
            return evaluate(self.ground_truth, row, trial)
        call = partial(self._elsewhere, row, id_of(trial))
        loss: float = call_in_subprocess(call, self.timeout)
        return loss

    def _elsewhere(self, row: Motifs, trial_id: int) -> float:
        """Evaluate in a process that must open the study anew."""
        return evaluate(self.ground_truth, row, Trial(self._study(), trial_id))

    def _study(self) -> optuna.Study:
        with quietly():
            return optuna.load_study(
                study_name=self.study_name,
                storage=self.storage,
                sampler=RandomSampler(seed=0),  # never asked
                pruner=self.pruner,
            )


class Outcome(NamedTuple):
    """Outcome of an evaluation: a loss, or of what it has failed."""

    state: TrialState
    loss: float = math.nan
    error: str | None = None


def outcome_of(call: Callable[[], float]) -> Outcome:
    """Return what comes of an evaluation.

    Raises
    ------
    BaseException
        What stops the search: the user, a signal, or a storage that is out of reach.
    """
    try:
        loss = call()
    except optuna.TrialPruned:
        return Outcome(TrialState.PRUNED)
    except (KeyboardInterrupt, StorageError):
        raise
    except BaseException as error:  # scripts exit, and a generator or a task may be closed
        if is_exit_of_a_signal(error):
            raise
        return Outcome(TrialState.FAIL, error=text_of(error))
    if not math.isfinite(loss):
        return Outcome(TrialState.FAIL, error=f"The loss is {loss}.")
    return Outcome(TrialState.COMPLETE, loss)


def evaluate(ground_truth: GroundTruthFunction, row: Motifs, trial: BaseTrial) -> float:
    """Call a ground truth, with the trial if it takes one.

    Raises
    ------
    TypeError
        If it returns anything but one real number.
    """
    row = row.copy()  # its own, to do with what it likes
    value = ground_truth(row, trial=trial) if takes_trial(ground_truth) else ground_truth(row)
    return _number(value)


def _number(value: Any) -> float:
    """Return the loss that a ground truth has returned."""
    try:
        # Also of an array or a tensor with one element.
        number = value.item() if hasattr(value, "item") else value
        # Text that looks like a number is more likely to be a mistake, and of what is masked
        # numpy returns whatever lies below.
        wrong = isinstance(number, str | bytes | bytearray | complex) or np.ma.is_masked(value)
        if not wrong:
            return float(number)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise TypeError(f"The ground truth returned {text_of(value)}, which is not one real number.")


def takes_trial(ground_truth: GroundTruthFunction) -> bool:
    """Return whether a ground truth is to be called with the trial."""
    parameters = inspect.signature(ground_truth).parameters
    return "trial" in parameters or any(
        parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _begin(study: optuna.Study, trial_id: int) -> bool:
    """Set a waiting trial running; return False if somebody else has."""
    try:
        return storage_of(study).set_trial_state_values(trial_id, TrialState.RUNNING)
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
