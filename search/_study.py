"""A search's batches of motifs as the trials of an Optuna study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sk_petridish._compat._optuna import id_of, storage_of
from sk_petridish.motifs import Motifs, MotifSpace
from sk_petridish.motifs._distributions import widened

from ._acquisition import Losses
from ._family import Family
from ._lease import LeaseWatch, is_of_run
from ._optuna import loss_of, params_of
from ._reclaim import MAX_ATTEMPTS, has_lost_its_worker, is_reclaimed, reclaim
from ._result import Evaluation
from ._step import Ranked
from ._trial_attributes import (
    Slot,
    error_of,
    inherited_attributes,
    mark_superfluous,
    prediction_of,
    read_batch,
    slot_attributes,
    slot_of,
    write_batch,
)
from .proposers import History

# Iteration of results that were known before the search.
INITIAL = -1


class SearchStudy:
    """Reads and writes a search's batches.

    A batch has slots, and each slot a trial: the first that is neither superfluous nor
    reclaimed. That makes writing a batch safe to repeat, after a
    restart and by several workers at once. ``_trial_attributes`` draws a trial's life.

    Parameters
    ----------
    study : optuna.study.Study
        The study.
    motif_space : MotifSpace
        Meaning of a row.
    """

    def __init__(self, study: optuna.Study, motif_space: MotifSpace) -> None:
        self.study = study
        self.motif_space = motif_space
        self._family = Family(motif_space)
        self._rows: dict[int, Motifs] = {}

    def check_distributions(self) -> None:
        """Raise ValueError if batches have evaluated motifs of another range.

        Studies of earlier versions say in their trials only what was searched.
        """
        ours = self._family.distributions
        for trial, slot in self._trials():
            if slot.iteration == INITIAL:  # what was known before may lie outside of the range
                continue
            # Parameters are written one after the other, so that a trial that is running, or
            # was when its worker died, may have some of them.
            all_there = trial.state == TrialState.COMPLETE
            for name in ours | trial.distributions if all_there else trial.distributions:
                theirs = trial.distributions.get(name)
                if theirs != ours.get(name):
                    raise ValueError(
                        f"Trial {trial.number} of the study {self.study.study_name!r} has {name} "
                        f"from {theirs}, not {ours.get(name)}. Choose another study_name."
                    )

    def write_batch(self, iteration: int, batch: Ranked) -> Ranked:
        """Write down what a batch is to be, and return what is then written.

        A surrogate without a seed would choose something else the next time, and half of
        either would be evaluated.
        """
        write_batch(self.study, iteration, batch)
        # Read again: what another worker has written since is taken over.
        return self.read_batch(iteration) or batch

    def read_batch(self, iteration: int) -> Ranked | None:
        """Return what a batch is to be, if that is written down."""
        return read_batch(self.study, iteration, len(self.motif_space.search_space()))

    def create_trials(self, iteration: int, batch: Ranked, losses: Losses | None = None) -> None:
        """Create a trial in every slot of a batch that has none.

        Parameters
        ----------
        iteration : int
            Number of the batch.
        batch : Ranked
            Its motifs, in order of their slots.
        losses : ndarray of shape (n_motifs,), default=None
            Their losses, where they are known: trials are complete then.
        """
        # Read once. Another worker may fill the same slots meanwhile; whichever trial has the
        # larger number is then superfluous, and ``fail_duplicate`` ends it unevaluated.
        taken = self._batch_trials(iteration)
        for number in range(len(batch.X)):
            if number not in taken:
                self._create(Slot(iteration, number), batch, losses)

    def _create(self, slot: Slot, batch: Ranked, losses: Losses | None) -> None:
        """Add a trial: a complete one where losses are known, else one that waits."""
        params = params_of(self.motif_space, batch.X[slot.number])
        predicted = float(batch.predicted[slot.number])
        if losses is not None:
            system, user = slot_attributes(slot, predicted)
            trial = create_trial(
                params=params,
                distributions=self._wide_enough(params),
                value=float(losses[slot.number]),
                system_attrs=system,
                user_attrs=user,
            )
        else:
            # Waiting trials have no parameters yet; suggesting them takes the fixed ones.
            system, user = slot_attributes(slot, predicted, fixed=params)
            trial = create_trial(state=TrialState.WAITING, system_attrs=system, user_attrs=user)
        self.study.add_trial(trial)

    def _wide_enough(self, params: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        """Return distributions of the space that hold numbers beyond its ranges, too."""
        return {
            name: widened(distribution, params[name])
            for name, distribution in self._family.distributions.items()
        }

    def replace_lost(self, iteration: int) -> None:
        """Create a new trial for each one that a dead worker has left in its slot."""
        for trial in self._batch_trials(iteration).values():
            if self._is_to_be_replaced(trial):
                self.study.add_trial(
                    create_trial(
                        state=TrialState.WAITING,
                        system_attrs=inherited_attributes(trial),
                        user_attrs=trial.user_attrs,
                    )
                )

    def reclaim(
        self, *, run: str | None = None, watch: LeaseWatch | None = None, interrupted: bool = False
    ) -> int:
        """Fail running trials: of one run, or with expired leases, or all."""
        running = [trial for trial, _ in self._trials() if trial.state == TrialState.RUNNING]
        if run is not None:
            running = [trial for trial in running if is_of_run(trial, run)]
        if watch is not None:
            running = watch.abandoned(running)
        return sum(reclaim(self.study, trial, interrupted=interrupted) for trial in running)

    def waiting(self, iteration: int) -> list[int]:
        """Return the identifiers of a batch's trials that nobody evaluates yet."""
        # Duplicates are among them: who evaluates one finds out, and fails it.
        trials = self._trials(iteration)
        return [id_of(trial) for trial, _ in trials if trial.state == TrialState.WAITING]

    def n_unfinished(self, iteration: int) -> int:
        """Count the slots of a batch without a result."""
        return sum(
            not trial.state.is_finished() or self._is_to_be_replaced(trial)
            for trial in self._batch_trials(iteration).values()
        )

    def fail_duplicate(self, trial_id: int) -> bool:
        """Fail a trial if another worker has filled its slot before; return whether it was so."""
        storage = storage_of(self.study)
        trial = storage.get_trial(trial_id)
        slot = slot_of(trial)
        assert slot is not None  # it was waiting in a batch
        # Numbers are in one order for all workers, so that they agree on which is first.
        if self._slots(slot.iteration)[slot].number >= trial.number:
            return False
        mark_superfluous(storage, trial_id)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return True

    def history(self, iteration: int) -> History:
        """Return all that iterations before this one have evaluated."""
        before = [one for one in self.evaluations() if one.iteration < iteration]
        X = [one.motif for one in before]
        return History.of(
            np.reshape(X, (-1, len(self.motif_space.search_space()))),
            [one.loss for one in before],
            [one.iteration for one in before],
        )

    def evaluations(self) -> list[Evaluation]:
        """Return all evaluations, in order of iteration and slot."""
        found = []
        # By slot and not by trial number: the order must not tell who was faster.
        for slot, trial in sorted(self._slots().items()):
            row = self._row(trial)
            predicted, state = prediction_of(trial), trial.state.name.lower()
            found.append(Evaluation(slot.iteration, row, loss_of(trial), predicted, state))
        return found

    def _row(self, trial: FrozenTrial) -> Motifs:
        """Return the motif of a trial, read once where that does not change any more."""
        known = self._rows.get(id_of(trial))
        if known is not None:
            return known
        # No doubt whose it is: the search's own settings were compared.
        row = self._family.row_of(trial)
        assert row is not None  # its batch has fixed it
        if trial.state.is_finished():
            self._rows[id_of(trial)] = row
        return row

    def first_error(self) -> str | None:
        """Return of what the first evaluation that failed has failed."""
        errors = (error_of(trial) for trial, _ in self._trials())
        return next((error for error in errors if error is not None), None)

    def _trials(self, iteration: int | None = None) -> Iterator[tuple[FrozenTrial, Slot]]:
        """Yield the search's own trials with their slots, of one batch or of all."""
        for trial in self.study.get_trials(deepcopy=False):
            slot = slot_of(trial)
            if slot is not None and iteration in (None, slot.iteration):
                yield trial, slot

    def _batch_trials(self, iteration: int) -> dict[int, FrozenTrial]:
        """Return the trial that counts by the number of each slot of a batch."""
        return {slot.number: trial for slot, trial in self._slots(iteration).items()}

    def _slots(self, iteration: int | None = None) -> dict[Slot, FrozenTrial]:
        """Return the trial that counts in each slot, of one batch or of all."""
        slots: dict[Slot, FrozenTrial] = {}
        for trial, slot in self._trials(iteration):
            if slot not in slots or is_reclaimed(slots[slot]):
                slots[slot] = trial
        return slots

    def _is_to_be_replaced(self, trial: FrozenTrial) -> bool:
        """Return whether a trial was reclaimed, and its motif is not given up yet."""
        return is_reclaimed(trial) and self._n_lost(trial) < MAX_ATTEMPTS

    def _n_lost(self, trial: FrozenTrial) -> int:
        """Count the workers that have died with the slot of a trial."""
        ours = slot_of(trial)
        # Interruptions by the user do not count: the motif is not to blame.
        return sum(slot == ours and has_lost_its_worker(other) for other, slot in self._trials())
