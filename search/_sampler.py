"""An Optuna sampler that asks a surrogate before it suggests a motif."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.base import RegressorMixin

from sk_petridish._compat._optuna import all_trials, fixed_params
from sk_petridish.metrics import kendall_tau_score
from sk_petridish.motifs import Motifs, MotifSpace

from ._acquisition import Acquisition
from ._claims import Claims
from ._default_surrogate import default_surrogate
from ._optuna import loss_of, params_of
from ._schedule import Schedule, last_fit
from ._step import Ranked, check_ranking, fit_surrogate, rank_candidates
from ._trial_attributes import shown_prediction, write_shown_prediction
from .proposers import GeneticAlgorithm, History, Proposer, RandomSearch


class PetriDishSampler(BaseSampler):
    """Suggest the motifs that a surrogate predicts to be best.

    For objectives that let ``motif_space.suggest(trial)`` choose a motif. After some random
    trials, and again after every ``refit_every`` results, a surrogate learns from all
    completed trials, a proposer draws candidates, and trials get the best of them that no
    other trial has, the same network in another notation included. Failed, pruned and
    running trials count as evaluated; a trial that a worker has abandoned does not, once
    :func:`reclaim_trials` has failed it.

    Everything is rebuilt from the study, so that studies can be resumed and have several
    workers.

    Parameters
    ----------
    motif_space : MotifSpace
        What is searched. Other parameters of the objective are suggested by
        ``independent_sampler``.
    surrogate : regressor, default=None
        Predicts values from motifs. ``None`` is :func:`~sk_petridish.make_surrogate`.
    proposer : Proposer, default=None
        Draws candidates. ``None`` is a
        :class:`~sk_petridish.search.proposers.GeneticAlgorithm`.
    n_startup_trials : int, default=20
        Completed trials before the surrogate is asked.
    n_candidates : int, default=100
        Candidates that are ranked after each fit.
    refit_every : int, default=10
        New results after which the surrogate learns again.
    acquisition : {"mean", "lower_confidence_bound", "expected_improvement"}, default="mean"
        By what candidates are ranked: the prediction, one standard deviation below it, or
        the expected improvement. The latter two need a surrogate with
        ``predict(X, return_std=True)``.
    exploration : float, default=0.0
        Share of suggestions that are any candidate, not the best one.
    independent_sampler : optuna.samplers.BaseSampler, default=None
        For parameters that are not the motif's. ``None`` is
        :class:`~optuna.samplers.TPESampler`.
    seed : int, default=None
        Determines candidates and the default surrogate.

    See Also
    --------
    PetriDishSearch : Algorithm 1 of the paper, in batches.

    Notes
    -----
    Trials get user attributes, which optuna-dashboard shows: ``predicted``, the predicted
    value; ``predicted_rank`` among the candidates, from 1; and ``surrogate_kendall_tau``,
    how well the predictions that were made so far have ordered what was then measured.
    That is between motifs that all were predicted to be good, so less than on motifs at
    random.

    Two workers may choose a motif in the same instant. Each writes down what it has chosen
    and then looks whether another has written the same: if so, it chooses again.

    Examples
    --------
    >>> import optuna
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> from sk_petridish.search import PetriDishSampler
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> space = SigmoidSlope()
    >>> surrogate = PetriDishRegressor(n_dishes=2, max_iter=2, max_outer_loss=4, random_state=0)
    >>> sampler = PetriDishSampler(space, surrogate=surrogate, n_startup_trials=6, seed=0)
    >>> study = optuna.create_study(sampler=sampler)
    >>> study.optimize(lambda trial: abs(space.suggest(trial)[0] - 0.3), n_trials=8)
    >>> sorted(study.trials[-1].user_attrs)
    ['predicted', 'predicted_rank']
    """

    def __init__(
        self,
        motif_space: MotifSpace,
        *,
        surrogate: RegressorMixin | None = None,
        proposer: Proposer | None = None,
        n_startup_trials: int = 20,
        n_candidates: int = 100,
        refit_every: int = 10,
        acquisition: Acquisition = "mean",
        exploration: float = 0.0,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        check_ranking(acquisition, exploration)
        if n_candidates < 1 or refit_every < 1 or n_startup_trials < 0:
            raise ValueError(
                "n_candidates and refit_every must be at least 1, n_startup_trials at least 0; "
                f"got {n_candidates}, {refit_every} and {n_startup_trials}."
            )
        self.motif_space = motif_space
        self.n_startup_trials = n_startup_trials
        self.n_candidates = n_candidates
        self.refit_every = refit_every
        self.acquisition: Acquisition = acquisition
        self.exploration = exploration
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self.surrogate = (
            default_surrogate(motif_space, self.seed) if surrogate is None else surrogate
        )
        self.proposer = GeneticAlgorithm(motif_space) if proposer is None else proposer
        self.independent_sampler = (
            TPESampler(seed=seed) if independent_sampler is None else independent_sampler
        )
        self._reset_caches()

    def _reset_caches(self) -> None:
        """Begin without what can be computed again."""
        self._claims = Claims(self.motif_space)
        # Of the last fit only: one takes minutes, and serves all trials until the next.
        self._fitted: tuple[object, RegressorMixin | None] = (None, None)
        self._lists: dict[object, Ranked] = {}
        # Threads of one worker would fit the same surrogate side by side.
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed again, and the lock."""
        left_out = ("_claims", "_fitted", "_lists", "_lock")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the sampler."""
        vars(self).update(state)
        self._reset_caches()

    @property
    def _schedule(self) -> Schedule:
        return Schedule(self.n_startup_trials, self.refit_every)

    def reseed_rng(self) -> None:
        """Reseed the independent sampler, once in each thread.

        Motifs need none: no two trials get the same.
        """
        self.independent_sampler.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the motif's parameters.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            The motif space's distributions.
        """
        return self.motif_space.search_space()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest a motif.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        search_space : dict of str to optuna.distributions.BaseDistribution
            The parameters; those that are not the motif's go to the independent sampler.

        Returns
        -------
        dict
            Values by parameters.

        Raises
        ------
        ValueError
            If the study has several objectives.
        """
        self._raise_error_if_multi_objective(study)
        ours = self.motif_space.search_space()
        params = {}
        # What the user has enqueued is not for us to choose, and a part of a motif is none: then
        # each parameter is suggested by itself.
        fixed = fixed_params(trial).keys()
        if ours.items() <= search_space.items() and not fixed & ours.keys():
            # One thread decides at a time: the others then find its claim, and its fit.
            with self._lock:
                params = params_of(self.motif_space, self._suggest(study, trial))
        for name in search_space.keys() - params.keys() - fixed:
            params[name] = self.sample_independent(study, trial, name, search_space[name])
        return params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Suggest a parameter that is not the motif's.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        param_name : str
            The parameter.
        param_distribution : optuna.distributions.BaseDistribution
            Its distribution.

        Returns
        -------
        object
            A value.

        Raises
        ------
        ValueError
            If the study has several objectives.
        """
        self._raise_error_if_multi_objective(study)
        return self.independent_sampler.sample_independent(
            study, trial, param_name, param_distribution
        )

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on to the independent sampler that a trial begins.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        """
        # Samplers with a population write it down here.
        self.independent_sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass on to the independent sampler that a trial has ended.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        state : optuna.trial.TrialState
            How it ended.
        values : sequence of float or None
            Its value.
        """
        self.independent_sampler.after_trial(study, trial, state, values)

    def _suggest(self, study: Study, trial: FrozenTrial) -> Motifs:
        """Choose the best candidate that no other trial has, and claim it in the study."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        # One look at the study serves all of a decision, but for those after each claim.
        seen = _Seen(all_trials(study))
        taken = self._claims.taken(seen.trials, trial)
        for rank, motif, predicted in self._candidates(seen, sign):
            key = self._claims.key(motif)
            if key in taken:
                continue
            seen.trials = self._claims.claim(study, trial, motif)
            # Whoever has claimed it meanwhile cannot have overlooked this claim, too.
            taken = self._claims.taken(seen.trials, trial)
            if key in taken:
                continue
            self._record_prediction(study, trial, seen.trials, sign * predicted, rank)
            return motif
        warnings.warn(
            "Every motif of the space seems to have a trial; one is suggested again.", stacklevel=2
        )
        generator = np.random.RandomState([self.seed, trial.number])
        again: Motifs = self.motif_space.sample(1, generator)[0]
        return again

    def _candidates(self, seen: _Seen, sign: float) -> Iterator[tuple[int, Motifs, float]]:
        """Yield candidates with ranks and predictions, and new ones when they are exhausted."""
        n_columns = len(self.motif_space.search_space())
        with_motifs = self._claims.with_motifs(seen.trials)
        n_fits, history = last_fit(with_motifs, self._schedule, n_columns, sign)
        for draw in itertools.count():
            candidates = self._ranked(n_fits, draw, history)
            if not len(candidates.X):
                return
            ranks = range(1, len(candidates.X) + 1)
            yield from zip(ranks, candidates.X, candidates.predicted, strict=True)
            # All of them are taken. What the fit did not know is not to be proposed again,
            # and counts as chosen after it.
            motifs = [motif for _, motif in self._claims.with_motifs(seen.trials)]
            new = [motif for motif in motifs if not (motif == history.X).all(axis=1).any()]
            history = History.of(
                np.reshape([*history.X, *new], (-1, n_columns)),
                np.r_[history.y, np.full(len(new), np.nan)],
                iteration=np.r_[history.iteration, np.full(len(new), n_fits)],
            )

    def _ranked(self, n_fits: int, draw: int, history: History) -> Ranked:
        """Rank the candidates of a draw, once for all trials that follow a fit."""
        known = history.known()
        # The first draw depends on what the fit knew only, so that all workers of a study
        # rank the same; further ones on what has a trial by now, too.
        n_told = len(history.y) if draw else 0
        key = (n_fits, draw, known.X.tobytes(), known.y.tobytes(), n_told)
        if key not in self._lists:
            if draw == 0:
                self._lists.clear()  # of the fit before
            self._lists[key] = rank_candidates(
                self._fit(known) if n_fits else None,
                self.proposer if n_fits else RandomSearch(self.motif_space),
                history,
                self.n_candidates,
                acquisition=self.acquisition,
                exploration=self.exploration,
                # No state that moves on: a resumed study draws what it would have drawn.
                random_state=np.random.RandomState([self.seed, n_fits, draw]),
            )
        return self._lists[key]

    def _fit(self, known: History) -> RegressorMixin | None:
        """Fit the surrogate, unless it has learned from the same results last time."""
        # By what was learned from and not by number: a sampler may serve several studies.
        key = (known.X.tobytes(), known.y.tobytes())
        if self._fitted[0] != key:
            self._fitted = (key, fit_surrogate(self.surrogate, known))
        return self._fitted[1]

    def _record_prediction(
        self,
        study: Study,
        trial: FrozenTrial,
        trials: Sequence[FrozenTrial],
        predicted: float,
        rank: int,
    ) -> None:
        """Show in the study what is predicted, and how good predictions have been so far."""
        if not np.isfinite(predicted):
            return
        pairs = [
            (loss_of(other), shown)
            for other in trials
            if (shown := shown_prediction(other)) is not None and np.isfinite(loss_of(other))
        ]
        tau = None
        # Kendall's tau needs two different values.
        if len({value for value, _ in pairs}) > 1:
            tau = kendall_tau_score(*zip(*pairs, strict=True))
        write_shown_prediction(study, trial, predicted, rank, tau)


@dataclass
class _Seen:
    """The trials of a study when it was last looked at."""

    trials: list[FrozenTrial]
