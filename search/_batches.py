"""A search's batches of motifs as the trials of an Optuna study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from sk_petridish.motifs import Motifs, MotifSpace

from ._lease import is_abandoned, is_of_run
from ._optuna import loss_of, params_of, row_of_trial
from ._reclaim import has_lost_its_worker, is_reclaimed, reclaim
from ._step import Ranked
from .proposers import History

# Iteration of results that were known before the search.
GIVEN = -1
# What takes its worker along may do so this often.
_MAX_ATTEMPTS = 3
_BATCH, _PLACE = "sk_petridish:batch", "sk_petridish:place"
_PREDICTED = "sk_petridish:predicted"
_SUPERFLUOUS = "sk_petridish:superfluous"


class Evaluation(NamedTuple):
    """One evaluation of a search.

    Parameters
    ----------
    iteration : int
        The iteration that chose the motif: 0 for the initial motifs, -1 for results that
        were given.
    motif : ndarray of shape (n_features,)
        The motif.
    loss : float
        Its ground-truth loss; NaN where the evaluation failed, was pruned or has not ended.
    predicted : float
        The loss that the surrogate predicted; NaN where it was not asked.
    state : str
        ``"complete"``, ``"pruned"``, ``"fail"``, or ``"running"`` or ``"waiting"`` where the
        search was interrupted.
    """

    iteration: int
    motif: Motifs
    loss: float
    predicted: float
    state: str


def best_of(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """Give the evaluation of smallest loss, the first of them; None where none has a loss."""
    complete = [one for one in evaluations if math.isfinite(one.loss)]
    return min(complete, key=lambda one: one.loss, default=None)


class SearchStudy:
    """Reads and writes a search's batches.

    A batch has places, and each place is a trial: the first that is not superfluous. That
    makes writing it safe to repeat, after a restart and by several workers at once.

    Parameters
    ----------
    study : optuna.study.Study
        The study.
    motif_space : MotifSpace
        What a row means.
    """

    def __init__(self, study: optuna.Study, motif_space: MotifSpace) -> None:
        self.study = study
        self.motif_space = motif_space

    def settle(self, iteration: int, batch: Ranked) -> Ranked:
        """Write down what a batch is to be, so that nobody need choose it again.

        A surrogate without a seed would choose something else, and half of either would be
        evaluated.
        """
        losses = [None if math.isnan(loss) else float(loss) for loss in batch.predicted]
        self.study.set_user_attr(
            f"{_BATCH}:{iteration}", {"X": batch.X.tolist(), "predicted": losses}
        )
        return self.settled(iteration) or batch

    def settled(self, iteration: int) -> Ranked | None:
        """Give what a batch is to be, if that is written down."""
        written = self.study.user_attrs.get(f"{_BATCH}:{iteration}")
        if written is None:
            return None
        X = np.reshape(written["X"], (-1, len(self.motif_space.search_space())))
        return Ranked(X, np.array(written["predicted"], dtype=np.float64))

    def fill(self, iteration: int, batch: Ranked, losses: Motifs | None = None) -> None:
        """Make sure that there is a trial at every place of a batch.

        Parameters
        ----------
        iteration : int
            Which batch.
        batch : Ranked
            Its motifs, in order of their places.
        losses : ndarray of shape (n_motifs,), default=None
            Their losses, where they are known: trials are complete then.
        """
        for place in range(len(batch.X)):
            # Looked at each time: other workers may be writing the same batch.
            if place not in self._places(iteration):
                self._add(iteration, place, batch, losses)

    def _add(self, iteration: int, place: int, batch: Ranked, losses: Motifs | None) -> None:
        params = params_of(self.motif_space, batch.X[place])
        # User attributes are to be looked at; a ground truth may write others of that name.
        system: dict[str, float] = {_BATCH: iteration, _PLACE: place}
        user: dict[str, float] = {"iteration": iteration}
        if math.isfinite(batch.predicted[place]):
            system[_PREDICTED] = float(batch.predicted[place])
            user |= {"predicted": system[_PREDICTED], "predicted_rank": place + 1}
        if losses is not None:
            trial = create_trial(
                params=params,
                distributions=self.motif_space.search_space(),
                value=float(losses[place]),
                system_attrs=system,
                user_attrs=user,
            )
        else:
            trial = create_trial(
                state=TrialState.WAITING,
                system_attrs=system | {"fixed_params": params},
                user_attrs=user,
            )
        self.study.add_trial(trial)

    def refill(self, iteration: int) -> None:
        """Put a new trial in the place of those that dead workers have left."""
        for trial in self._places(iteration).values():
            if is_reclaimed(trial) and self._attempts(trial) < _MAX_ATTEMPTS:
                self.study.add_trial(
                    create_trial(
                        state=TrialState.WAITING,
                        system_attrs={
                            name: trial.system_attrs[name]
                            for name in (_BATCH, _PLACE, _PREDICTED, "fixed_params")
                            if name in trial.system_attrs
                        },
                        user_attrs=trial.user_attrs,
                    )
                )

    def reclaim(
        self, *, run: str | None = None, seconds: float | None = None, interrupted: bool = False
    ) -> int:
        """Fail running trials: of one run, or with expired leases, or all."""
        running = [trial for trial in self._trials() if trial.state == TrialState.RUNNING]
        if run is not None:
            running = [trial for trial in running if is_of_run(trial, run)]
        if seconds is not None:
            running = [trial for trial in running if is_abandoned(trial, seconds)]
        return sum(reclaim(self.study, trial, interrupted=interrupted) for trial in running)

    def waiting(self, iteration: int) -> list[int]:
        """Give the identifiers of a batch's trials that nobody evaluates yet."""
        trials = self._trials(iteration)
        return [trial._trial_id for trial in trials if trial.state == TrialState.WAITING]

    def n_unfinished(self, iteration: int) -> int:
        """Count the places of a batch without a result."""
        return sum(
            not trial.state.is_finished()
            or (is_reclaimed(trial) and self._attempts(trial) < _MAX_ATTEMPTS)
            for trial in self._places(iteration).values()
        )

    def discard(self, trial_id: int) -> bool:
        """Fail a trial if another worker has written the same place of its batch before."""
        storage = self.study._storage
        trial = storage.get_trial(trial_id)
        first = self._places(trial.system_attrs[_BATCH])[trial.system_attrs[_PLACE]]
        if first.number >= trial.number:
            return False
        storage.set_trial_system_attr(trial_id, _SUPERFLUOUS, True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return True

    def history(self, iteration: int) -> History:
        """Give all that iterations before this one have evaluated."""
        before = [one for one in self.evaluations() if one.iteration < iteration]
        X = [one.motif for one in before]
        return History.of(
            np.reshape(X, (-1, len(self.motif_space.search_space()))),
            [one.loss for one in before],
            [one.iteration for one in before],
        )

    def evaluations(self) -> list[Evaluation]:
        """Give all evaluations, in order of iteration and place."""
        found = []
        for (iteration, _), trial in sorted(self._all_places().items()):
            row = row_of_trial(self.motif_space, trial)
            assert row is not None  # its batch has fixed it
            found.append(
                Evaluation(
                    iteration,
                    row,
                    loss_of(trial),
                    trial.system_attrs.get(_PREDICTED, math.nan),
                    trial.state.name.lower(),
                )
            )
        return found

    def errors(self) -> list[str]:
        """Give what evaluations have failed of."""
        return [
            trial.user_attrs["error"] for trial in self._trials() if "error" in trial.user_attrs
        ]

    def _trials(self, iteration: int | None = None) -> Iterator[FrozenTrial]:
        """Give the search's own trials, of one batch or of all."""
        for trial in self.study.get_trials(deepcopy=False):
            attributes = trial.system_attrs
            ours = _PLACE in attributes and _SUPERFLUOUS not in attributes
            if ours and iteration in (None, attributes[_BATCH]):
                yield trial

    def _places(self, iteration: int) -> dict[int, FrozenTrial]:
        """Give the trial that counts at every place of a batch."""
        return {place: trial for (_, place), trial in self._all_places(iteration).items()}

    def _all_places(self, iteration: int | None = None) -> dict[tuple[int, int], FrozenTrial]:
        """Give the trials that count, the first or the last reclaimed, by iteration and place."""
        places: dict[tuple[int, int], FrozenTrial] = {}
        for trial in self._trials(iteration):
            place = trial.system_attrs[_BATCH], trial.system_attrs[_PLACE]
            if place not in places or is_reclaimed(places[place]):
                places[place] = trial
        return places

    def _attempts(self, reclaimed: FrozenTrial) -> int:
        place = reclaimed.system_attrs[_PLACE]
        return sum(
            trial.system_attrs[_PLACE] == place and has_lost_its_worker(trial)
            for trial in self._trials(reclaimed.system_attrs[_BATCH])
        )
