"""How the trials of one family get their motifs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from sklearn.base import RegressorMixin

from sk_petridish._compat._optuna import (
    all_trials,
    fixed_params,
    n_trials_left,
    params_fixed_by,
    storage_of,
)
from sk_petridish.motifs import Motifs

from ._acquisition import Acquisition
from ._claims import Claims
from ._family import Family
from ._motif_index import Fit, MotifIndex
from ._schedule import Schedule
from ._step import Ranked, fit_surrogate, rank_candidates
from ._trial_attributes import Claim
from .proposers import History, Proposer, RandomSearch
from .proposers._unseen import with_fixed_columns

Fixed = Mapping[int, float]


class Ranking(NamedTuple):
    """How candidates are drawn and ranked: parameters of a :class:`PetriDishSampler`."""

    schedule: Schedule
    n_candidates: int
    acquisition: Acquisition
    exploration: float
    seed: int


class Chooser:
    """Chooses motifs of one family for the trials of studies.

    What it keeps can be computed again from a study.

    Parameters
    ----------
    family : Family
        Decides which trials have a motif.
    surrogate : regressor
        Predicts values from motifs; is cloned.
    proposer : Proposer
        Draws candidates.
    ranking : Ranking
        How they are ranked.
    """

    def __init__(
        self, family: Family, surrogate: RegressorMixin, proposer: Proposer, ranking: Ranking
    ) -> None:
        self.family = family
        self.surrogate = surrogate
        self.proposer = proposer
        self.ranking = ranking
        self._claims = Claims(family)
        self._indices: WeakKeyDictionary[BaseStorage, dict[int, MotifIndex]] = WeakKeyDictionary()
        # Of the last fit only: one takes minutes, and serves all trials until the next.
        self._fitted: tuple[object, RegressorMixin | None] = (None, None)
        self._lists: dict[tuple[object, ...], Ranked] = {}
        self._has_warned = False

    def decide(self, study: Study, trial: FrozenTrial) -> Decision:
        """Return the motif that a running trial has claimed, or claim one for it.

        Parameters
        ----------
        study : optuna.study.Study
            The study.
        trial : FrozenTrial
            The trial as it is in the storage.

        Returns
        -------
        Decision
            Without a claim where no motif of the space has the numbers that are fixed for
            the trial.
        """
        fixed = params_fixed_by(study.sampler) | fixed_params(trial) | trial.params
        columns = self._columns(fixed)
        claim = self._claims.of(trial)
        if claim is None or not self._has(claim.row, columns):
            claim = self._choose(study, trial, columns)
        return Decision(self, claim, fixed, self.family.is_noted(trial) is not None)

    def shows(self, trial: FrozenTrial) -> Claim | None:
        """Return the claim of a trial that has ended with just the motif that it claims."""
        claim, motif = self._claims.of(trial), self.family.motif_of(trial)
        if claim is None or motif is None or not np.array_equal(claim.row, motif):
            return None
        return claim

    def _columns(self, fixed: Mapping[str, Any]) -> dict[int, float]:
        """Return the numbers that are fixed by the positions of their columns."""
        names = enumerate(self.family.distributions)
        return {column: fixed[name] for column, name in names if _is_number(fixed.get(name))}

    def _has(self, row: Motifs, fixed: Fixed) -> bool:
        if all(row[column] == value for column, value in fixed.items()):
            return True
        return len(with_fixed_columns(self.family.motif_space, row[None], fixed)) > 0

    def _choose(self, study: Study, trial: FrozenTrial, fixed: Fixed) -> Claim | None:
        """Claim the best candidate that no other trial has."""
        sign = _sign(study)
        # One look at the study serves all of a decision, but for those after each claim.
        index = self._index(study)
        index.update(all_trials(study))
        for rank, motif, predicted in self._candidates(index, trial, fixed):
            key = self._claims.key(motif)
            if index.is_taken(key, trial.number):
                continue
            claim = Claim(self.family.identity, motif, float(sign * predicted), rank, index.tau())
            index.update(self._claims.claim(study, trial, claim))
            # Whoever has claimed it meanwhile cannot have overlooked this claim, too.
            if not index.is_taken(key, trial.number):
                return claim
        return self._choose_any(study, trial, index, fixed)

    def _index(self, study: Study) -> MotifIndex:
        """Return what is read of a study."""
        # By the storage itself: identifiers in memory are the same in each.
        indices = self._indices.setdefault(storage_of(study), {})
        if study._study_id not in indices:
            indices[study._study_id] = MotifIndex(self._claims, self.ranking.schedule, _sign(study))
        return indices[study._study_id]

    def _choose_any(
        self, study: Study, trial: FrozenTrial, index: MotifIndex, fixed: Fixed
    ) -> Claim | None:
        """Claim a motif at random where nothing new is proposed, one that is new if possible."""
        generator = np.random.RandomState([self.ranking.seed, trial.number])
        space = self.family.motif_space
        n = self.ranking.n_candidates
        rows = RandomSearch(space).ask(n, History.empty(space), generator, fixed=fixed)
        if not len(rows):
            warnings.warn(
                "No motif of the space has the fixed numbers "
                f"{self._named(fixed)}; each other parameter is suggested by itself.",
                stacklevel=2,
            )
            return None
        new = (row for row in rows if not index.is_taken(self._claims.key(row), trial.number))
        row = next(new, None)
        if row is None:
            row = rows[0]
            warnings.warn(
                "Every motif of the space seems to have a trial; one is suggested again.",
                stacklevel=2,
            )
        claim = Claim(self.family.identity, row, np.nan, 1, None)
        self._claims.claim(study, trial, claim)
        return claim

    def _named(self, fixed: Fixed) -> dict[str, float]:
        named = list(self.family.distributions.items())
        # What has one value only, nobody has fixed.
        return {
            named[column][0]: value
            for column, value in fixed.items()
            if not named[column][1].single()
        }

    def _candidates(
        self, index: MotifIndex, trial: FrozenTrial, fixed: Fixed
    ) -> Iterator[tuple[int, Motifs, float]]:
        """Yield candidates with ranks and predictions, and new ones when they are exhausted."""
        fit = index.last_fit()
        self._warn_if_never_asked(fit, index.n_known)
        history = fit.history
        for draw in itertools.count():
            candidates = self._ranked(fit, draw, history, fixed)
            if not len(candidates.X):
                return
            ranks = range(1, len(candidates.X) + 1)
            yield from zip(ranks, candidates.X, candidates.predicted, strict=True)
            # All of them are taken. What the fit did not know is not to be proposed again.
            history = _with_motifs(history, index.taken(trial.number), fit.number)

    def _ranked(self, fit: Fit, draw: int, history: History, fixed: Fixed) -> Ranked:
        """Rank the candidates of a draw, once for all trials that follow a fit."""
        # The first draw depends on what the fit knew only, so that all workers of a study
        # rank the same; further ones on what has a trial by now, too.
        n_told = len(history.y) if draw else 0
        key = (fit.key, draw, n_told, *sorted(fixed.items()))
        if key not in self._lists:
            # Lists of the fits before are not asked for again.
            self._lists = {old: one for old, one in self._lists.items() if old[0] == fit.key}
            self._lists[key] = rank_candidates(
                self._fit(fit) if fit.number else None,
                self.proposer if fit.number else RandomSearch(self.family.motif_space),
                self.family.motif_space,
                history,
                self.ranking.n_candidates,
                acquisition=self.ranking.acquisition,
                exploration=self.ranking.exploration,
                # No state that moves on: a resumed study draws what it would have drawn.
                random_state=np.random.RandomState([self.ranking.seed, fit.number, draw]),
                fixed=fixed,
            )
        return self._lists[key]

    def _fit(self, fit: Fit) -> RegressorMixin | None:
        """Fit the surrogate, unless it has learned from the same results last time."""
        # By what was learned from and not by number: a sampler may serve several studies.
        known = fit.key[1:]
        if self._fitted[0] != known:
            self._fitted = (known, fit_surrogate(self.surrogate, fit.known))
        return self._fitted[1]

    def _warn_if_never_asked(self, fit: Fit, n_known: int) -> None:
        """Warn of a study that ends before there is anything to learn from."""
        if fit.number or self._has_warned:
            return
        n_trials = n_trials_left()
        if n_trials is None:
            return
        self._has_warned = True
        n_startup = max(self.ranking.schedule.n_startup, 1)
        if n_known + n_trials <= n_startup:
            warnings.warn(
                f"n_trials={n_trials} left end before {n_startup} trials are complete, as "
                f"n_startup_trials asks for ({n_known} are now): unless other workers add some, "
                "motifs are drawn at random, and the surrogate is never asked.",
                stacklevel=2,
            )


class Decision(NamedTuple):
    """Decision for a trial, until it has all parameters of its motif.

    Parameters
    ----------
    chooser : Chooser
        Who has decided.
    claim : Claim or None
        The motif; None where parameters are to be suggested one by one.
    fixed : dict of str to object
        Parameters that were known before.
    is_noted : bool
        Whether the study says that a space suggests the motif.
    """

    chooser: Chooser
    claim: Claim | None
    fixed: Mapping[str, Any]
    is_noted: bool

    def is_for(self, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> bool:
        """Return whether a parameter is the motif's, and the trial has kept to it so far."""
        numbers = self._numbers()
        return distribution == self.chooser.family.distributions.get(name) and all(
            numbers.get(other, value) == value or self.fixed.get(other) == value
            for other, value in trial.params.items()
        )

    def number(self, name: str) -> float:
        """Return the motif's number of a parameter."""
        return self._numbers()[name]

    def is_last(self, trial: FrozenTrial, name: str) -> bool:
        """Return whether a parameter is the last of its motif that a trial asks for."""
        # What is fixed, or has one value only, is never asked for.
        return all(
            other == name or other in trial.params or other in self.fixed or distribution.single()
            for other, distribution in self.chooser.family.distributions.items()
        )

    def _numbers(self) -> dict[str, float]:
        if self.claim is None:
            return {}
        return dict(zip(self.chooser.family.distributions, self.claim.row.tolist(), strict=True))


def _sign(study: Study) -> float:
    """Return what turns values of a study into losses, and losses into values."""
    return -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0


def _with_motifs(history: History, motifs: Sequence[Motifs], iteration: int) -> History:
    """Return a history with motifs that were chosen after it."""
    seen = {row.tobytes() for row in history.X}
    new = [motif for motif in motifs if motif.tobytes() not in seen]
    return History.of(
        np.reshape([*history.X, *new], (-1, history.X.shape[1])),
        np.r_[history.y, np.full(len(new), np.nan)],
        iteration=np.r_[history.iteration, np.full(len(new), iteration)],
    )


def _is_number(value: object) -> bool:
    try:
        return bool(np.isfinite(float(value)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
