"""Optuna's samplers as proposers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import create_trial
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import Function, SubclassOf
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.motifs import Motifs, MotifSpace

from .._optuna import params_of, quiet_study
from ._base import History, Proposer


class SamplerProposer(Proposer):
    """Propose what a sampler of Optuna's suggests.

    The sampler sees the history as completed trials, and what it has proposed before in the
    same answer as running ones. Motifs beyond the ranges that are searched it does not see.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    sampler : callable, default=optuna.samplers.TPESampler
        ``sampler(seed=...)`` makes a sampler: a class, or a function that sets other
        parameters too, such as ``functools.partial(TPESampler, n_startup_trials=5)``.

    Examples
    --------
    >>> from optuna.samplers import TPESampler
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> from sk_petridish.search.proposers import History, SamplerProposer
    >>> space = SigmoidSlope()
    >>> X = space.sample(20, random_state=0)
    >>> proposer = SamplerProposer(space, TPESampler)
    >>> proposer.ask(3, History.of(X, X.ravel()), random_state=0).shape
    (3, 1)
    """

    _parameter_constraints: ClassVar[Constraints] = {
        **Proposer._parameter_constraints,
        "sampler": [SubclassOf(BaseSampler), Function()],
    }

    @validated
    def __init__(
        self, motif_space: MotifSpace, sampler: Callable[..., BaseSampler] = TPESampler
    ) -> None:
        super().__init__(motif_space)
        self.sampler = sampler

    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        # The surrogate is not asked.
        study = quiet_study(self.sampler(seed=generator.randint(2**31 - 1)))
        distributions = self.motif_space.search_space()
        known = history.known()
        # Each knows how to go on from motifs within the ranges only.
        searched = self.motif_space._is_searched(known.X)
        for row, loss in zip(known.X[searched], known.y[searched], strict=True):
            params = params_of(self.motif_space, row)
            study.add_trial(create_trial(params=params, distributions=distributions, value=loss))
        while True:
            yield self.motif_space.suggest(study.ask())[None]
