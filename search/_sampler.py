"""An Optuna sampler that asks a surrogate before it suggests a motif."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, get_args

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import LARGEST_SEED, Implements, MappingOf, integers, reals
from sk_petridish._compat._optuna import has_heartbeat, id_of, storage_of
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.motifs import MotifSpace
from sk_petridish.motifs._distributions import to_python
from sk_petridish.motifs._suggestions import suggested

from ._acquisition import Acquisition
from ._checks import check_ranking
from ._chooser import Chooser, Decision, Ranking
from ._default_surrogate import default_surrogate
from ._family import Family, prefixes_of
from ._schedule import Schedule
from ._trial_attributes import claimed_prefixes, show_prediction, write_told
from .proposers import GeneticAlgorithm, Proposer

_Given = TypeVar("_Given")
# Decisions that are kept in memory.
_MOST_RUNNING = 10_000
_SURROGATE, _PROPOSER = Implements("fit", "predict", "get_params"), Implements("ask")


class PetriDishSampler(BaseSampler):
    """Suggest the motifs that a surrogate predicts to be best.

    For objectives that let ``motif_space.suggest(trial)`` choose a motif. After some random
    trials, and again after every ``refit_every`` results, a surrogate learns from all
    completed trials, a proposer draws candidates, and trials get the best of them that no
    other trial has, the same network in another notation included. Failed, pruned and
    running trials count as evaluated; a trial that a worker has abandoned does not, once
    :func:`reclaim_trials` or the storage's heartbeat has failed it.

    Everything is rebuilt from the study, so that studies can be resumed and have several
    workers.

    Parameters
    ----------
    motif_space : MotifSpace, or dict of str to MotifSpace
        What is searched. Of several spaces, each trial is of the one that it asks for a
        motif. Other parameters of the objective are suggested by ``independent_sampler``.
    surrogate : regressor, or dict of str to regressor, default=None
        Predicts values from motifs. ``None`` is :func:`~sk_petridish.make_surrogate`. Each of
        several spaces has a clone, or that of its name.
    proposer : Proposer, or dict of str to Proposer, default=None
        Draws candidates. ``None`` is a
        :class:`~sk_petridish.search.proposers.GeneticAlgorithm`. Several spaces need one each.
    n_startup_trials : int, default=20
        Completed trials before the surrogate is asked, of each space.
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

    Raises
    ------
    ValueError
        If a parameter cannot be, or does not go together with the motif space.

    See Also
    --------
    PetriDishSearch : Algorithm 1 of the paper, in batches.

    Notes
    -----
    A trial has a motif of the space if it has all of its parameters, with values in the
    space's ranges, and the study does not say that another space has suggested them.
    Others are not learned from: those of another space with the same names, and those in
    which only some of the parameters were suggested. Where the study says nothing, as
    with ``study.ask(space.search_space())``, distributions have to be the space's, and no
    further parameter is numbered like one of it, as those of a larger space are; then
    predictions are shown when a trial has ended. Motifs under different prefixes, see
    :meth:`MotifSpace.suggest <sk_petridish.motifs.MotifSpace.suggest>`, are learned apart;
    in a trial that has several, the attributes are those of the last.

    Parameters that are fixed, by :class:`~optuna.samplers.PartialFixedSampler` or
    ``study.enqueue_trial``, are those of all candidates.

    Trials with a motif get user attributes, which optuna-dashboard shows: ``predicted``, the
    predicted value; ``predicted_rank`` among the candidates, from 1; and
    ``surrogate_kendall_tau``, how well the predictions that were made so far have ordered
    what was then measured. That is between motifs that all were predicted to be good, so
    less than on motifs at random.

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

    One study over two families of networks:

    >>> from sk_petridish.motifs import ConvCell, RecurrentCell
    >>> cells = {"cnn": ConvCell(), "rnn": RecurrentCell(n_nodes=4)}
    >>> study = optuna.create_study(sampler=PetriDishSampler(cells, seed=0))
    >>> def objective(trial):
    ...     family = trial.suggest_categorical("family", ["cnn", "rnn"])
    ...     return float(cells[family].suggest(trial, prefix=f"{family}_").sum())
    >>> study.optimize(objective, n_trials=1)
    >>> sorted(study.best_params)[:2] # doctest: +ELLIPSIS
    ['...']
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace, MappingOf(MotifSpace)],
        "surrogate": [_SURROGATE, MappingOf(_SURROGATE, None), None],
        "proposer": [_PROPOSER, MappingOf(_PROPOSER, None), None],
        "n_startup_trials": [integers(0)],
        "n_candidates": [integers(1)],
        "refit_every": [integers(1)],
        "acquisition": [StrOptions(set(get_args(Acquisition)))],
        "exploration": [reals(0, 1, closed="both")],
        "independent_sampler": [BaseSampler, None],
        "seed": [integers(0, LARGEST_SEED), None],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace | Mapping[str, MotifSpace],
        *,
        surrogate: RegressorMixin | Mapping[str, RegressorMixin] | None = None,
        proposer: Proposer | Mapping[str, Proposer] | None = None,
        n_startup_trials: int = 20,
        n_candidates: int = 100,
        refit_every: int = 10,
        acquisition: Acquisition = "mean",
        exploration: float = 0.0,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.n_startup_trials = n_startup_trials
        self.n_candidates = n_candidates
        self.refit_every = refit_every
        self.acquisition: Acquisition = acquisition
        self.exploration = exploration
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._spaces = dict(motif_space) if isinstance(motif_space, Mapping) else {"": motif_space}
        self._surrogates = {
            name: default_surrogate(self._spaces[name], self.seed) if one is None else one
            for name, one in self._shared_out("surrogate", surrogate).items()
        }
        self._proposers = {
            name: GeneticAlgorithm(self._spaces[name]) if one is None else one
            for name, one in self._shared_out("proposer", proposer).items()
        }
        for name, space in self._spaces.items():
            check_ranking(space, self._surrogates[name], self._proposers[name], acquisition)
        self.independent_sampler = (
            TPESampler(seed=seed) if independent_sampler is None else independent_sampler
        )
        self._reset_caches()

    def _shared_out(
        self, what: str, given: _Given | Mapping[str, _Given] | None
    ) -> dict[str, _Given | None]:
        """Return what each space has: one's own by its name, or the same for all."""
        if not isinstance(given, Mapping):
            return dict.fromkeys(self._spaces, given)
        if given.keys() - self._spaces.keys():
            raise ValueError(
                f"{what} has {sorted(given)}, the spaces are called {sorted(self._spaces)}."
            )
        return {name: given.get(name) for name in self._spaces}

    def _reset_caches(self) -> None:
        """Begin without what can be computed again."""
        self._choosers: dict[tuple[str, str], Chooser] = {}
        # Of running trials: the study has the claims, but reading it takes as long as
        # writing a parameter.
        self._decisions: dict[object, list[Decision]] = {}
        self._warned: set[str] = set()
        # Threads of one worker would fit the same surrogate side by side.
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed again, and the lock."""
        left_out = ("_choosers", "_decisions", "_warned", "_lock")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the sampler."""
        vars(self).update(state)
        self._reset_caches()

    def reseed_rng(self) -> None:
        """Reseed the independent sampler, once in each thread.

        Motifs need none: no two trials get the same.
        """
        self.independent_sampler.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return no parameters: which motif a trial has is known when it asks for one.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            Empty.
        """
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest parameters one after another, those of a motif together.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : optuna.trial.FrozenTrial
            The trial.
        search_space : dict of str to optuna.distributions.BaseDistribution
            The parameters.

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
        return {
            name: self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Suggest a parameter: the motif's share, or that of the independent sampler.

        The first parameter that a trial asks for chooses its motif.

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
        # One thread decides at a time: the others then find its claim, and its fit.
        with self._lock:
            decision = self._decision(study, trial, param_name, param_distribution)
        if decision is None or decision.claim is None:
            return self.independent_sampler.sample_independent(
                study, trial, param_name, param_distribution
            )
        # Where no space has noted that its motif is complete, further parameters may follow.
        if decision.is_noted and decision.is_last(trial, param_name):
            show_prediction(study, trial, decision.claim)
        return to_python(param_distribution, decision.number(param_name))

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
        if trial.state == TrialState.RUNNING and has_heartbeat(storage_of(study)):
            # Optuna fails the trials of dead workers, and does not say why.
            write_told(study, trial, False)

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
        self._decisions.pop(_key(trial), None)
        self._show_at_the_end(study, trial)
        if has_heartbeat(storage_of(study)):
            write_told(study, trial, True)
        self.independent_sampler.after_trial(study, trial, state, values)

    def _show_at_the_end(self, study: Study, trial: FrozenTrial) -> None:
        """Show the prediction where it was not certain before, or warn of another space."""
        # Most trials show it already, so that nothing is read of them again.
        for chooser in () if "predicted" in trial.user_attrs else self._choosers_of(trial):
            if (claim := chooser.shows(trial)) is not None:
                show_prediction(study, trial, claim)
        for prefix in suggested(trial):
            others = [Family(space, prefix).otherwise(trial) for space in self._spaces.values()]
            # Of several spaces one has suggested it.
            if all(others):
                name, ours, theirs = others[0][0]
                self._warn_once(
                    f"Trials have motifs of another space than the sampler's: its {name} is "
                    f"{theirs!r}, not {ours!r}. The surrogate does not suggest them."
                )

    def _decision(
        self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Decision | None:
        """Return what is decided for the motif of a parameter; None where it is of none."""
        decisions = self._decisions.setdefault(_key(trial), [])
        for decision in decisions:
            if decision.is_for(trial, name, distribution):
                return decision
        # As the trial is in the study by now, with the spaces and claims noted there.
        latest = copy.copy(trial)
        latest.system_attrs = storage_of(study).get_trial_system_attrs(id_of(trial))
        chooser = self._chooser(latest, name, distribution)
        if chooser is None:
            return None
        decisions.append(chooser.decide(study, latest))
        # Trials that other processes tell are never popped; their claims are in the study.
        while len(self._decisions) > _MOST_RUNNING:
            self._decisions.pop(next(iter(self._decisions)))
        return decisions[-1]

    def _chooser(
        self, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Chooser | None:
        """Return what chooses the motif that a parameter is of; None where it is of none."""
        for chooser in self._choosers_of(trial):
            family = chooser.family
            if name not in family.distributions:
                continue
            if distribution != family.distributions[name]:
                self._warn_once(
                    f"{name} is asked for in {distribution}, not in the sampler's "
                    f"{family.distributions[name]}: the surrogate does not suggest it."
                )
                continue
            if further := claimed_prefixes(trial) - {family.prefix}:
                self._warn_once(
                    f"A trial has motifs under the prefixes {sorted({family.prefix, *further})}. "
                    "Each is learned by itself from a value that depends on all of them; a "
                    "ProductSpace is learned as one."
                )
            return chooser
        return None

    def _choosers_of(self, trial: FrozenTrial) -> Iterator[Chooser]:
        """Yield what may choose a trial's motif: of each prefix, that of its space."""
        noted = suggested(trial)
        for prefix, identity in noted.items():
            # Of equal spaces the one that is called so.
            for label in sorted(self._spaces, key=lambda label: not prefix.startswith(label)):
                for ours in prefixes_of(self._spaces[label], prefix, identity):
                    yield self._chooser_of(label, ours)
        if not noted:
            # Parameters that the user asks for one by one, or ``study.ask`` does.
            for label in self._spaces:
                for prefix in dict.fromkeys(("", f"{label}_" if label else "")):
                    yield self._chooser_of(label, prefix)

    def _chooser_of(self, label: str, prefix: str) -> Chooser:
        if (label, prefix) not in self._choosers:
            self._choosers[label, prefix] = Chooser(
                Family(self._spaces[label], prefix),
                self._surrogates[label],
                self._proposers[label],
                Ranking(
                    Schedule(self.n_startup_trials, self.refit_every),
                    self.n_candidates,
                    self.acquisition,
                    self.exploration,
                    self.seed,
                ),
            )
        return self._choosers[label, prefix]

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message, stacklevel=2)


def _key(trial: FrozenTrial) -> object:
    """Return what tells trials apart, those of several studies in memory too."""
    return id_of(trial), trial.datetime_start
