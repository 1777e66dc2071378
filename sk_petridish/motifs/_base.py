"""What every motif space offers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state

from sk_petridish.blueprints import Blueprint, NetworkSpec
from sk_petridish.blueprints import DataKind as DataKind

from ._graph import MotifGraph, graph_of
from ._settings import FEED_FORWARD_RANGES, PAPER, RECURRENT_RANGES

Motifs = NDArray[np.float64]
"""Motifs, one a row: an array of shape (n_motifs, n_features)."""


class MotifSpace(ABC, BaseEstimator):
    """The motifs that a search may meet, one a row of numbers.

    A space turns rows into blueprints and never computes anything with them. It
    is a :class:`~sklearn.base.BaseEstimator` without ``fit``, so that its
    parameters can be set and searched through the estimator that holds it
    (``motif_space__...``).

    Attributes
    ----------
    data_kind : {"vectors", "sequences", "images"}
        What the motifs' networks read.

    See Also
    --------
    SigmoidSlope : The space of section 4.1 of the paper.
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": PAPER, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = {"dish": {"n_dishes": 4}}
    data_kind: DataKind = "vectors"
    _zero_cost: ClassVar[dict[str, Any] | None] = None

    @property
    @abstractmethod
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is; closes error messages."""

    @abstractmethod
    def validate(self, X: ArrayLike) -> Motifs:
        """Check motifs and return them as an array.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The same, in float64.

        Raises
        ------
        ValueError
            If a row is not a motif of this space; the message says what a row is.
        """

    def _check_rows(self, X: ArrayLike, n_columns: int) -> Motifs:
        """Check that there are rows of so many finite numbers; errors say what a row is."""
        try:
            rows: Motifs = check_array(X, dtype=np.float64)
        except ValueError as error:
            raise ValueError(f"{error}\n{self.row_description}") from error
        if rows.shape[1] != n_columns:
            raise ValueError(
                f"X has {rows.shape[1]} columns, not {n_columns}. {self.row_description}"
            )
        return rows

    @abstractmethod
    def blueprint(self, row: ArrayLike) -> NetworkSpec:
        """Describe the network that a motif sits in.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Returns
        -------
        Blueprint
            The network around and inside the motif, independent of width.
        """

    def blueprints(self, X: ArrayLike) -> list[NetworkSpec]:
        """Describe the networks that motifs sit in.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.

        Returns
        -------
        list of Blueprint or ModuleBlueprint
            One a row.

        Raises
        ------
        ValueError
            If a row is not a motif of this space.
        """
        return [self.blueprint(row) for row in self.validate(X)]

    @abstractmethod
    def search_space(self) -> dict[str, BaseDistribution]:
        """Give the search space as Optuna writes it.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            One entry a column of ``X``, in order.
        """

    @abstractmethod
    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw motifs at random.

        Parameters
        ----------
        n : int
            How many.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n, n_features)
            Motifs.
        """

    @abstractmethod
    def encode(self, objects: Sequence[Any]) -> Motifs:
        """Turn the family's own notation into rows.

        Parameters
        ----------
        objects : sequence
            Motifs in the family's own notation.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Their rows.
        """

    @abstractmethod
    def decode(self, X: ArrayLike) -> list[Any]:
        """Turn rows into the family's own notation.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs.

        Returns
        -------
        list
            The same motifs, as :meth:`encode` takes them.
        """

    def canonical_keys(self, X: ArrayLike) -> list[Hashable]:
        """Give a key per row that is equal for motifs that mean the same network.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs.

        Returns
        -------
        list of hashable
            One key a row: its blueprint, which spaces give in a canonical form.
        """
        return [self.blueprint(row) for row in self.validate(X)]

    @abstractmethod
    def repair(self, X: ArrayLike) -> Motifs:
        """Make rows that mutation or crossover produced legal.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Finite rows.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            The nearest motifs of the space; legal ones are returned as they are.
        """

    def recommended(self, name: str = "best") -> Any:
        """Return the dish settings that suit the family.

        Parameters
        ----------
        name : {"best", "paper", "bank", "zero_cost"}, default="best"
            The settings measured to work best for dishes that learn; the published ones;
            those of the dishes of which a bank measures motifs; or those of the dishes whose
            zero-cost measures are worth reading beside a bank.

        Returns
        -------
        dict of str to object, or None
            Keyword arguments of :class:`~sk_petridish.PetriDishRegressor`. Of a bank, a
            dictionary of these for every sort of dish, by its name. None where no gain
            from zero-cost measures was measured.

        Raises
        ------
        ValueError
            If there are no settings of that name.

        See Also
        --------
        sk_petridish.PetriDishTransformer : Measures motifs in a bank of dishes.

        Examples
        --------
        >>> from sk_petridish.motifs import ConvCell, SigmoidSlope
        >>> SigmoidSlope().recommended("paper")["inner_steps"]
        250
        >>> sorted(SigmoidSlope().recommended("bank"))
        ['scale1', 'scale2', 'scale4']
        >>> ConvCell().recommended("zero_cost")["n_hidden"]
        16
        """
        offered = {**self._settings, "bank": self._bank, "zero_cost": self._zero_cost}
        if name not in offered:
            raise ValueError(f"No settings are called {name!r}; there are {sorted(offered)}.")
        return copy.deepcopy(offered[name])

    def hyperparameters(self) -> dict[str, BaseDistribution]:
        """Give the ranges in which dish settings are selected (appendix A.1).

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            For parameters of :class:`~sk_petridish.PetriDishRegressor`: the search ranges
            of the paper's Table 4 where motifs are recurrent, and of Table 2 otherwise.

        See Also
        --------
        sk_petridish.model_selection.select_hyperparameters : Searches them.

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().hyperparameters()["n_hidden"]
        CategoricalDistribution(choices=(1, 3, 5))
        """
        recurrent = self.data_kind == "sequences"
        return dict(RECURRENT_RANGES if recurrent else FEED_FORWARD_RANGES)

    def graph(self, row: ArrayLike) -> MotifGraph:
        """Give the motif as a graph to look at.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Returns
        -------
        MotifGraph
            The nodes of its blueprint, or what stands for them in the family's pictures.

        Raises
        ------
        ValueError
            If the row is no motif, or its network is no graph but a module.

        See Also
        --------
        sk_petridish.inspection.MotifDisplay : Draws it.
        """
        blueprint = self.blueprint(row)
        if not isinstance(blueprint, Blueprint):
            raise ValueError("The network of this motif is a module, whose graph is not known.")
        return graph_of(blueprint)

    def mutate(
        self,
        X: ArrayLike,
        probability: float,
        random_state: int | np.random.RandomState | None = None,
    ) -> Motifs:
        """Draw some positions of motifs anew.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs.
        probability : float
            With which each position of each motif is drawn anew, from random motifs.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Legal motifs.
        """
        generator = check_random_state(random_state)
        rows = self.validate(X)
        changed = generator.random_sample(rows.shape) < probability
        return self.repair(np.where(changed, self.sample(len(rows), generator), rows))

    def crossover(
        self,
        X: ArrayLike,
        partners: ArrayLike,
        random_state: int | np.random.RandomState | None = None,
    ) -> Motifs:
        """Join the beginning of each motif to the end of its partner.

        Parameters
        ----------
        X, partners : array-like of shape (n_motifs, n_features)
            Motifs.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from: each pair is cut at a random position.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Legal motifs.
        """
        generator = check_random_state(random_state)
        rows, others = self.validate(X), self.validate(partners)
        n_motifs, n_features = rows.shape
        cuts = generator.randint(1, max(n_features, 2), size=(n_motifs, 1))
        return self.repair(np.where(np.arange(n_features) < cuts, rows, others))

    def suggest(self, trial: BaseTrial) -> Motifs:
        """Let an Optuna trial choose a motif.

        Parameters
        ----------
        trial : optuna.trial.BaseTrial
            A running trial.

        Returns
        -------
        ndarray of shape (n_features,)
            The motif, as :meth:`blueprint` takes it.
        """
        values = [
            _suggest(trial, name, distribution)
            for name, distribution in self.search_space().items()
        ]
        row: Motifs = self.repair([values])[0]
        return row


def _suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Ask a trial for one parameter through its public methods."""
    match distribution:
        case FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(name, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise TypeError(f"Parameter {name!r} has an unknown distribution: {distribution!r}.")
