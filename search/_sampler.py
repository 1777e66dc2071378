"""An Optuna sampler that asks a surrogate before it suggests a motif."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.base import RegressorMixin

from sk_petridish.metrics import kendall_tau_score
from sk_petridish.motifs import Motifs, MotifSpace

from ._acquisition import Acquisition
from ._default_surrogate import default_surrogate
from ._optuna import loss_of, params_of, row_of_trial
from ._reclaim import is_reclaimed
from ._step import Ranked, check_ranking, fit_surrogate, rank_candidates
from .proposers import GeneticAlgorithm, History, Proposer, RandomSearch

_CLAIM = "sk_petridish:claim"


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
        self._forget()

    def _forget(self) -> None:
        """Begin without what can be computed again."""
        self._keys: dict[bytes, Hashable] = {}
        self._trial_rows: dict[object, Motifs | None] = {}
        self._fitted: tuple[object, RegressorMixin | None] = (None, None)
        self._lists: dict[object, Ranked] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed again, and the lock."""
        left_out = ("_keys", "_trial_rows", "_fitted", "_lists", "_lock")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the sampler."""
        vars(self).update(state)
        self._forget()

    def reseed_rng(self) -> None:
        """Give the independent sampler a seed of its own in each thread.

        Motifs need none: no two trials get the same.
        """
        self.independent_sampler.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Give the motif's parameters.

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
        # What the user has enqueued is not for us to choose.
        fixed = trial.system_attrs.get("fixed_params", {}).keys()
        if ours.items() <= search_space.items() and not fixed & ours.keys():
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
        """Tell the independent sampler that a trial begins.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        """
        self.independent_sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the independent sampler that a trial has ended.

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
        """Choose the best candidate that no other trial has, and say so in the study."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        taken = self._taken(study, trial)
        for rank, row, predicted in self._candidates(study, sign):
            key = self._key(row)
            if key in taken:
                continue
            study._storage.set_trial_system_attr(trial._trial_id, _CLAIM, row.tolist())
            # Whoever has claimed it meanwhile cannot have overlooked this claim, too.
            taken = self._taken(study, trial)
            if key in taken:
                continue
            self._tell(study, trial, sign * predicted, rank)
            return row
        warnings.warn(
            "Every motif of the space seems to have a trial; one is suggested again.", stacklevel=2
        )
        generator = np.random.RandomState([self.seed, trial.number])
        again: Motifs = self.motif_space.sample(1, generator)[0]
        return again

    def _candidates(self, study: Study, sign: float) -> Iterator[tuple[int, Motifs, float]]:
        """Give candidates, best first, and new ones when they are exhausted."""
        block, history = self._learned_from(study, sign)
        draw = 0
        while True:
            candidates = self._ranked(block, draw, history)
            if not len(candidates.X):
                return
            yield from zip(
                range(1, len(candidates.X) + 1), candidates.X, candidates.predicted, strict=True
            )
            draw += 1
            rows = [row for _, row in self._rows(_all_trials(study))]
            unknown = [row for row in rows if not (row == history.X).all(axis=1).any()]
            history = History.of(
                np.reshape([*history.X, *unknown], (-1, history.X.shape[1])),
                np.r_[history.y, np.full(len(unknown), np.nan)],
                np.r_[history.iteration, np.full(len(unknown), block)],
            )

    def _ranked(self, block: int, draw: int, history: History) -> Ranked:
        """Rank the candidates of a draw, once for all trials that follow a fit."""
        known = history.known()
        what = (block, draw, known.X.tobytes(), known.y.tobytes(), len(history.y) if draw else 0)
        if what not in self._lists:
            if draw == 0:
                self._lists.clear()
            self._lists[what] = rank_candidates(
                self._fit(known) if block else None,
                self.proposer if block else RandomSearch(self.motif_space),
                history,
                self.n_candidates,
                acquisition=self.acquisition,
                exploration=self.exploration,
                random_state=np.random.RandomState([self.seed, block, draw]),
            )
        return self._lists[what]

    def _fit(self, known: History) -> RegressorMixin | None:
        what = (known.X.tobytes(), known.y.tobytes())
        if self._fitted[0] != what:
            self._fitted = (what, fit_surrogate(self.surrogate, known))
        return self._fitted[1]

    def _learned_from(self, study: Study, sign: float) -> tuple[int, History]:
        """Count the fits so far, and give what the last one knew.

        It depends on the order in which trials ended, not on when it is asked for, so that
        workers and resumed studies agree.
        """
        ended = [
            trial
            for trial in _all_trials(study)
            if trial.state.is_finished() and not is_reclaimed(trial)
        ]
        ended.sort(key=lambda trial: (trial.datetime_complete, trial.number))
        rows, losses, blocks, n_known = [], [], [], 0
        last = self._last_of_block(
            sum(np.isfinite(loss_of(trial)) for trial, _ in self._rows(ended))
        )
        for trial, row in self._rows(ended):
            if n_known == last:
                break
            rows.append(row)
            losses.append(loss_of(trial, sign))
            blocks.append(self._block(n_known))
            n_known += np.isfinite(losses[-1])
        X = np.reshape(rows, (-1, len(self.motif_space.search_space())))
        return self._block(last), History.of(X, losses, blocks)

    def _block(self, n_known: int) -> int:
        """Count the fits when so many results are known."""
        if n_known < max(self.n_startup_trials, 1):
            return 0
        return 1 + (n_known - self.n_startup_trials) // self.refit_every

    def _last_of_block(self, n_known: int) -> int:
        """Count the results that the last fit knew."""
        block = self._block(n_known)
        if not block:
            return 0
        return max(self.n_startup_trials + (block - 1) * self.refit_every, 1)

    def _rows(self, trials: Sequence[FrozenTrial]) -> Iterator[tuple[FrozenTrial, Motifs]]:
        """Give trials with the motif that each has, leaving out those without one."""
        for trial in trials:
            row = self._row(trial)
            if row is not None:
                yield trial, row

    def _row(self, trial: FrozenTrial) -> Motifs | None:
        if not trial.state.is_finished():
            claimed = trial.system_attrs.get(_CLAIM)
            row = row_of_trial(self.motif_space, trial)
            return np.asarray(claimed) if row is None and claimed is not None else row
        what = (trial._trial_id, trial.datetime_complete)  # of whatever study
        if what not in self._trial_rows:
            self._trial_rows[what] = row_of_trial(self.motif_space, trial)
        return self._trial_rows[what]

    def _taken(self, study: Study, trial: FrozenTrial) -> set[Hashable]:
        """Give the keys of all motifs that other trials have."""
        others = [
            other
            for other in _all_trials(study)
            if other.number != trial.number and not is_reclaimed(other)
        ]
        return {self._key(row) for _, row in self._rows(others)}

    def _key(self, row: Motifs) -> Hashable:
        text = row.tobytes()
        if text not in self._keys:
            (self._keys[text],) = self.motif_space.canonical_keys(row[None])
        return self._keys[text]

    def _tell(self, study: Study, trial: FrozenTrial, predicted: float, rank: int) -> None:
        """Write down what the surrogate thinks, and how well it has done so far."""
        if not np.isfinite(predicted):
            return
        attributes = {"predicted": float(predicted), "predicted_rank": rank}
        pairs = [
            (loss_of(other), other.user_attrs["predicted"])
            for other in _all_trials(study)
            if "predicted" in other.user_attrs and np.isfinite(loss_of(other))
        ]
        if len({value for value, _ in pairs}) > 1:
            values, predictions = zip(*pairs, strict=True)
            attributes["surrogate_kendall_tau"] = kendall_tau_score(values, predictions)
        for name, value in attributes.items():
            study._storage.set_trial_user_attr(trial._trial_id, name, value)


def _all_trials(study: Study) -> list[FrozenTrial]:
    """Give the trials of the whole study, of which Hyperband shows samplers a bracket only.

    Losses of completed trials are comparable, and no bracket is to try another's motifs.
    """
    return study._storage.get_all_trials(study._study_id, deepcopy=False)
