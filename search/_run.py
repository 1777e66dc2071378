"""A run of Algorithm 1 on an Optuna study, alone or together with others."""

from __future__ import annotations

import logging
import math
import time
import uuid
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import optuna
from joblib.parallel import get_active_backend
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, TrialState
from sklearn.base import RegressorMixin
from tqdm import tqdm

from sk_petridish._compat._optuna import quietly, storage_of
from sk_petridish.motifs._identity import plain

from ._default_surrogate import default_surrogate
from ._evaluator import Evaluator, evaluate, outcome_of
from ._lease import LeaseWatch
from ._optuna import params_of
from ._patience import PatientStorage, patient_storage
from ._result import best_of
from ._settings import different, settings_of
from ._step import Ranked, fit_surrogate, rank_candidates
from ._study import INITIAL, SearchStudy
from ._subprocess import call_in_subprocess
from ._trial_attributes import read_settings, read_test, write_settings, write_test
from .proposers import RandomSearch

if TYPE_CHECKING:
    from ._search import PetriDishSearch

# How often, in seconds, to look whether other workers are ready.
_POLL = 0.5
# Differences that an error names.
_SHOWN = 6
# For how many leases a storage may be out of reach: a server that restarts may take one.
_LEASES = 2.0
_logger = logging.getLogger("sk_petridish.search")


class SearchRun:
    """A run of a search on its study.

    Parameters
    ----------
    search : PetriDishSearch
        What to do.
    storage : str or optuna.storages.BaseStorage
        Where the study is.
    """

    def __init__(self, search: PetriDishSearch, storage: str | BaseStorage) -> None:
        self.search = search
        self.name = uuid.uuid4().hex
        study = _open_study(search, storage)
        if study.directions != [StudyDirection.MINIMIZE]:
            raise ValueError(f"The study {search.study_name!r} does not minimise one objective.")
        self.study = SearchStudy(study, search.motif_space)
        self.seed = self._check_settings()
        deadline = math.inf if search.timeout is None else time.time() + search.timeout
        self.evaluator = Evaluator(
            motif_space=search.motif_space,
            ground_truth=search.ground_truth,
            storage=storage_of(study),
            study_name=search.study_name,
            pruner=search.pruner,
            timeout=search.evaluation_timeout,
            lease=search.lease,
            deadline=deadline,
            run=self.name,
        )

    def _check_settings(self) -> int:
        """Check that the study is of the same search; return its seed."""
        study, name = self.study.study, self.search.study_name
        ours, theirs = settings_of(self.search), read_settings(self.study.study)
        if theirs is None:
            if ours["random_state"] is None:
                ours["random_state"] = int(np.random.SeedSequence().generate_state(1)[0])
            write_settings(study, ours)
            return int(ours["random_state"])
        if ours["random_state"] is None:  # any seed will do, so that of the study does
            ours["random_state"] = theirs["random_state"]
        if found := different(ours, theirs):
            # A parameter may decide the choices of every column.
            shown = dict(list(found.items())[:_SHOWN])
            more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
            raise ValueError(
                f"The study {name!r} is of a search with other {list(shown)}{more}: "
                f"{[other for _, other in shown.values()]}, not "
                f"{[mine for mine, _ in shown.values()]}. Choose another study_name."
            )
        self.study.check_distributions()
        return int(theirs["random_state"])

    def run(self) -> bool:
        """Run all iterations; return False if time was over before."""
        search = self.search
        initial = search.initial
        unpredicted = np.full(len(initial.y), np.nan)
        self.study.create_trials(INITIAL, Ranked(initial.X, unpredicted), initial.y)
        bests = []
        with tqdm(desc="search", unit="evaluation", disable=not search.verbose) as bar:
            for iteration in range(search.n_iterations + 1):
                # Whoever comes first has chosen: fitting again would cost minutes, and need
                # not choose the same.
                batch = self.study.read_batch(iteration)
                if batch is None:
                    batch = self.study.write_batch(iteration, self._batch(iteration))
                if iteration and not len(batch.X):
                    _logger.info("Nothing new is proposed: the search ends before its time.")
                    break
                self.study.create_trials(iteration, batch)
                if not self._evaluate(iteration, bar):
                    return False
                history = self.study.history(iteration + 1)
                known = history.known().y
                if len(history.y) and not len(known):
                    raise RuntimeError(
                        f"None of the {len(history.y)} evaluations gave a loss. The first error: "
                        f"{self.study.first_error() or 'all were pruned'}"
                    )
                bests.append(known.min(initial=math.inf))
                if self._has_converged(bests):
                    break
        return True

    def _batch(self, iteration: int) -> Ranked:
        """Choose what an iteration evaluates, from what earlier ones have found."""
        search = self.search
        history = self.study.history(iteration)
        # Of the seed and the iteration only: a search that goes on draws what it would have.
        random_state = np.random.RandomState([self.seed, iteration])
        if iteration == 0:
            n_random = max(search.n_init - len(search.initial.y), 0)
            X = RandomSearch(search.motif_space).ask(n_random, history, random_state)
            return Ranked(X, np.full(len(X), np.nan))
        ranks = search.n_candidates > search.n_select
        candidates = rank_candidates(
            fit_surrogate(self._surrogate, history) if ranks else None,
            search.proposer,
            search.motif_space,
            history,
            search.n_candidates,
            acquisition=search.acquisition,
            exploration=search.exploration,
            random_state=random_state,
        )
        return Ranked(*(part[: search.n_select] for part in candidates))

    @cached_property
    def _surrogate(self) -> RegressorMixin:
        if self.search.surrogate is not None:
            return self.search.surrogate
        return default_surrogate(self.search.motif_space, self.seed)

    def _evaluate(self, iteration: int, bar: tqdm[Any]) -> bool:
        """Evaluate a batch, together with other workers; return False if time was over before."""
        search, study = self.search, self.study
        watch = LeaseWatch(search.lease)
        while True:
            study.replace_lost(iteration)
            waiting = study.waiting(iteration)
            self._show(bar)
            # One trial a task, in any order: an evaluation may take a thousand times another's.
            parallel = joblib.Parallel(search.n_jobs, batch_size=1, return_as="generator_unordered")
            try:
                for _ in parallel(joblib.delayed(self.evaluator)(trial_id) for trial_id in waiting):
                    self._show(bar)
            except BrokenProcessPool:
                # An evaluation has killed its process, and others that are not to blame were
                # lost with it. From now on each has a process of its own.
                study.reclaim(run=self.name, interrupted=True)
                self._evaluate_apart()
                continue
            if time.time() >= self.evaluator.deadline:
                return study.n_unfinished(iteration) == 0
            # An evaluator begins every waiting trial unless another has: whatever still waits
            # was begun in a copy of the study.
            if untouched := set(waiting) & set(study.waiting(iteration)):
                raise RuntimeError(
                    f"Workers left {len(untouched)} evaluations undone: their storage is not that "
                    "of the search. Processes need one that they can reach, not in memory."
                )
            if not study.n_unfinished(iteration):
                return True
            # Others evaluate the rest, or have died: then their leases run out.
            if study.reclaim(watch=watch):
                if _is_cluster():  # which goes on without a word when a worker dies
                    self._evaluate_apart()
            elif not study.waiting(iteration):
                time.sleep(_POLL)

    def _evaluate_apart(self) -> None:
        """Run each evaluation in a process of its own from now on, so that only that may die."""
        self.evaluator = replace(self.evaluator, timeout=self.evaluator.timeout or math.inf)

    def _show(self, bar: tqdm[Any]) -> None:
        """Bring the progress bar up to date."""
        if bar.disable:
            return
        done = [one for one in self.study.evaluations() if one.state not in ("waiting", "running")]
        losses = [one.loss for one in done if math.isfinite(one.loss)]
        search = self.search
        bar.total = (
            max(search.n_init, len(search.initial.y)) + search.n_iterations * search.n_select
        )
        bar.n = len(done)
        bar.set_postfix(best=f"{min(losses, default=math.nan):.4g}")

    def _has_converged(self, bests: list[float]) -> bool:
        patience = self.search.n_iter_no_change
        if patience is None or len(bests) <= patience:
            return False
        # Before a first result both are infinite.
        return bests[-1 - patience] <= bests[-1] + self.search.tol

    def test(self) -> float | None:
        """Evaluate the best motif at last, unless that was done before."""
        search = self.search
        if search.test_ground_truth is None:
            return None
        best = best_of(self.study.evaluations())
        if best is None:
            return None
        row = best.motif
        study = self.study.study
        test = plain(search.test_ground_truth)
        loss = read_test(study, row, test)
        if loss is None:
            params = params_of(search.motif_space, row)
            call = partial(evaluate, search.test_ground_truth, row, FixedTrial(params))
            limit = search.evaluation_timeout
            outcome = outcome_of(
                call if limit is None else partial(call_in_subprocess, call, limit)
            )
            if outcome.state != TrialState.COMPLETE:  # the search is not to be lost
                _logger.warning("The final test failed: %s", outcome.error or "it was pruned")
                return None
            loss = outcome.loss
            write_test(study, row, loss, test)
        return loss


def _is_cluster() -> bool:
    """Return whether joblib sends evaluations to a cluster."""
    return hasattr(get_active_backend()[0], "client")


def _open_study(search: PetriDishSearch, storage: str | BaseStorage) -> optuna.Study:
    """Create the study, or load it where there is one."""
    # In memory, and where the user has decided how long to wait, there is nothing to add.
    if not isinstance(storage, InMemoryStorage | PatientStorage):
        storage = patient_storage(storage, patience=_LEASES * search.lease)
    with quietly():
        return optuna.create_study(
            study_name=search.study_name,
            storage=storage,
            sampler=RandomSampler(seed=0),  # never asked
            pruner=search.pruner,
            load_if_exists=True,
        )
