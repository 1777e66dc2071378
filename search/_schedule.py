"""When the surrogate of a study learns, and from which results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from optuna.trial import FrozenTrial

from sk_petridish.motifs import Motifs

from ._optuna import loss_of
from ._reclaim import is_reclaimed
from .proposers import History


class Schedule(NamedTuple):
    """After how many results the surrogate learns.

    Parameters
    ----------
    n_startup : int
        Results before the first fit.
    refit_every : int
        Further results before each of the others.
    """

    n_startup: int
    refit_every: int

    def n_fits(self, n_known: int) -> int:
        """Return the number of fits so far, when so many results are known."""
        # Nothing can be learned from no results, whatever n_startup says.
        if n_known < max(self.n_startup, 1):
            return 0
        return 1 + (n_known - self.n_startup) // self.refit_every

    def n_learned(self, n_known: int) -> int:
        """Return the number of results that the last of these fits knew.

        It is the smallest number with as many fits: ``n_startup + (n_fits - 1) * refit_every``.
        """
        n_fits = self.n_fits(n_known)
        if not n_fits:
            return 0
        return max(self.n_startup + (n_fits - 1) * self.refit_every, 1)


def last_fit(
    trials: Iterable[tuple[FrozenTrial, Motifs]], schedule: Schedule, n_columns: int, sign: float
) -> tuple[int, History]:
    """Return the number of fits so far, and what the last of them knew.

    A function of the trials alone, and of those that had ended then: all workers of a study
    and whoever goes on with it come to the same, however many trials have ended since.

    Parameters
    ----------
    trials : iterable of (FrozenTrial, ndarray of shape (n_columns,))
        Trials of a study in any order, with their motifs.
    schedule : Schedule
        When the surrogate learns.
    n_columns : int
        Columns of a motif.
    sign : float
        -1 where the study maximises, otherwise 1: times the value it is the loss.

    Returns
    -------
    n_fits : int
        Number of fits.
    history : History
        Trials that had ended, in order of their ends, those without a loss too; as their
        iteration the number of fits before the end of each.
    """
    ended = [
        (trial, motif)
        for trial, motif in trials
        if trial.state.is_finished() and not is_reclaimed(trial)
    ]
    # By when they ended and not by number: then what is added later comes last, and the
    # first n results stay the same ones. Numbers decide between equal times.
    ended.sort(key=lambda pair: (pair[0].datetime_complete, pair[0].number))
    n_known = sum(bool(np.isfinite(loss_of(trial))) for trial, _ in ended)
    n_learned = schedule.n_learned(n_known)
    motifs, losses, n_fits, n_seen = [], [], [], 0
    for trial, motif in ended:
        # Failures after the last result came after the fit, too.
        if n_seen == n_learned:
            break
        motifs.append(motif)
        losses.append(loss_of(trial, sign))
        n_fits.append(schedule.n_fits(n_seen))
        n_seen += bool(np.isfinite(losses[-1]))
    X = np.reshape(motifs, (-1, n_columns))
    return schedule.n_fits(n_learned), History.of(X, losses, iteration=n_fits)
