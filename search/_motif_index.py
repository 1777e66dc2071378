"""Motifs of a study's trials, of which every finished one is read once."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from sk_petridish._compat._optuna import id_of
from sk_petridish.metrics import kendall_tau_score
from sk_petridish.motifs import Motifs

from ._claims import Claims
from ._optuna import loss_of
from ._reclaim import MAX_ATTEMPTS, is_reclaimed
from ._schedule import Schedule, last_fit
from ._trial_attributes import shown_prediction
from .proposers import History


class Holder(NamedTuple):
    """A trial that has a motif, or claims it.

    Parameters
    ----------
    number : int
        The trial's.
    motif : ndarray of shape (n_features,)
        The motif.
    key : hashable
        The same for all rows of one network.
    """

    number: int
    motif: Motifs
    key: Hashable


class Fit(NamedTuple):
    """The last fit of a study's surrogate.

    Parameters
    ----------
    number : int
        Fits so far, this one included; 0 before the first.
    history : History
        Trials that had ended before it.
    known : History
        Those of them with a loss.
    key : tuple of int, bytes and bytes
        Its number, and what it knew.
    """

    number: int
    history: History
    known: History
    key: tuple[int, bytes, bytes]


class _Held(NamedTuple):
    """Motif that an unfinished trial has or claims, and its state when it was read."""

    state: TrialState
    holder: Holder | None


class _Ended(NamedTuple):
    """A trial that has ended with a motif, in the order of what a fit knows."""

    completed: datetime
    number: int
    trial: FrozenTrial
    motif: Motifs


class _Mark(NamedTuple):
    """A finished trial by which a study is known again."""

    place: int
    trial_id: int
    completed: datetime | None


class MotifIndex:
    """Motifs that the trials of one study have, and how well they were predicted.

    Finished trials never change, so that a look at a study costs as much as there is new
    in it, however long it has become.

    Parameters
    ----------
    claims : Claims
        Reads trials.
    schedule : Schedule
        When the surrogate learns.
    sign : float
        -1 where the study maximises, otherwise 1: times a value it is the loss.
    """

    def __init__(self, claims: Claims, schedule: Schedule, sign: float) -> None:
        self._claims = claims
        self._schedule = schedule
        self._sign = sign
        self._begin()

    def _begin(self) -> None:
        """Begin with a study of which nothing is read."""
        self.n_known = 0
        self._n_read = 0
        self._mark: _Mark | None = None
        self._held: dict[int, _Held] = {}
        self._evaluated: list[Holder] = []
        self._lost: list[Holder] = []
        self._taken: set[Hashable] = set()
        self._attempts: Counter[Hashable] = Counter()
        self._ended: list[_Ended] = []
        self._measured: list[float] = []
        self._predicted: list[float] = []
        self._fit: Fit | None = None

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Read what is new.

        Parameters
        ----------
        trials : sequence of FrozenTrial
            All trials of the study, in the order of their numbers.
        """
        if not self._goes_on_with(trials):
            self._begin()
        before, self._held = self._held, {}
        for position in itertools.chain(before, range(self._n_read, len(trials))):
            trial = trials[position]
            if trial.state.is_finished():
                self._read(trial)
                self._mark = _mark(position, trials)
            else:
                self._held[position] = self._hold(trial, before.get(position))
        self._n_read = len(trials)

    def _hold(self, trial: FrozenTrial, before: _Held | None) -> _Held:
        """Read a trial that has not finished, unless it has waited since the last look."""
        # Thousands may be enqueued; a running one gets its parameters one after another.
        if before is not None and before.state == trial.state == TrialState.WAITING:
            return before
        return _Held(trial.state, self._holder(trial, self._claims.family.motif_of(trial)))

    def _goes_on_with(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether these are the trials that were read, and perhaps more."""
        if len(trials) < self._n_read:
            return False
        # A deleted study may leave its identifier to another one.
        return self._mark is None or self._mark == _mark(self._mark.place, trials)

    def _read(self, trial: FrozenTrial) -> None:
        """Read a trial that has finished."""
        motif = self._claims.family.motif_of(trial)
        holder = self._holder(trial, motif)
        if holder is None:
            return
        if is_reclaimed(trial):
            self._lost.append(holder)
            self._attempts[holder.key] += 1
            return
        self._evaluated.append(holder)
        self._taken.add(holder.key)
        if motif is not None:
            self._end(trial, motif)

    def _end(self, trial: FrozenTrial, motif: Motifs) -> None:
        """Put a trial that has ended with a motif where it belongs among the others."""
        assert trial.datetime_complete is not None
        # By when they ended and not by number: then what is added later comes last, and the
        # first n results stay the same ones. Numbers decide between equal times.
        ended = _Ended(trial.datetime_complete, trial.number, trial, motif)
        place = bisect.bisect(self._ended, ended[:2], key=lambda one: one[:2])
        self._ended.insert(place, ended)
        # One that has ended before the last fit comes to be seen after it where clocks of
        # machines differ.
        if self._fit is not None and place < len(self._fit.history.y):
            self._fit = None
        value = loss_of(trial)
        if not np.isfinite(value):
            return
        self.n_known += 1
        predicted = self._prediction(trial, motif)
        if predicted is not None:
            self._measured.append(value)
            self._predicted.append(predicted)

    def _holder(self, trial: FrozenTrial, motif: Motifs | None) -> Holder | None:
        """Return what others may not have: the motif of a trial, or that which it claims."""
        # Failed and pruned trials keep theirs, and so does one that has asked for a part of
        # what it claims only, or all would get the same part.
        if motif is None and not self._claims.family.has_all_names(trial):
            claim = self._claims.of(trial)
            motif = None if claim is None else claim.row
        return None if motif is None else Holder(trial.number, motif, self._claims.key(motif))

    def _prediction(self, trial: FrozenTrial, motif: Motifs) -> float | None:
        """Return what was predicted of the motif that a trial has."""
        claim = self._claims.of(trial)
        if claim is None:  # before claims held predictions
            return shown_prediction(trial)
        same = np.array_equal(claim.row, motif) and np.isfinite(claim.predicted)
        return claim.predicted if same else None

    def is_taken(self, key: Hashable, number: int) -> bool:
        """Return whether a trial but that of a certain number has a motif.

        Parameters
        ----------
        key : hashable
            The motif's.
        number : int
            Of the trial that is looking for a motif.

        Returns
        -------
        bool
            Also where a worker has died with the motif, if that was often.
        """
        return (
            key in self._taken
            or self._attempts[key] >= MAX_ATTEMPTS
            or any(holder.key == key for holder in self._other_holders(number))
        )

    def _other_holders(self, number: int) -> Iterator[Holder]:
        """Yield the unfinished trials but one of a certain number that have a motif."""
        for _, holder in self._held.values():
            if holder is not None and holder.number != number:
                yield holder

    def taken(self, number: int) -> list[Motifs]:
        """Return the motifs that trials but that of a certain number have.

        Parameters
        ----------
        number : int
            Of the trial that is looking for a motif.

        Returns
        -------
        list of ndarray of shape (n_features,)
            Motifs, in the order of their trials, and at last those that were given up.
        """
        # What a dead worker had is free again, unless it seems to kill its workers.
        given_up = [one for one in self._lost if self._attempts[one.key] >= MAX_ATTEMPTS]
        others = self._other_holders(number)
        in_order = sorted((*self._evaluated, *others), key=lambda holder: holder.number)
        return [holder.motif for holder in (*in_order, *given_up)]

    def last_fit(self) -> Fit:
        """Return the last fit of the surrogate, as every worker of the study knows it.

        Returns
        -------
        Fit
            The same until the next one is due.
        """
        if self._fit is None or self._fit.number != self._schedule.n_fits(self.n_known):
            n_columns = len(self._claims.family.distributions)
            number, history = last_fit(
                ((one.trial, one.motif) for one in self._ended),
                self._schedule,
                n_columns,
                self._sign,
            )
            known = history.known()
            self._fit = Fit(number, history, known, (number, known.X.tobytes(), known.y.tobytes()))
        return self._fit

    def tau(self) -> float | None:
        """Return how well predictions have ordered what was measured until now.

        Returns
        -------
        float or None
            Kendall's tau; None where it is not defined yet.
        """
        # Kendall's tau needs two different values.
        if len(set(self._measured)) < 2:
            return None
        return kendall_tau_score(self._measured, self._predicted)


def _mark(place: int, trials: Sequence[FrozenTrial]) -> _Mark:
    return _Mark(place, id_of(trials[place]), trials[place].datetime_complete)
