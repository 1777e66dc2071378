"""What every task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

Samples = NDArray[np.float64]
LabelKind = Literal["binary", "class", "real"]


class Task(ABC, BaseEstimator):
    """Where a dish's first synthetic data and labels come from.

    Outer learning moves the synthetic data away from there; the structure of the
    labels decides what the motif-networks can learn at all. A task has no state:
    it is a :class:`~sklearn.base.BaseEstimator` without ``fit``, so that its
    parameters can be set and searched.
    """

    @abstractmethod
    def draw(
        self,
        n_samples: int,
        n_inputs: int,
        n_outputs: int,
        labels: LabelKind,
        generator: np.random.Generator,
    ) -> tuple[Samples, Samples]:
        """Draw synthetic samples.

        Samples of one call belong together: where a task has a hidden rule, they
        all follow it.

        Parameters
        ----------
        n_samples : int
            How many.
        n_inputs, n_outputs : int
            Widths of the motif-network.
        labels : {"binary", "class", "real"}
            What the inner loss needs: zeros and ones, independent for every
            output; one-hot rows; or real numbers of about unit variance.
        generator : numpy.random.Generator
            Where randomness comes from.

        Returns
        -------
        x : ndarray of shape (n_samples, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs)
            Labels.
        """
