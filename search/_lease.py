"""A worker's promise that it still evaluates a trial."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sk_petridish._compat._optuna import id_of

from ._patience import PatientStorage
from ._trial_attributes import Lease, lease_of, write_lease

# When a lease is renewed, and how long a worker that watches leases may see nothing of the storage
# before it begins anew: shares of a lease, and seconds that a busy machine may take.
_RENEWED, _UNSEEN, _BUSY = 1 / 3, 1 / 6, 2.0
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
    if not isinstance(storage, PatientStorage):  # in memory, which dies with the worker
        yield
        return
    over = threading.Event()

    def write(storage: BaseStorage) -> None:
        # The time of each attempt: the first may be an outage ago.
        write_lease(storage, trial_id, Lease(time.time() + seconds, run))

    def keep() -> None:
        while not over.wait(seconds * _RENEWED):
            try:
                storage.patiently(write)
            except optuna.exceptions.UpdateFinishedTrialError:
                return  # reclaimed, this machine having slept perhaps
            except Exception as error:  # a storage out of reach may come back
                _logger.warning("A lease could not be renewed: %r", error)
        storage.remove_session()  # of this thread, where a storage has one for each

    storage.patiently(write)
    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


class LeaseWatch:
    """Leases of the other workers, as one worker has seen them.

    A lease can also expire because the storage was away, so that nobody could renew it. So one
    counts as expired when this worker, too, has seen it unrenewed for longer than a living
    worker needs, a third of a lease and what an outage may go unseen.

    Parameters
    ----------
    seconds : float
        How long a lease lasts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._unseen = max(seconds * _UNSEEN, _BUSY)
        # When each was seen first, by the trial and the time at which it expires.
        self._seen: dict[tuple[int, float], float] = {}
        self._looked = -math.inf

    def abandoned(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """Return those of some trials, read just now, that run without a valid lease."""
        # Not the time of day: that may jump, and goes on while a machine sleeps.
        now = time.monotonic()
        # This worker has evaluated, or the storage was away.
        if now - self._looked > self._unseen:
            self._seen = {}
        self._looked = now
        ends = {
            (id_of(trial), _end(trial, self.seconds)): trial
            for trial in trials
            if trial.state == TrialState.RUNNING
        }
        self._seen = {key: self._seen.get(key, now) for key in ends}
        long_enough = self.seconds * _RENEWED + self._unseen
        return [
            trial
            for (_, end), trial in ends.items()
            if end < time.time() and now - self._seen[id_of(trial), end] >= long_enough
        ]


def _end(trial: FrozenTrial, seconds: float) -> float:
    """Return when the lease of a running trial expires, in seconds since the epoch."""
    promise = lease_of(trial)
    if promise is not None:
        return promise.until
    # A worker sets a trial running before it writes a lease: it has died in between, or is
    # about to write.
    return math.inf if trial.datetime_start is None else trial.datetime_start.timestamp() + seconds


def is_of_run(trial: FrozenTrial, run: str) -> bool:
    """Return whether a trial was running in a certain run of a search."""
    promise = lease_of(trial)
    return promise is not None and promise.run == run
