"""A worker's promise that it still evaluates a trial."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from ._trial_attributes import Lease, lease_of, write_lease

_logger = logging.getLogger("sk_petridish.search")


@contextmanager
def lease(storage: BaseStorage, trial_id: int, seconds: float, run: str) -> Iterator[None]:
    """Renew the lease of a trial, three times as often as it expires.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        Where the trial is.
    trial_id : int
        The trial.
    seconds : float
        How long a lease lasts.
    run : str
        Names the run of the search that evaluates.
    """
    if isinstance(storage, InMemoryStorage):  # which dies with the worker
        yield
        return
    over = threading.Event()

    def renew() -> None:
        write_lease(storage, trial_id, Lease(time.time() + seconds, run))

    def keep() -> None:
        while not over.wait(seconds / 3):
            try:
                renew()
            except optuna.exceptions.UpdateFinishedTrialError:
                return  # reclaimed, this machine having slept perhaps
            except Exception as error:  # a storage out of reach may come back
                _logger.warning("A lease could not be renewed: %r", error)
        storage.remove_session()  # of this thread, where a storage has one for each

    renew()
    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def is_abandoned(trial: FrozenTrial, seconds: float) -> bool:
    """Return whether a trial runs without a valid lease."""
    if trial.state != TrialState.RUNNING:
        return False
    promise = lease_of(trial)
    if promise is not None:
        return promise.until < time.time()
    # A worker sets a trial running before it writes a lease: it has died in between, or is
    # about to write.
    return trial.datetime_start is not None and (
        trial.datetime_start.timestamp() + seconds < time.time()
    )


def is_of_run(trial: FrozenTrial, run: str) -> bool:
    """Return whether a trial was running in a certain run of a search."""
    promise = lease_of(trial)
    return promise is not None and promise.run == run
