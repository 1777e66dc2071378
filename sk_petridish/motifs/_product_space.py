"""Several motifs in one network, each of a space of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import permutations
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import BaseDistribution
from sklearn.base import clone

from sk_petridish._compat._constraints import MappingOf
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import NetworkSpec, chain

from ._base import DataKind, Motifs, MotifSpace
from ._graph import MotifGraph
from ._memo import frozen
from .recommended._paper import PAPER


class ProductSpace(MotifSpace):
    """Motifs of several spaces side by side, such as a normal and a reduction cell.

    A row is a motif of each part, one behind another, and its notation a dictionary of
    the parts' own notations by their names. The column ``edge_0_1`` of the part
    ``"normal"`` is called ``normal_edge_0_1``. The network is that of the first part, read
    by that of the second, and so on, see :func:`~sk_petridish.blueprints.chain`; the last
    part has the readout.

    Parameters
    ----------
    spaces : dict of str to MotifSpace
        The parts by their names, from the input of the network to its output. All have the
        same ``data_kind``. They may be products themselves.

    See Also
    --------
    MotifSpace.suggest : Lets a trial choose the motif of one space at a time.
    sk_petridish.blueprints.chain : Networks one behind another.

    Notes
    -----
    Parts are parameters, too, by their names: ``set_params(normal__n_cells=2)`` changes a
    part, ``set_params(normal=ConvCell(2))`` replaces it, and
    ``motif_space__normal__n_cells`` can be searched through an estimator. Neither
    the dictionary nor the spaces that were given are changed.

    The recommended settings and ranges are those of the first part that recommends other
    settings than the paper's, which are what a space without measured ones has. If there is
    none, they are those of the first part. None were measured for products.

    Examples
    --------
    >>> from sk_petridish.motifs import ProductSpace, RecurrentCell
    >>> cell = RecurrentCell(n_nodes=2)
    >>> space = ProductSpace({"lower": cell, "upper": cell})
    >>> list(space.search_space())[:3]
    ['lower_previous_1', 'lower_activation_1', 'lower_previous_2']
    >>> two = {"lower": [("relu", 0), ("tanh", 1)], "upper": [("sigmoid", 0), ("relu", 0)]}
    >>> X = space.encode([two])
    >>> X
    array([[0., 1., 1., 0., 0., 3., 0., 1.]])
    >>> space.decode(X) == [two]
    True
    >>> space.set_params(upper__gated=False).spaces["lower"].gated
    True
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "spaces": [MappingOf(MotifSpace)],
    }

    @validated
    def __init__(self, spaces: dict[str, MotifSpace]) -> None:
        self.spaces = spaces

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parts, and their parameters, too.

        Returns
        -------
        dict of str to object
            Values by names, such as ``"normal__n_cells"``.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and isinstance(self.spaces, Mapping):
            for name, part in self.spaces.items():
                params[name] = part
                if isinstance(part, MotifSpace):
                    inner = part.get_params(deep=True)
                    params |= {f"{name}__{key}": value for key, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, parts, or parameters of parts.

        Parameters
        ----------
        **params : dict
            Values by names, as :meth:`get_params` returns them.

        Returns
        -------
        ProductSpace
            The space itself.

        Raises
        ------
        ValueError
            If there is no parameter of a name.
        """
        spaces = params.pop("spaces", self.spaces)
        changes: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, nested, parameter = key.partition("__")
            if name not in spaces:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}, but 'spaces' and its parts "
                    f"{list(spaces)}."
                )
            if nested:
                changes.setdefault(name, {})[parameter] = value
            else:
                spaces = {**spaces, name: value}
        for name, change in changes.items():
            # A copy: one object may be several parts, and belongs to the user.
            spaces = {**spaces, name: clone(spaces[name]).set_params(**change)}
        self.spaces = spaces
        return self

    # What the parts have in common

    @property
    def data_kind(self) -> DataKind:  # type: ignore[override]  # read-only here
        """Kind of data that the networks of all parts read."""
        self._check_params()
        return next(iter(self.spaces.values())).data_kind

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        parts = [
            f"{name!r}, {part._n_columns()} columns: {part.row_description}"
            for name, part in self.spaces.items()
        ]
        return "\n".join(["A row of X is one motif: those of its parts side by side.", *parts])

    def recommended(self, name: str = "best") -> Any:
        """Return the dish settings that suit the family.

        Parameters
        ----------
        name : {"best", "paper", "bank", "zero_cost"}, default="best"
            Which, as for every space.

        Returns
        -------
        dict of str to object, or None
            Those of one of the parts; the notes of the class say which.

        Raises
        ------
        ValueError
            If there are no settings of that name.
        """
        return self._measured_part().recommended(name)

    def hyperparameters(self) -> dict[str, BaseDistribution]:
        """Return the ranges in which dish settings are selected.

        Returns
        -------
        dict of str to optuna.distributions.BaseDistribution
            Those of one of the parts; the notes of the class say which.
        """
        return self._measured_part().hyperparameters()

    def _measured_part(self) -> MotifSpace:
        """Return the first part with recommended settings of its own, or the first at all."""
        self._check_params()
        parts = list(self.spaces.values())
        # Tasks are compared by value.
        own = (part for part in parts if frozen(part.recommended()) != frozen(PAPER))
        return next(own, parts[0])

    def _check_space(self) -> None:
        for name, part in self.spaces.items():
            _check_name(name)
            with _naming(name):
                part._check_params()
        kinds = {name: part.data_kind for name, part in self.spaces.items()}
        if len(set(kinds.values())) > 1:
            raise ValueError(f"All parts must read data of one kind, got {kinds}.")
        self._check_columns()

    def _check_columns(self) -> None:
        """Refuse parts of which two have a column of the same name."""
        for one, other in permutations(self.spaces, 2):
            # Only where a name goes on like another: "a" with "b_c" is "a_b" with "c".
            if other.startswith(f"{one}_"):
                shared = _columns(one, self.spaces[one]) & _columns(other, self.spaces[other])
                if shared:
                    raise ValueError(
                        f"Parts {one!r} and {other!r} both have columns called {sorted(shared)}. "
                        "Rename one of them."
                    )

    # Rows, part by part

    def _search_space(self) -> dict[str, BaseDistribution]:
        return {
            f"{name}_{column}": distribution
            for name, part in self.spaces.items()
            for column, distribution in part._search_space().items()
        }

    def _n_columns(self) -> int:
        return sum(part._n_columns() for part in self.spaces.values())

    def _split(self, rows: Motifs) -> Iterator[tuple[str, MotifSpace, Motifs]]:
        """Return every part with its name and its columns, which are the last axis."""
        start = 0
        for name, part in self.spaces.items():
            stop = start + part._n_columns()
            yield name, part, rows[..., start:stop]
            start = stop

    def _check(self, rows: Motifs) -> None:
        for name, part, own in self._split(rows):
            with _naming(name):
                part._check(own)

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        return np.hstack([part._sample(n, generator) for part in self.spaces.values()])

    def _repair(self, rows: Motifs) -> Motifs:
        return np.hstack([part._repair(own) for _, part, own in self._split(rows)])

    def _altered(self, before: Motifs, after: Motifs) -> Motifs:
        # Part by part: one that stays may be a motif that is not searched.
        pairs = zip(self._split(before), self._split(after), strict=True)
        return np.hstack([part._altered(old, new) for (_, part, old), (*_, new) in pairs])

    def _of_params(self, values: ArrayLike) -> Motifs:
        # The same for what was fixed or enqueued, beside parts that Optuna draws.
        rows = []
        for name, part, own in self._split(np.array(values, dtype=np.float64)):
            with _naming(name):
                rows.append(part._of_params(own))
        return np.hstack(rows)

    def _encode(self, motif: Mapping[str, Any]) -> NDArray[np.float64]:
        if not isinstance(motif, Mapping):
            raise ValueError(
                f"it must be a dictionary with the parts {list(self.spaces)}, got {motif!r}."
            )
        missing, unknown = self.spaces.keys() - motif.keys(), motif.keys() - self.spaces.keys()
        if missing or unknown:
            raise ValueError(
                f"it must have the parts {list(self.spaces)}; missing are "
                f"{sorted(missing)}, unknown {sorted(unknown, key=str)}."
            )
        return np.hstack([_encoded(name, self.spaces[name], motif[name]) for name in self.spaces])

    def _decode(self, row: Motifs) -> dict[str, Any]:
        return {name: part._decode(own) for name, part, own in self._split(row)}

    # Networks and pictures

    def _blueprint(self, row: Motifs) -> NetworkSpec:
        networks = {}
        for name, part, own in self._split(row):
            with _naming(name):
                (networks[name],) = part._networks(own[None])
        return chain(networks)

    def _graph(self, row: Motifs) -> MotifGraph:
        whole = MotifGraph([], [])
        for name, part, own in self._split(row):
            with _naming(name):
                labels, edges = part._graph(own)
            start = len(whole.labels)
            whole.labels.extend(f"{name}: {label}" for label in labels)
            whole.edges.extend(
                edge._replace(source=start + edge.source, target=start + edge.target)
                for edge in edges
            )
        return whole


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """Name the part in errors that it raises."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Part {part!r}: {error}") from None


def _check_name(name: str) -> None:
    """Refuse what cannot begin the names of columns and parameters."""
    if not name:
        raise ValueError(f"The names of parts must not be empty, got {name!r}.")
    if "__" in name or name.endswith("_"):
        raise ValueError(
            f"Part {name!r} must neither have '__' in its name nor '_' at the end, which separates "
            "a part from its parameters and columns."
        )
    if name == "spaces":
        raise ValueError(f"No part can be called {name!r}, since a parameter is.")


def _columns(name: str, part: MotifSpace) -> set[str]:
    return {f"{name}_{column}" for column in part._search_space()}


def _encoded(name: str, part: MotifSpace, motif: Any) -> NDArray[np.float64]:
    """Return the row of one part's motif."""
    with _naming(name):
        row: NDArray[np.float64] = np.asarray(part._encode(motif), dtype=np.float64)
        # Too long a row would be read as columns of the next part.
        if row.shape != (part._n_columns(),):
            raise ValueError(
                f"{motif!r} is a row of the shape {row.shape}, not {(part._n_columns(),)}. "
                f"{part.row_description}"
            )
    return row
