"""What every task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from sk_petridish._compat._validation import ValidatedParameters

from ._spec import LabelKind, SampleSpec

Samples = NDArray[np.float64]


class Task(ABC, ValidatedParameters):
    """Where a dish's first synthetic data and labels come from.

    Outer learning moves the synthetic data away from there; the structure of the
    labels decides what the motif-networks can learn at all. A task has no state:
    it is a :class:`~sklearn.base.BaseEstimator` without ``fit``, so that its
    parameters can be set and searched.

    A subclass draws samples in ``_draw(spec, generator)``, with one label a sample, or one for
    every position of it or of the output.

    Examples
    --------
    A task whose labels are the inputs:

    >>> import numpy as np
    >>> from sk_petridish.tasks import SampleSpec, Task
    >>> class Echo(Task):
    ...     def _draw(self, spec, generator):
    ...         shape = (spec.n_samples, *spec.sample_shape, spec.n_inputs)
    ...         x = generator.standard_normal(shape)
    ...         return x, x
    >>> spec = SampleSpec(5, 3, 3, "real", sample_shape=(8, 8), output_shape=(4, 4))
    >>> x, y = Echo().draw(spec, np.random.default_rng(0))
    >>> x.shape, y.shape
    ((5, 8, 8, 3), (5, 4, 4, 3))
    """

    def draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        """Draw synthetic samples.

        Samples of one call belong together: where a task has a hidden rule, they
        all follow it.

        Parameters
        ----------
        spec : SampleSpec
            How many samples, of which shape, with which labels.
        generator : numpy.random.Generator
            Where randomness comes from, also that of a hidden rule.

        Returns
        -------
        x : ndarray of shape (n_samples, *sample_shape, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs) or (n_samples, *output_shape, n_outputs)
            Labels of samples, or of every position of the output. Labels of sequences are
            compared with the last output, those of images with the mean over all positions.

        Raises
        ------
        ValueError
            If the task has no such samples, or a parameter cannot be.
        """
        self._check_params()
        x, y = self._draw(spec, generator)
        return x, _at_outputs(y, spec)

    @abstractmethod
    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        """Draw samples; labels may be there for every position of a sample."""


def _at_outputs(y: Samples, spec: SampleSpec) -> Samples:
    """Keep the labels of those positions of samples for which there are outputs.

    Behind strides of s in all, output i looks at what is around position s i.
    """
    if spec.positions in (spec.sample_shape, ()) or y.shape[1:-1] != spec.sample_shape:
        return y
    for axis, (n_in, n_out) in enumerate(
        zip(spec.sample_shape, spec.positions, strict=True), start=1
    ):
        stride = -(-n_in // n_out)
        y = y.take(np.minimum(stride * np.arange(n_out), n_in - 1), axis=axis)
    return y


def to_labels(outputs: Samples, labels: LabelKind) -> Samples:
    """Return labels made of the outputs of a hidden rule, centred over all but the last axis.

    Parameters
    ----------
    outputs : ndarray of shape (..., n_outputs)
        Outputs of the rule.
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
    """Return classes as one-hot rows.

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
    """Return labels made of symbols.

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
