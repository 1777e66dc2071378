"""Storages that are waited for while their server restarts or their disk is full."""

from __future__ import annotations

import abc
import functools
import logging
import math
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cloudpickle
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, get_storage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sk_petridish._compat._constraints import reals
from sk_petridish._compat._optuna import BaseHeartbeat, engine_of, journal_of, path_of
from sk_petridish._compat._validation import validate_params

from ._journal import end_half_lines, mend_journal
from ._storage_errors import StorageError, is_unreadable, may_pass, name_of, summary_of

_T = TypeVar("_T")
# Seconds until a storage is tried again: at first, and at most; the latter also as a share of
# the patience, so that it is tried some times before that is over.
_FIRST_PAUSE, _LONGEST_PAUSE, _SHARE = 0.1, 2.0, 1 / 24
# How often to try to open a storage, and seconds between: of two workers that begin at once and
# both create the tables, one fails.
_OPENINGS, _REOPEN = 3, 0.5
_logger = logging.getLogger("sk_petridish.search")


def _forwarding(cls: type[_T]) -> type[_T]:
    """Let a class have all that Optuna's storages can do, done with patience."""
    for name, method in vars(BaseStorage).items():
        if callable(method) and not name.startswith("_") and name not in vars(cls):
            setattr(cls, name, _forwarded(name, method))
    return abc.update_abstractmethods(cls)


def _forwarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def forward(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self.patiently(lambda storage: getattr(storage, name)(*args, **kwargs))

    # Wrapping has copied that the original is abstract.
    vars(forward).pop("__isabstractmethod__", None)
    return forward


@validate_params(storage=[str, BaseStorage], patience=[reals(0, closed="left")])
def patient_storage(storage: str | BaseStorage, *, patience: float = 60.0) -> BaseStorage:
    """Return a storage that is waited for while it is out of reach.

    A server restarts, a disk is full, a file system of the network hangs: what is read and
    written is tried again, with pauses, until the storage answers, so that an evaluation of
    hours is not lost for a minute's outage. A :class:`PetriDishSearch` does so with any storage;
    a study of one's own, with a :class:`PetriDishSampler` for example, gets one from here.

    Parameters
    ----------
    storage : str or optuna.storages.BaseStorage
        The storage, as :func:`optuna.create_study` takes it. A journal that ends in half a
        line is mended before anything is appended to it, see :func:`mend_journal`.
    patience : float, default=60.0
        Seconds that an outage may take.

    Returns
    -------
    optuna.storages.BaseStorage
        The storage. Its methods raise RuntimeError when an outage takes longer; the message
        names the storage, without its password. One that has not answered yet is not waited
        for: its address may be wrong.

    Raises
    ------
    ValueError
        If ``patience`` is negative or NaN.
    RuntimeError
        If the storage cannot be opened.

    See Also
    --------
    mend_journal : Mends journals that cannot be opened any more.

    Notes
    -----
    What a server has written before its answer was lost is written once more. That changes
    nothing, except that a new trial may be there twice; a :class:`PetriDishSearch` does not
    count the second one.

    Examples
    --------
    >>> import optuna
    >>> from sk_petridish.search import patient_storage
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(storage=patient_storage("sqlite://", patience=300))
    >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    >>> len(study.trials)
    3
    """
    # Its methods are Optuna's, and no checker of types sees how they come in.
    return PatientStorage(storage, patience)  # type: ignore[abstract]


@_forwarding
class PatientStorage(BaseStorage, BaseHeartbeat):
    """Another storage, waited for while it is out of reach.

    Parameters
    ----------
    storage : str or optuna.storages.BaseStorage
        The storage.
    patience : float
        Seconds that an outage may take.
    """

    def __init__(self, storage: str | BaseStorage, patience: float) -> None:
        self.patience = patience
        self._outage = _Outage(name_of(storage))
        self._has_answered = False
        self._lock = threading.Lock()
        self._storage: BaseStorage | None = self._open(storage)

    def _open(self, storage: str | BaseStorage, attempts: int = _OPENINGS) -> BaseStorage:
        try:
            opened = get_storage(storage)
            if (journal := journal_of(opened)) is not None:
                end_half_lines(journal)
        except (SQLAlchemyError, StorageInternalError, OSError) as error:
            if attempts > 1 and isinstance(error, DBAPIError):
                time.sleep(_REOPEN)
                return self._open(storage, attempts - 1)
            raise StorageError(
                f"The storage {self._outage.name} cannot be opened: {summary_of(error)}"
            ) from error
        return opened

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to a worker: the storage unopened, since it may be away then."""
        pickled = cloudpickle.dumps(self._reached())
        return {"patience": self.patience, "_name": self._outage.name, "_pickled": pickled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the storage, to be opened when it is needed."""
        self.patience, self._pickled = state["patience"], state["_pickled"]
        self._outage = _Outage(state["_name"])
        self._has_answered = True  # to whoever has sent it
        self._lock = threading.Lock()
        self._storage = None

    def patiently(
        self, call: Callable[[BaseStorage], _T], again: Callable[[BaseStorage], _T] | None = None
    ) -> _T:
        """Call a function with the storage itself until that answers.

        Parameters
        ----------
        call : callable
            The function.
        again : callable, default=None
            What is called instead when the first call may have been done in part.

        Returns
        -------
        object
            What it returns.

        Raises
        ------
        RuntimeError
            If the storage was out of reach for too long.
        """
        again = call if again is None else again
        begun, pause = math.inf, _FIRST_PAUSE
        while True:
            try:
                answer = self._attempt(call, again)
            except Exception as error:
                if not may_pass(error):
                    raise
                begun = min(begun, self._outage.begin(error, self.patience))
                self._wait(error, pause, begun)
            else:
                self._has_answered = True
                self._outage.end()
                return answer
            call, pause = again, min(2 * pause, _LONGEST_PAUSE, self.patience * _SHARE)

    def _attempt(self, call: Callable[[BaseStorage], _T], again: Callable[[BaseStorage], _T]) -> _T:
        """Call a function once, or once more where a journal had to be mended."""
        storage = self._reached()
        try:
            return call(storage)
        except ValueError as error:
            journal = journal_of(storage)
            if journal is None or not is_unreadable(error):
                raise
            mend_journal(journal)
            try:
                return again(storage)
            except ValueError as still:
                if not is_unreadable(still):
                    raise
                raise StorageError(
                    f"The journal {path_of(journal)} cannot be read: {still}"
                ) from still

    def _reached(self) -> BaseStorage:
        """Return the storage, opening it in a worker that it has travelled to."""
        with self._lock:
            if self._storage is None:
                self._storage = self._open(pickle.loads(self._pickled), attempts=1)
            return self._storage

    def _wait(self, error: Exception, pause: float, begun: float) -> None:
        """Wait before the storage is tried again, or raise where that has no use."""
        seconds = time.monotonic() - begun
        name, cause = self._outage.name, summary_of(error)
        if not self._has_answered:
            raise StorageError(f"The storage {name} cannot be reached: {cause}") from error
        if seconds >= self.patience:
            raise StorageError(
                f"The storage {name} has been out of reach for {seconds:.0f} s: {cause}. All "
                "that it has acknowledged is kept: when it is back, run again to go on."
            ) from error
        time.sleep(pause)
        engine = None if self._storage is None else engine_of(self._storage)
        # Connections may be dead without knowing it. A database in memory lives in one.
        if engine is not None and engine.dialect.name != "sqlite":
            engine.dispose()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set the state of a trial; True as well where that was written and the answer lost."""

        def again(storage: BaseStorage) -> bool:
            try:
                return storage.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                trial = storage.get_trial(trial_id)
                theirs = None if trial.values is None else list(trial.values)
                # It was written, and the answer lost.
                if (trial.state, theirs) == (state, None if values is None else list(values)):
                    return True
                raise

        return self.patiently(
            lambda storage: storage.set_trial_state_values(trial_id, state, values), again
        )

    def remove_session(self) -> None:
        """Close what this thread has open."""
        if self._storage is not None:
            self._storage.remove_session()

    def record_heartbeat(self, trial_id: int) -> None:
        """Write that the worker of a trial is alive."""
        self.patiently(lambda storage: _beating(storage).record_heartbeat(trial_id))

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        return self.patiently(lambda storage: _beating(storage)._get_stale_trial_ids(study_id))

    def get_heartbeat_interval(self) -> int | None:
        """Return the seconds between heartbeats, None where there are none."""
        storage = self._reached()
        return storage.get_heartbeat_interval() if isinstance(storage, BaseHeartbeat) else None

    def get_heartbeat_stale_trial_callback(self) -> Callable[[Study, FrozenTrial], None] | None:
        """Return what is called for a trial whose worker is dead."""
        return _beating(self._reached()).get_heartbeat_stale_trial_callback()


def _beating(storage: BaseStorage) -> BaseHeartbeat:
    assert isinstance(storage, BaseHeartbeat)  # Optuna has asked for the interval before
    return storage


class _Outage:
    """The time for which a storage is out of reach, as all threads of a process see it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._since: float | None = None
        self._lock = threading.Lock()

    def begin(self, error: Exception, patience: float) -> float:
        """Return when the outage began; the first thread to notice says so."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
                _logger.warning(
                    "The storage is out of reach: %s (%s). It is tried again for %g s.",
                    self.name,
                    summary_of(error),
                    patience,
                )
            return self._since

    def end(self) -> None:
        """Note that the storage has answered."""
        if self._since is None:  # as nearly always: no lock for that
            return
        with self._lock:
            if self._since is not None:
                seconds = time.monotonic() - self._since
                _logger.warning("The storage is back: %s, after %.1f s.", self.name, seconds)
                self._since = None
