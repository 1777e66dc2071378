"""What every motif space offers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import BaseTrial
from sklearn.utils import check_array, check_random_state

from sk_petridish._compat._constraints import integers, random_states, reals
from sk_petridish._compat._validation import ValidatedParameters, validate_params
from sk_petridish.blueprints import Blueprint, NetworkSpec
from sk_petridish.blueprints import DataKind as DataKind

from ._distributions import draw, holds, nearest, suggest
from ._graph import MotifGraph, graph_of
from ._identity import plain
from ._memo import MemoKey, frozen, remembered
from ._suggestions import check_first_suggestion, note_suggestion
from .recommended._paper import FEED_FORWARD_RANGES, PAPER, RECURRENT_RANGES

Motifs = NDArray[np.float64]
"""Motifs, one a row: an array of shape (n_motifs, n_features)."""


class MotifSpace(ABC, ValidatedParameters):
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

    Notes
    -----
    Public methods check what they are given and then call a hook, which need not check
    it again. A space of one's own writes hooks, never public methods:

    * ``row_description``, an attribute or property: a sentence that says what a row is.
    * ``_search_space() -> dict``: a distribution for each column, in order.
    * ``_blueprint(row) -> Blueprint``: the network of a legal row, a read-only array. It
      depends on nothing but the row and the space's parameters, and is not changed later:
      it is remembered.

    These hooks have a default:

    * ``_check_space()`` raises ``ValueError`` if parameters leave no motif. Default: never.
    * ``_check(rows)`` raises ``ValueError`` unless all rows, of finite numbers, are motifs;
      the message is completed by ``row_description``. Default: numbers are those that
      the columns' distributions have.
    * ``_sample(n, generator) -> rows``: random rows, which are repaired. Default: columns
      are drawn independently from their distributions.
    * ``_repair(rows) -> rows``: the nearest motifs of rows of finite numbers; legal ones
      stay as they are. Default: the nearest numbers of the columns' distributions.
    * ``_encode(motif) -> row`` and ``_decode(row) -> motif``: one motif from and to the
      family's own notation. ``_encode`` raises ``ValueError`` where it cannot. Default:
      rows are their own notation.
    * ``_graph(row) -> MotifGraph``: what is drawn. Default: the nodes of the blueprint.
    * ``_n_columns() -> int``: the length of a row. Default: that of ``_search_space()``.

    ``_ranges``, a tuple of names, lists the parameters that only limit what is searched: a
    row means the same whatever they are. Default: none, so that results under other
    parameters count as those of another space.
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": PAPER, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = {"dish": {"n_dishes": 4}}
    data_kind: DataKind = "vectors"
    _zero_cost: ClassVar[dict[str, Any] | None] = None
    _ranges: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is; closes error messages."""

    # Hooks, whose contract the class's notes state

    @abstractmethod
    def _search_space(self) -> dict[str, BaseDistribution]:
        """Return the distribution of every column, in order."""

    @abstractmethod
    def _blueprint(self, row: Motifs) -> NetworkSpec:
        """Return the network of a legal, read-only row."""

    def _check_space(self) -> None:
        """Raise ValueError if the parameters leave no motif."""

    def _check_together(self) -> None:
        self._check_space()

    def _n_columns(self) -> int:
        """Return the length of a row."""
        return len(self._search_space())

    def _check(self, rows: Motifs) -> None:
        """Raise ValueError unless all rows, of finite numbers, are motifs."""
        for (name, distribution), column in zip(self._search_space().items(), rows.T, strict=True):
            wrong = ~holds(distribution, column)
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(f"Row {row} has {name}={column[row]:g}, none of {distribution}.")

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        """Return random rows, which need not be legal."""
        columns = [draw(one, n, generator) for one in self._search_space().values()]
        return np.array(columns, dtype=np.float64).T

    def _repair(self, rows: Motifs) -> Motifs:
        """Return the nearest motifs of rows of finite numbers."""
        columns = [
            nearest(distribution, column)
            for distribution, column in zip(self._search_space().values(), rows.T, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _encode(self, motif: Any) -> ArrayLike:
        """Return the row of a motif in the family's own notation."""
        row: ArrayLike = motif
        return row

    def _decode(self, row: Motifs) -> Any:
        """Return a legal row in the family's own notation."""
        return row.tolist()

    def _graph(self, row: Motifs) -> MotifGraph:
        """Return what is drawn of a legal row."""
        (blueprint,) = self._networks(row[None])
        if not isinstance(blueprint, Blueprint):
            raise ValueError("The network of this motif is a module, whose graph is not known.")
        return graph_of(blueprint)

    # What is offered

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
            If a row is not a motif of this space, or the space itself is empty; the
            message says what a row is.
        """
        rows = self._finite_rows(X)
        try:
            self._check(rows)
        except ValueError as error:
            raise ValueError(f"{error}\n{self.row_description}") from None
        return rows

    def _checked(self, row: ArrayLike) -> Motifs:
        """Check one motif."""
        checked: Motifs = self.validate(np.asarray(row)[None])[0]
        return checked

    def _finite_rows(self, X: ArrayLike) -> Motifs:
        """Check all that holds for rows not yet repaired, too."""
        self._check_params()
        try:
            rows: Motifs = check_array(X, dtype=np.float64)
        except (ValueError, OverflowError) as error:  # the latter of an int that no float holds
            raise ValueError(f"{error}\n{self.row_description}") from error
        n_columns = self._n_columns()
        if rows.shape[1] != n_columns:
            raise ValueError(
                f"X has {rows.shape[1]} columns, not {n_columns}. {self.row_description}"
            )
        return rows

    def blueprint(self, row: ArrayLike) -> NetworkSpec:
        """Return the network that one motif sits in.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Returns
        -------
        Blueprint or ModuleBlueprint
            The network around and inside the motif, independent of width.

        Raises
        ------
        ValueError
            If the row is not a motif of this space.

        See Also
        --------
        blueprints : Those of many motifs.
        """
        return self._networks(self._checked(row)[None])[0]

    def blueprints(self, X: ArrayLike) -> list[NetworkSpec]:
        """Return the networks that motifs sit in.

        The latest 16,384 are remembered, whichever of several equal spaces was
        asked for them: a search meets the same rows again and again.

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

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> first, second = SigmoidSlope().blueprints([[0.2], [0.4]])
        >>> first.nodes[2].parameters, second.nodes[2].parameters
        ((0.2,), (0.4,))
        """
        return self._networks(self.validate(X))

    def _networks(self, rows: Motifs) -> list[NetworkSpec]:
        """Look legal rows up, by the parameters that the space has now."""
        try:
            parameters = frozen(self.get_params(deep=False))
        except TypeError:
            # A parameter that may change without a trace: nothing is remembered.
            return [self._blueprint(np.frombuffer(row.tobytes())) for row in rows]
        return [
            remembered(MemoKey(type(self), parameters, row.tobytes(), self._blueprint))
            for row in rows
        ]

    def canonical_keys(self, X: ArrayLike) -> list[Hashable]:
        """Return a key per row that is equal for motifs that mean the same network.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs.

        Returns
        -------
        list of hashable
            One key a row: its blueprint, which spaces give in a canonical form.
        """
        return list(self.blueprints(X))

    def search_space(self) -> dict[str, BaseDistribution]:
        """Return the search space as Optuna writes it.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            One entry a column of ``X``, in order.

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().search_space()
        {'slope': FloatDistribution(high=2.01, log=False, low=0.01, step=None)}
        """
        self._check_params()
        return self._search_space()

    @validate_params(n=[integers(0)], random_state=random_states())
    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw motifs at random.

        Parameters
        ----------
        n : int
            Number of motifs.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, n_features)
            Motifs.
        """
        self._check_params()
        return self._repair(self._sample(n, check_random_state(random_state)))

    def encode(self, objects: Sequence[Any]) -> Motifs:
        """Turn the family's own notation into rows.

        Parameters
        ----------
        objects : sequence
            Motifs in the family's own notation, which the class describes.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Their rows.

        Raises
        ------
        ValueError
            If one is no motif of this space; the message says which one, and why.
        """
        self._check_params()
        return self.validate(map_numbered("Motif", self._encode, objects))

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

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope().decode([[0.23], [1.0]])
        [0.23, 1.0]
        """
        return [self._decode(row) for row in self.validate(X)]

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
        return self._repair(self._finite_rows(X))

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
        """Return the ranges in which dish settings are selected (appendix A.1).

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
        """Return the motif as a graph to look at.

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
        return self._graph(self._checked(row))

    @validate_params(probability=[reals(0, 1, closed="both")], random_state=random_states())
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
            Source of randomness.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Legal motifs.
        """
        generator = check_random_state(random_state)
        rows = self.validate(X)
        changed = generator.random_sample(rows.shape) < probability
        # New numbers come from whole random motifs, so that they are as frequent as there.
        return self._altered(rows, np.where(changed, self.sample(len(rows), generator), rows))

    @validate_params(random_state=random_states())
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
            Source of randomness: each pair is cut at a random position.

        Returns
        -------
        ndarray of shape (n_motifs, n_features)
            Legal motifs.
        """
        generator = check_random_state(random_state)
        rows, others = self.validate(X), self.validate(partners)
        n_motifs, n_features = rows.shape
        # Something of both: the cut is neither before the first position nor behind the last.
        cuts = generator.randint(1, max(n_features, 2), size=(n_motifs, 1))
        return self._altered(rows, np.where(np.arange(n_features) < cuts, rows, others))

    def _altered(self, before: Motifs, after: Motifs) -> Motifs:
        """Make rows legal and searched, but leave those alone that are what they were before."""
        same = (before == after).all(axis=1, keepdims=True)
        # Motifs beyond the ranges are motifs, too, but what comes of them is searched.
        return np.where(same, before, self._repair(self._within_ranges(after)))

    def _within_ranges(self, rows: Motifs) -> Motifs:
        """Bring numbers into the ranges that are searched; choices have none."""
        columns = [
            column
            if isinstance(distribution, CategoricalDistribution)
            else nearest(distribution, column)
            for distribution, column in zip(self._search_space().values(), rows.T, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _is_searched(self, rows: Motifs) -> NDArray[np.bool_]:
        """Return which rows a search may propose."""
        columns = zip(self._search_space().values(), rows.T, strict=True)
        held = [holds(distribution, column) for distribution, column in columns]
        return np.asarray(np.all(held, axis=0))

    def suggest(self, trial: BaseTrial, prefix: str = "") -> Motifs:
        """Return the motif that an Optuna trial suggests.

        What a user has fixed or enqueued beyond the range that is searched is taken as it
        is, if it is a motif.

        Parameters
        ----------
        trial : optuna.trial.BaseTrial
            A running trial. Its study notes the space, so that a
            :class:`~sk_petridish.search.PetriDishSampler` learns from the trials of its own.
        prefix : str, default=""
            What the names of the motif's parameters begin with. Several motifs in a trial
            need different ones.

        Returns
        -------
        ndarray of shape (n_features,)
            The motif, as :meth:`blueprint` takes it.

        Raises
        ------
        ValueError
            If a motif was suggested under these names before in the trial, or a number that
            was fixed or enqueued makes no motif.

        See Also
        --------
        ProductSpace : Several motifs that make one network.

        Examples
        --------
        >>> import optuna
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> trial = optuna.trial.FixedTrial({"first_slope": 0.2, "second_slope": 0.5})
        >>> space = SigmoidSlope()
        >>> space.suggest(trial, prefix="first_"), space.suggest(trial, prefix="second_")
        (array([0.2]), array([0.5]))
        """
        distributions = self.search_space()
        names = [prefix + name for name in distributions]
        check_first_suggestion(trial, names)
        note_suggestion(trial, prefix, self.identity())
        values = []
        for name, distribution in zip(names, distributions.values(), strict=True):
            try:
                values.append(suggest(trial, name, distribution))
            except ValueError as error:  # a choice that was fixed or enqueued, and is none
                raise ValueError(f"Trial {trial.number}, parameter {name!r}: {error}") from error
        return self._of_params(values)

    def _of_params(self, values: ArrayLike) -> Motifs:
        """Return the motif that the parameters of a trial mean."""
        row = self._on_steps(np.array(values, dtype=np.float64))
        try:
            return self._checked(row)
        except ValueError as error:
            for (name, distribution), value in zip(self.search_space().items(), row, strict=True):
                if not holds(distribution, value):
                    raise ValueError(
                        f"{name}={value:g} is none of {distribution}, and makes no motif: {error}"
                    ) from None
        # Optuna draws columns one by one, and together they may be no motif.
        repaired: Motifs = self._repair(row[None])[0]
        return repaired

    def _on_steps(self, row: Motifs) -> Motifs:
        """Return a row whose steps are those of the distributions to the last digit.

        0.3 and 0 + 3 * 0.1 differ by rounding, and would be two networks.
        """
        columns = zip(self.search_space().values(), row, strict=True)
        return np.array(
            [
                nearest(distribution, np.array([number]))[0]
                if getattr(distribution, "step", None) and holds(distribution, number)
                else number
                for distribution, number in columns
            ]
        )

    def identity(self) -> dict[str, Any]:
        """Return what the meaning of a row depends on.

        Studies hold it: results count as those of a space if both are the same.

        Returns
        -------
        dict of str to object
            The class and its parameters, except those that only limit what is searched, fit
            for JSON.

        Examples
        --------
        >>> from sk_petridish.motifs import SigmoidSlope
        >>> SigmoidSlope(low=0.1).identity()
        {'class': 'SigmoidSlope', 'n_slopes': 1}
        """
        identity: dict[str, Any] = plain(self)
        return identity


def map_numbered(name: str, function: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
    """Apply a function to each thing; errors say to which.

    Parameters
    ----------
    name : str
        What one thing is called in errors.
    function : callable
        May raise ``ValueError``.
    things : iterable
        Its arguments.

    Returns
    -------
    list
        Results.

    Raises
    ------
    ValueError
        The function's, with the number of the thing in front.
    """
    results = []
    for number, thing in enumerate(things):
        try:
            results.append(function(thing))
        except ValueError as error:
            raise ValueError(f"{name} {number}: {error}") from None
    return results
