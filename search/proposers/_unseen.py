"""Motifs that are new, out of whatever proposers answer."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish.motifs import Motifs, MotifSpace

from .._answers import floats_of


class Unseen:
    """Collects motifs that are new, each network once.

    Parameters
    ----------
    motif_space : MotifSpace
        Knows which rows are one network.
    n : int
        How many are enough.
    seen : ndarray of shape (n_motifs, n_features)
        Motifs that are not new.
    source : str
        Name of what proposes, for messages.
    fixed : dict of int to float, default=None
        Numbers that columns must have, by their positions.
    """

    def __init__(
        self,
        motif_space: MotifSpace,
        n: int,
        seen: Motifs,
        source: str,
        fixed: Mapping[int, float] | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.n = n
        self.source = source
        self.fixed = fixed
        self._rows: list[Motifs] = []
        self._n_columns = seen.shape[1]
        self._keys: set[Hashable] = set(motif_space.canonical_keys(seen)) if len(seen) else set()

    @property
    def is_full(self) -> bool:
        """Whether there are enough."""
        return len(self._rows) >= self.n

    def add(self, batch: ArrayLike) -> bool:
        """Keep the new motifs of a batch, until there are enough.

        Parameters
        ----------
        batch : array-like of shape (n_motifs, n_features)
            Rows. Of those that are no motifs, or lie beyond the ranges that are searched,
            the nearest motifs are taken.

        Returns
        -------
        bool
            Whether one was new.

        Raises
        ------
        ValueError
            If these are no rows of finite numbers, one for each column.

        Warns
        -----
        UserWarning
            If rows are no motifs, or lie beyond the ranges.
        """
        rows, before = self._checked(batch), len(self._rows)
        # Bit by bit: a batch may be much larger than what is needed, and networks take time.
        for start in range(0, len(rows), max(self.n, 1)):
            if self.is_full:
                break
            self._add(rows[start : start + self.n])
        return len(self._rows) > before

    def _add(self, rows: Motifs) -> None:
        rows = self._searched(rows)
        if self.fixed and len(rows):
            rows = with_fixed_columns(self.motif_space, rows, self.fixed)
        for row, key in zip(rows, self._keys_of(rows), strict=True):
            if key not in self._keys:
                self._keys.add(key)
                self._rows.append(row)

    def rows(self) -> Motifs:
        """Return the motifs that were new.

        Returns
        -------
        ndarray of shape (n, n_features)
            Fewer where there are not as many.
        """
        return np.reshape(self._rows[: self.n], (-1, self._n_columns))

    def _checked(self, batch: ArrayLike) -> Motifs:
        """Return a batch as rows of finite numbers."""
        rows = floats_of(batch, f"{self.source} proposed")
        if not rows.size:
            return np.empty((0, self._n_columns))
        if rows.ndim != 2 or rows.shape[1] != self._n_columns:
            raise ValueError(
                f"{self.source} proposed an array of shape {rows.shape}; motifs of "
                f"{type(self.motif_space).__name__} have the shape (n_motifs, {self._n_columns})."
            )
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{self.source} proposed numbers that are not finite: {rows[~finite][0].tolist()}."
            )
        return rows

    def _searched(self, rows: Motifs) -> Motifs:
        """Return motifs within the ranges for rows that may be none."""
        legal = self._are_motifs(rows)
        searched = legal & self.motif_space._is_searched(rows)
        # Motifs that were known before a search may lie beyond its ranges, and so do copies
        # of them. Whatever else lies there is a mistake.
        beyond = legal & ~searched
        strays = ~searched
        strays[beyond] = [key not in self._keys for key in self._keys_of(rows[beyond])]
        if strays.any():
            warnings.warn(
                f"{self.source} proposed {np.count_nonzero(strays)} rows that are no motifs within "
                f"the ranges of {type(self.motif_space).__name__}, such as "
                f"{rows[strays][0].tolist()}; the nearest motifs are taken.",
                stacklevel=5,
            )
            rows[strays] = self.motif_space.repair(self.motif_space._within_ranges(rows[strays]))
        # Numbers on a step may differ from it by rounding, and would be two motifs.
        return self.motif_space._within_ranges(rows[searched | strays])

    def _are_motifs(self, rows: Motifs) -> NDArray[np.bool_]:
        """Return which rows are motifs."""
        if _is_valid(self.motif_space, rows):  # nearly always
            return np.ones(len(rows), dtype=bool)
        return np.array([_is_valid(self.motif_space, row[None]) for row in rows], dtype=bool)

    def _keys_of(self, rows: Motifs) -> list[Hashable]:
        return self.motif_space.canonical_keys(rows) if len(rows) else []


def _is_valid(motif_space: MotifSpace, rows: Motifs) -> bool:
    try:
        motif_space.validate(rows)
    except ValueError:
        return False
    return True


def with_fixed_columns(motif_space: MotifSpace, X: Motifs, fixed: Mapping[int, float]) -> Motifs:
    """Set columns of motifs, leaving out those that would become other motifs again.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    X : ndarray of shape (n_motifs, n_features)
        Motifs.
    fixed : dict of int to float
        Numbers by the positions of columns.

    Returns
    -------
    ndarray of shape (n_fixed, n_features)
        Legal motifs that stay the same when a trial has the fixed numbers in their columns.
    """
    kept = []
    for row in X:
        motif = _fix(motif_space, row, fixed)
        # A number that the space overrides is one without a meaning, such as a constant that
        # the formula does not use. Or it makes another motif, which was not asked for.
        if motif is None:
            continue
        again = _fix(motif_space, motif, fixed)
        if again is not None and np.array_equal(again, motif):
            kept.append(motif)
    return np.reshape(kept, (-1, X.shape[1]))


def _fix(motif_space: MotifSpace, row: Motifs, fixed: Mapping[int, float]) -> Motifs | None:
    """Return the motif that a trial with the fixed numbers has; None where it has none."""
    changed = row.copy()
    changed[list(fixed)] = list(fixed.values())
    try:
        return motif_space._of_params(changed)
    except ValueError:
        return None
