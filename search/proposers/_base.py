"""Base class of proposers, and the history that they learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state

from sk_petridish._compat._validation import Constraints, ValidatedParameters, validated
from sk_petridish.motifs import Motifs, MotifSpace

from ._unseen import Unseen

# Batches without a new motif after which there may be none left.
PATIENCE = 20


class History(NamedTuple):
    """Evaluations of a search so far, in order.

    Parameters
    ----------
    X : ndarray of shape (n_evaluated, n_features)
        Motifs, those whose evaluation failed or still runs too.
    y : ndarray of shape (n_evaluated,)
        Their losses; NaN where there is none.
    iteration : ndarray of shape (n_evaluated,)
        How often something had been learned when each was evaluated: motifs with the same
        number were chosen from the same knowledge. In a
        :class:`~sk_petridish.search.PetriDishSearch` that is the iteration (-1 for results
        known before), in a :class:`~sk_petridish.search.PetriDishSampler` the number of fits
        of the surrogate.

    Examples
    --------
    >>> from sk_petridish.search.proposers import History
    >>> history = History.of([[0.2], [0.5]], [0.03, float("nan")])
    >>> history.known().X
    array([[0.2]])
    """

    X: Motifs
    y: NDArray[np.float64]
    iteration: NDArray[np.int64]

    @classmethod
    def of(cls, X: ArrayLike, y: ArrayLike, iteration: ArrayLike | None = None) -> History:
        """Return a history of motifs and losses.

        Parameters
        ----------
        X : array-like of shape (n_evaluated, n_features)
            Motifs.
        y : array-like of shape (n_evaluated,)
            Their losses.
        iteration : array-like of shape (n_evaluated,), default=None
            Iterations, all 0 otherwise.

        Returns
        -------
        History
            The history.
        """
        losses = np.asarray(y, dtype=np.float64)
        numbers = np.zeros(len(losses)) if iteration is None else iteration
        return cls(
            np.asarray(X, dtype=np.float64),
            losses,
            np.asarray(numbers).astype(np.int64, copy=False),
        )

    @classmethod
    def empty(cls, motif_space: MotifSpace) -> History:
        """Return the history of a search that begins.

        Parameters
        ----------
        motif_space : MotifSpace
            Where it searches.

        Returns
        -------
        History
            No motifs.
        """
        return cls.of(np.empty((0, len(motif_space.search_space()))), [])

    def copy(self) -> History:
        """Return a copy, which whoever gets it may write into.

        Returns
        -------
        History
            The same in arrays of its own.
        """
        return History(self.X.copy(), self.y.copy(), self.iteration.copy())

    def known(self) -> History:
        """Return the history without motifs that have no loss.

        Returns
        -------
        History
            The others.
        """
        finite = np.isfinite(self.y)
        return History(self.X[finite], self.y[finite], self.iteration[finite])

    def best(self, n: int) -> Motifs:
        """Return the motifs of smallest loss.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        ndarray of shape (min(n, n_known), n_features)
            Motifs, the best one first.
        """
        known = self.known()
        return known.X[np.argsort(known.y, kind="stable")[:n]]


class Proposer(ABC, ValidatedParameters):
    """Base class of sources of new motifs.

    A proposer keeps nothing between questions: the history is all that it knows of a search,
    so that a search can go on in another process. Subclasses write :meth:`propose`, and
    users call :meth:`ask`, which leaves out what is not new.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    """

    _parameter_constraints: ClassVar[Constraints] = {"motif_space": [MotifSpace]}

    @validated
    def __init__(self, motif_space: MotifSpace) -> None:
        self.motif_space = motif_space

    def ask(
        self,
        n: int,
        history: History,
        random_state: int | np.random.RandomState | None = None,
        surrogate: RegressorMixin | None = None,
        fixed: Mapping[int, float] | None = None,
    ) -> Motifs:
        """Propose motifs that are not in the history, each network once.

        Where the proposer runs out of new ones, motifs drawn at random make up the number.

        Parameters
        ----------
        n : int
            How many.
        history : History
            What was evaluated.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.
        surrogate : fitted regressor, default=None
            Predicts losses of motifs, as it will rank those that are proposed: a proposer
            may search on it. ``None`` where nothing was learned yet, or nothing ranks.
        fixed : dict of int to float, default=None
            Numbers that columns must have, by their positions.

        Returns
        -------
        ndarray of shape (n, n_features)
            Legal motifs within the ranges that are searched; fewer where twenty batches of
            random ones brought nothing new, as in a space of which everything was
            evaluated. Where a fixed number has no meaning beside the others, the motif may
            have another one, that it is repaired to.

        Raises
        ------
        ValueError
            If :meth:`propose` yields what are no rows of finite numbers, one for each column.

        Warns
        -----
        UserWarning
            If it yields rows that are no motifs, or lie beyond the ranges that are searched;
            the nearest motifs are taken.
        """
        self._check_params()
        generator = check_random_state(random_state)
        unseen = Unseen(self.motif_space, n, history.X, type(self).__name__, fixed)
        own = self.propose(n, history.copy(), generator, surrogate)
        # Lazily: most questions are answered by the first batch or two.
        for batches in (iter(own), self._random(n, generator)):
            in_vain = 0
            while not unseen.is_full and in_vain < PATIENCE:
                batch = next(batches, None)
                if batch is None:
                    break
                in_vain = 0 if unseen.add(batch) else in_vain + 1
        return unseen.rows()

    @abstractmethod
    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        """Yield batches of motifs until there are no more: what a proposer has to write.

        :meth:`ask` takes batches until it has enough motifs that are new. Batches may be of
        any size, and have motifs of the history and motifs twice; the best ones come first,
        since what is not needed is not looked at.

        Parameters
        ----------
        n : int
            How many new motifs are wanted in the end.
        history : History
            What was evaluated; perhaps nothing.
        generator : RandomState
            The only source of randomness.
        surrogate : fitted regressor or None
            Its ``predict(X)`` returns losses, of shape (n_motifs,), as they will be ranked
            afterwards. It is not to be fitted or changed: the search goes on to use it.
            ``None`` while nothing is fitted.

        Yields
        ------
        ndarray of shape (n_batch, n_features)
            Legal motifs.
        """

    def _random(self, n: int, generator: np.random.RandomState) -> Iterator[Motifs]:
        while True:
            yield self.motif_space.sample(n, generator)
