"""The genetic algorithm of section 4.2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.motifs import Motifs, MotifSpace

from ._base import History, Proposer


class GeneticAlgorithm(Proposer):
    """Propose offspring of the best motifs (section 4.2).

    It is elitist [1]_: parents are the best motifs of the whole search. Each child begins as a
    parent, joins its end with another's at a random point with one probability, and has
    each of its positions drawn anew with another.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    n_parents : int, default=20
        Parents.
    mutation : float, default=0.05
        Probability with which a position is drawn anew.
    crossover : float, default=0.3
        Probability with which a child has two parents.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 4.2 and appendix A.3.

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> from sk_petridish.search.proposers import GeneticAlgorithm, History
    >>> space = ConvCell()
    >>> X = space.sample(20, random_state=0)
    >>> children = GeneticAlgorithm(space, n_parents=5).ask(
    ...     3, History.of(X, X.sum(axis=1)), random_state=0
    ... )
    >>> children.shape
    (3, 6)
    """

    _parameter_constraints: ClassVar[Constraints] = {
        **Proposer._parameter_constraints,
        "n_parents": [integers(1)],
        "mutation": [reals(0, 1, closed="both")],
        "crossover": [reals(0, 1, closed="both")],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace,
        *,
        n_parents: int = 20,
        mutation: float = 0.05,
        crossover: float = 0.3,
    ) -> None:
        super().__init__(motif_space)
        self.n_parents = n_parents
        self.mutation = mutation
        self.crossover = crossover

    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        # The surrogate is not asked.
        parents = history.best(self.n_parents)
        while len(parents):
            mothers, fathers = parents[generator.randint(len(parents), size=(2, n))]
            both = self.motif_space.crossover(mothers, fathers, generator)
            crossed = generator.random_sample((n, 1)) < self.crossover
            children = np.where(crossed, both, mothers)
            yield self.motif_space.mutate(children, self.mutation, generator)
