"""Losses, read off features by several regressors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, clone

from ._evaluated_motifs import Losses
from ._normal_scores import NormalScores
from ._readers import Reader
from ._uncertainty import spread_over_dishes

# One block of columns for each bank, (n_motifs, n_features).
Blocks = Sequence[NDArray[np.float64]]


class Reading(NamedTuple):
    """Regressors that predict normal scores of losses, each from one block of features.

    Parameters
    ----------
    scores : NormalScores
        Turns scores into losses.
    readers : list of lists of regressors
        Those of each block.
    """

    scores: NormalScores
    readers: list[list[RegressorMixin]]

    @classmethod
    def fit(cls, readers: Sequence[Reader], blocks: Blocks, y: Losses, weights: Losses) -> Reading:
        """Fit every reader on every block.

        Parameters
        ----------
        readers : sequence of (str, regressor) tuples
            Unfitted.
        blocks : sequence of ndarray of shape (n_motifs, n_features)
            Features.
        y : ndarray of shape (n_motifs,)
            Losses.
        weights : ndarray of shape (n_motifs,)
            How often each motif counts; only their ratios matter.

        Returns
        -------
        Reading
            Fitted readers.
        """
        given = {} if np.ptp(weights) == 0 else {"sample_weight": weights / weights.mean()}
        scores = NormalScores().fit(y[:, None], **given)
        target = scores.transform(y[:, None])[:, 0]
        return cls(
            scores,
            [
                [clone(reader).fit(block, target, **given) for _, reader in readers]
                for block in blocks
            ],
        )

    def predict(self, blocks: Blocks) -> tuple[Losses, Losses]:
        """Predict losses, and how far the readers are apart.

        Parameters
        ----------
        blocks : sequence of ndarray of shape (n_motifs, n_features)
            Features.

        Returns
        -------
        prediction : ndarray of shape (n_motifs,)
            The loss of the mean score.
        spread : ndarray of shape (n_motifs,)
            Standard deviation over the losses that single readers predict.
        """
        scores = np.array(
            [
                [reader.predict(block) for reader in readers]
                for readers, block in zip(self.readers, blocks, strict=True)
            ]
        )
        # One mean per block, so that a few zero-cost measures count as much as the bank.
        prediction = self._losses(scores.mean(axis=1).mean(axis=0))
        return prediction, spread_over_dishes(self._losses(scores).reshape(-1, scores.shape[-1]))

    def _losses(self, scores: NDArray[np.float64]) -> Losses:
        """Turn scores of any shape into losses."""
        losses: Losses = self.scores.inverse_transform(scores.reshape(-1, 1)).reshape(scores.shape)
        return losses
