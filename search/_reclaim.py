"""Trials that a dead worker has left running."""

from __future__ import annotations

from datetime import datetime

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sk_petridish._compat._constraints import reals
from sk_petridish._compat._optuna import id_of, storage_of
from sk_petridish._compat._validation import validate_params

from ._trial_attributes import is_untold, why_reclaimed, write_reclaimed

# An evaluation may end with its worker dead this often before its motif is given up.
MAX_ATTEMPTS = 3


@validate_params(study=[Study], older_than=[reals(0, closed="left"), None])
def reclaim_trials(study: Study, *, older_than: float | None = None) -> int:
    """Fail the trials of a study that dead workers have left running.

    Their motifs may be suggested again: that an evaluation did not end says nothing about
    its motif, unless that happens three times. A :class:`PetriDishSearch` does it by itself
    when a lease expires; a study with a :class:`PetriDishSampler` has no leases, since Optuna
    evaluates. Where its storage has a ``heartbeat_interval``, Optuna fails such trials by
    itself, and their motifs come back as well.

    Parameters
    ----------
    study : optuna.study.Study
        The study.
    older_than : float, default=None
        Only trials that began so many seconds ago. ``None`` means all: no other worker may
        be alive.

    Returns
    -------
    int
        How many trials were reclaimed.

    Examples
    --------
    >>> import optuna
    >>> from sk_petridish.search import reclaim_trials
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study()
    >>> _ = study.ask()  # and the worker dies
    >>> reclaim_trials(study)
    1
    >>> study.trials[0].state.name
    'FAIL'
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if older_than is not None:
        # In seconds: no date is so long ago as a large number of them.
        now = datetime.now()
        running = [
            trial
            for trial in running
            if trial.datetime_start is None
            or (now - trial.datetime_start).total_seconds() >= older_than
        ]
    return sum(reclaim(study, trial) for trial in running)


def reclaim(study: Study, trial: FrozenTrial, *, interrupted: bool = False) -> bool:
    """Fail one trial as never evaluated; False if it has ended in the meantime.

    ``interrupted`` says that the user has stopped it, and so that it is not to blame.
    """
    storage, trial_id = storage_of(study), id_of(trial)
    try:
        # The reason comes first: finished trials take no attributes, and one that has failed
        # without a reason would count as evaluated.
        write_reclaimed(storage, trial_id, "interrupted" if interrupted else "lost")
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    return True


def is_reclaimed(trial: FrozenTrial) -> bool:
    """Return whether a trial has failed without being evaluated."""
    # A worker may have told a result after the reason was written: the state decides. Where
    # the storage has a heartbeat, Optuna fails the trials of dead workers without a reason.
    lost = why_reclaimed(trial) is not None or is_untold(trial)
    return trial.state == TrialState.FAIL and lost


def has_lost_its_worker(trial: FrozenTrial) -> bool:
    """Return whether a trial has failed with its worker, perhaps because of itself."""
    return trial.state == TrialState.FAIL and why_reclaimed(trial) == "lost"
