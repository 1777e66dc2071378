"""How the trials of one family get their motifs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from sklearn.base import RegressorMixin

from sk_petridish._compat._optuna import (
    all_trials,
    fixed_params,
    n_trials_left,
    params_fixed_by,
)
from sk_petridish.metrics import kendall_tau_score
from sk_petridish.motifs import Motifs

from ._acquisition import Acquisition
from ._claims import Claims
from ._family import Family
from ._optuna import loss_of
from ._schedule import Schedule, last_fit
from ._step import Ranked, fit_surrogate, rank_candidates
from ._trial_attributes import Claim, shown_prediction
from .proposers import History, Proposer, RandomSearch
from .proposers._base import with_fixed_columns

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
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        # One look at the study serves all of a decision, but for those after each claim.
        trials = all_trials(study)
        seen = _Seen(trials, self._claims.taken(trials, trial))
        taken = self._claims.keys(seen.taken)
        for rank, motif, predicted in self._candidates(seen, sign, fixed):
            key = self._claims.key(motif)
            if key in taken:
                continue
            claim = Claim(
                self.family.identity,
                motif,
                float(sign * predicted),
                rank,
                self._tau(seen.trials),
            )
            seen.trials = self._claims.claim(study, trial, claim)
            # Whoever has claimed it meanwhile cannot have overlooked this claim, too.
            seen.taken = self._claims.taken(seen.trials, trial)
            taken = self._claims.keys(seen.taken)
            if key not in taken:
                return claim
        return self._choose_again(study, trial, fixed)

    def _choose_again(self, study: Study, trial: FrozenTrial, fixed: Fixed) -> Claim | None:
        """Claim any motif, whoever has it."""
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
        warnings.warn(
            "Every motif of the space seems to have a trial; one is suggested again.", stacklevel=2
        )
        claim = Claim(self.family.identity, rows[0], np.nan, 1, None)
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
        self, seen: _Seen, sign: float, fixed: Fixed
    ) -> Iterator[tuple[int, Motifs, float]]:
        """Yield candidates with ranks and predictions, and new ones when they are exhausted."""
        n_columns = len(self.family.distributions)
        with_motifs = self._claims.with_motifs(seen.trials)
        n_fits, history = last_fit(with_motifs, self.ranking.schedule, n_columns, sign)
        self._warn_if_never_asked(n_fits, seen.trials)
        for draw in itertools.count():
            candidates = self._ranked(n_fits, draw, history, fixed)
            if not len(candidates.X):
                return
            ranks = range(1, len(candidates.X) + 1)
            yield from zip(ranks, candidates.X, candidates.predicted, strict=True)
            # All of them are taken. What the fit did not know is not to be proposed again,
            # and counts as chosen after it.
            new = [motif for motif in seen.taken if not (motif == history.X).all(axis=1).any()]
            history = History.of(
                np.reshape([*history.X, *new], (-1, n_columns)),
                np.r_[history.y, np.full(len(new), np.nan)],
                iteration=np.r_[history.iteration, np.full(len(new), n_fits)],
            )

    def _ranked(self, n_fits: int, draw: int, history: History, fixed: Fixed) -> Ranked:
        """Rank the candidates of a draw, once for all trials that follow a fit."""
        known = history.known()
        # The first draw depends on what the fit knew only, so that all workers of a study
        # rank the same; further ones on what has a trial by now, too.
        n_told = len(history.y) if draw else 0
        of_fit = (n_fits, known.X.tobytes(), known.y.tobytes())
        key = (of_fit, draw, n_told, *sorted(fixed.items()))
        if key not in self._lists:
            # Lists of the fits before are not asked for again.
            self._lists = {old: one for old, one in self._lists.items() if old[0] == of_fit}
            self._lists[key] = rank_candidates(
                self._fit(known) if n_fits else None,
                self.proposer if n_fits else RandomSearch(self.family.motif_space),
                history,
                self.ranking.n_candidates,
                acquisition=self.ranking.acquisition,
                exploration=self.ranking.exploration,
                # No state that moves on: a resumed study draws what it would have drawn.
                random_state=np.random.RandomState([self.ranking.seed, n_fits, draw]),
                fixed=fixed,
            )
        return self._lists[key]

    def _fit(self, known: History) -> RegressorMixin | None:
        """Fit the surrogate, unless it has learned from the same results last time."""
        # By what was learned from and not by number: a sampler may serve several studies.
        key = (known.X.tobytes(), known.y.tobytes())
        if self._fitted[0] != key:
            self._fitted = (key, fit_surrogate(self.surrogate, known))
        return self._fitted[1]

    def _tau(self, trials: Sequence[FrozenTrial]) -> float | None:
        """Return how well predictions have ordered what was measured until now."""
        pairs = [
            (loss_of(trial), predicted)
            for trial, motif in self._claims.with_motifs(trials)
            if np.isfinite(loss_of(trial))
            and (predicted := self._predicted(trial, motif)) is not None
        ]
        # Kendall's tau needs two different values.
        if len({value for value, _ in pairs}) < 2:
            return None
        return kendall_tau_score(*zip(*pairs, strict=True))

    def _predicted(self, trial: FrozenTrial, motif: Motifs) -> float | None:
        """Return what was predicted of the motif that a trial has."""
        claim = self._claims.of(trial)
        if claim is None:  # before claims held predictions
            return shown_prediction(trial)
        same = np.array_equal(claim.row, motif) and np.isfinite(claim.predicted)
        return claim.predicted if same else None

    def _warn_if_never_asked(self, n_fits: int, trials: Sequence[FrozenTrial]) -> None:
        """Warn of a study that ends before there is anything to learn from."""
        n_trials = n_trials_left()
        if n_fits or self._has_warned or n_trials is None:
            return
        self._has_warned = True
        n_known = sum(
            bool(np.isfinite(loss_of(trial))) for trial, _ in self._claims.with_motifs(trials)
        )
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


@dataclass
class _Seen:
    """A study when it was last looked at: its trials, and motifs that others of them have."""

    trials: list[FrozenTrial]
    taken: list[Motifs]


def _is_number(value: object) -> bool:
    try:
        return bool(np.isfinite(float(value)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
