"""What every task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

Samples = NDArray[np.float64]
LabelKind = Literal["binary", "class", "real"]
"""What an inner loss compares outputs with."""

Positions = tuple[int, ...]
"""Axes of a sample beside its features: none, time, or height and width."""


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
        positions: Positions = (),
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
        positions : tuple of int, default=()
            Axes of a sample beside its features: none, ``(n_time_steps,)`` of a sequence, or
            ``(height, width)`` of an image.

        Returns
        -------
        x : ndarray of shape (n_samples, *positions, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs) or (n_samples, *positions, n_outputs)
            Labels of samples, or of every position. Labels of sequences are compared with
            the last output, those of images with the mean over all positions.
        """


def to_labels(outputs: Samples, labels: LabelKind) -> Samples:
    """Make labels of what a hidden rule gives, centred over all but the last axis.

    Parameters
    ----------
    outputs : ndarray of shape (..., n_outputs)
        What the rule gives.
    labels : {"binary", "class", "real"}
        Its signs; the largest in each row; or itself at unit variance.

    Returns
    -------
    ndarray of shape (..., n_outputs)
        Labels.
    """
    axes = tuple(range(outputs.ndim - 1))
    outputs = outputs - outputs.mean(axis=axes)
    match labels:
        case "binary":
            return (outputs > 0).astype(np.float64)
        case "class":
            return one_hot(outputs.argmax(axis=-1), outputs.shape[-1])
    scale = outputs.std(axis=axes)
    return np.asarray(outputs / np.where(scale > 0, scale, 1.0))


def one_hot(classes: NDArray[np.int64], n_classes: int) -> Samples:
    """Write classes as rows with a single one.

    Parameters
    ----------
    classes : ndarray of int
        Classes from 0 on.
    n_classes : int
        How many there are.

    Returns
    -------
    ndarray of shape (*classes.shape, n_classes)
        Rows.
    """
    return np.eye(n_classes)[classes]


def of_symbols(symbols: NDArray[np.int64], n_symbols: int, labels: LabelKind) -> Samples:
    """Make labels of symbols.

    Parameters
    ----------
    symbols : ndarray of int
        Symbols from 0 on.
    n_symbols : int
        How many there are.
    labels : {"binary", "class", "real"}
        One-hot rows; "real" scales them to zero mean and unit variance.

    Returns
    -------
    ndarray of shape (*symbols.shape, n_symbols)
        Labels.
    """
    rows = one_hot(symbols, n_symbols)
    return to_labels(rows, "real") if labels == "real" else rows
