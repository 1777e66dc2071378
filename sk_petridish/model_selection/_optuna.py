"""Optuna's samplers behind scikit-learn's search interface."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import optuna
from joblib import effective_n_jobs
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.trial import Trial, TrialState
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import RandomizedSearchCV
from sklearn.utils import check_random_state

from sk_petridish._compat._optuna import quietly


class OptunaSearchCV(RandomizedSearchCV):
    """Search settings by cross-validation, where Optuna proposes them.

    Like :class:`~sklearn.model_selection.RandomizedSearchCV`, with its parameters,
    attributes and methods, but later settings are drawn knowing the scores of earlier
    ones: by :class:`~optuna.samplers.TPESampler`, in batches as large as keep all jobs busy.
    ``param_distributions`` are Optuna's, or choices. Give ``cv`` an integer
    ``random_state``, since every batch splits anew.

    Attributes
    ----------
    study_ : optuna.study.Study
        The study, a trial a setting. Its value is the mean score; a setting whose score is
        not a number has failed.
    """

    def _run_search(
        self, evaluate_candidates: Callable[..., Mapping[str, Any]], *, callback_ctx: Any = None
    ) -> None:
        """Ask for settings and tell their scores, a batch at a time."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        with nullcontext() if self.verbose else quietly():
            self.study_ = optuna.create_study(direction="maximize", sampler=TPESampler(seed=seed))
        size = math.ceil(effective_n_jobs(self.n_jobs) / self.n_splits_)
        search = callback_ctx.subcontext(
            task_name="search", max_subtasks=math.ceil(self.n_iter / size)
        ).call_on_fit_task_begin(estimator=self)
        failure: ValueError | None = None
        for start in range(0, self.n_iter, size):
            trials = [
                self.study_.ask(as_distributions(self.param_distributions))
                for _ in range(min(size, self.n_iter - start))
            ]
            batch = search.subcontext(
                task_name="batch",
                max_subtasks=len(trials) * self.n_splits_,
                sequential_subtasks=False,
            ).call_on_fit_task_begin(estimator=self)
            settings = [trial.params for trial in trials]
            try:
                self._tell(trials, evaluate_candidates(settings, callback_ctx=batch))
            except ValueError as error:
                # scikit-learn ends a search whose fits all fail; these are but one batch.
                failure = error
                self._tell(trials, None)
            batch.call_on_fit_task_end(estimator=self)
        search.call_on_fit_task_end(estimator=self)
        if failure is not None:
            if not self.study_.get_trials(states=(TrialState.COMPLETE,)):
                raise failure
            warnings.warn(f"Some settings failed. {failure}", FitFailedWarning, stacklevel=3)

    def _tell(self, trials: Sequence[Trial], results: Mapping[str, Any] | None) -> None:
        """Tell the study the scores of the last settings, or that there are none."""
        metric = self.refit if isinstance(self.refit, str) else "score"
        scores = np.full(len(trials), np.nan)
        if results is not None:
            scores = results[f"mean_test_{metric}"][-len(trials) :]
        for trial, score in zip(trials, scores, strict=True):
            if np.isfinite(score):
                self.study_.tell(trial, float(score))
            else:
                self.study_.tell(trial, state=TrialState.FAIL)


def as_distributions(
    ranges: Mapping[str, BaseDistribution | Sequence[Any]],
) -> dict[str, BaseDistribution]:
    """Return every range as Optuna writes it.

    Parameters
    ----------
    ranges : dict of str to optuna distribution or sequence
        Ranges, or choices.

    Returns
    -------
    dict of str to optuna.distributions.BaseDistribution
        The same ranges.
    """
    return {
        name: values
        if isinstance(values, BaseDistribution)
        else CategoricalDistribution(tuple(values))
        for name, values in ranges.items()
    }
