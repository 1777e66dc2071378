"""Ground truths that were measured before."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

import numpy as np
import optuna
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sk_petridish._compat._constraints import ArrayOfNumbers
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.motifs import MotifSpace

from ._epochs import train_on


class TabularGroundTruth(BaseEstimator):
    """Looks losses up in a table, such as a published benchmark.

    Search methods can be compared on it with hundreds of seeds. Rows that are the same
    network, by the motif space's canonical form, are one entry with the mean of their
    losses.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    X : array-like of shape (n_motifs, n_features)
        Motifs.
    y : array-like of shape (n_motifs,) or (n_motifs, n_epochs)
        Their losses; or the losses after each epoch, the last of which counts. Trials are
        told of epochs, so that a pruner can end an evaluation.

    Attributes
    ----------
    motif_space : MotifSpace
        What a row means.
    X : ndarray of shape (n_entries, n_features)
        The motifs, the first row of each network.
    y : ndarray of shape (n_entries,)
        Their losses.
    curves : ndarray of shape (n_entries, n_epochs)
        Their losses after each epoch.

    Raises
    ------
    ValueError
        If a row is no motif, a loss is not finite, or their numbers differ.

    See Also
    --------
    MLPGroundTruth : Trains networks.

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> from sk_petridish.search.ground_truth import TabularGroundTruth
    >>> space = ConvCell()
    >>> X = space.encode(["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"])
    >>> table = TabularGroundTruth(space, X, [6.5])
    >>> table(X[0])
    6.5
    >>> space.sample(1, random_state=0)[0] in table
    False
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace],
        "X": [ArrayOfNumbers(finite=False)],
        "y": [ArrayOfNumbers(finite=False)],
    }

    @validated
    def __init__(self, motif_space: MotifSpace, X: ArrayLike, y: ArrayLike) -> None:
        rows = motif_space.validate(X)
        losses = np.asarray(y, dtype=np.float64)
        curves = losses[:, None] if losses.ndim == 1 else losses
        if curves.ndim != 2 or len(curves) != len(rows) or not curves.shape[1]:
            raise ValueError(
                f"y must have a loss, or a row of losses, for each of the {len(rows)} motifs of X; "
                f"its shape is {losses.shape}."
            )
        if not np.isfinite(curves).all():
            raise ValueError("y has losses that are not finite; leave these motifs out.")
        entries: dict[Hashable, list[int]] = {}
        for number, key in enumerate(motif_space.canonical_keys(rows)):
            entries.setdefault(key, []).append(number)
        groups = list(entries.values())
        self.motif_space = motif_space
        self.X = rows[[group[0] for group in groups]]
        self.curves = np.array([curves[group].mean(axis=0) for group in groups])
        self.y: NDArray[np.float64] = self.curves[:, -1]
        self._places = {key: place for place, key in enumerate(entries)}

    def __call__(self, row: ArrayLike, trial: optuna.trial.BaseTrial | None = None) -> float:
        """Look a loss up.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.
        trial : optuna.trial.BaseTrial, default=None
            A trial that is told the loss after every epoch and may be pruned.

        Returns
        -------
        float
            The loss.

        Raises
        ------
        LookupError
            If the table has no such network.
        optuna.TrialPruned
            If the trial's pruner ends the evaluation early.
        """
        curve = self.curves[self._place(row)].tolist()
        # One loss is no curve to tell of.
        return train_on(curve, len(curve), trial if len(curve) > 1 else None)

    def __contains__(self, row: ArrayLike) -> bool:
        """Say whether the table has the network of a motif."""
        return self._key(row) in self._places

    def entry(self, row: ArrayLike) -> NDArray[np.float64]:
        """Return the table's own row for the network of a motif.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Returns
        -------
        ndarray of shape (n_features,)
            The row of ``X`` that is the same network.

        Raises
        ------
        LookupError
            If the table has no such network.
        """
        entry: NDArray[np.float64] = self.X[self._place(row)]
        return entry

    def _key(self, row: ArrayLike) -> Hashable:
        return self.motif_space.canonical_keys(np.asarray(row)[None])[0]

    def _place(self, row: ArrayLike) -> int:
        try:
            return self._places[self._key(row)]
        except KeyError:
            raise LookupError(
                f"The table has no network of the motif {np.asarray(row).tolist()}."
            ) from None
