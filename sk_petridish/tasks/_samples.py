"""Samples of real data as a dish's first synthetic ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from sk_petridish._compat._constraints import ArrayOfNumbers
from sk_petridish._compat._validation import Constraints, validated

from ._base import Samples, Task, of_symbols
from ._spec import LabelKind, SampleSpec


class SampleTask(Task):
    """Samples of the user's own data, drawn without replacement.

    Classes become one-hot rows, for real labels at zero mean and unit variance; other
    labels are as they are.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_inputs), (n_rows, n_time_steps, n_inputs) or \
(n_rows, height, width, n_inputs)
        Inputs, of the kind and shape that the dish is asked for.
    y : array-like
        Labels: classes from 0 on, of shape (n_rows,), or as integers with an axis for each
        position where every position has one; or, with an axis more, the outputs
        themselves.

    Notes
    -----
    Features of about zero mean and unit variance suit the recommended settings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import scale
    >>> from sk_petridish.tasks import SampleSpec, SampleTask
    >>> digits, classes = load_digits(return_X_y=True)
    >>> task = SampleTask(scale(digits), classes)
    >>> x, y = task.draw(SampleSpec(20, 64, 10, "class"), np.random.default_rng(0))
    >>> x.shape, y.shape
    ((20, 64), (20, 10))
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "X": [ArrayOfNumbers()],
        "y": [ArrayOfNumbers()],
    }

    @validated
    def __init__(self, X: ArrayLike, y: ArrayLike) -> None:
        self.X = X
        self.y = y

    def _check_together(self) -> None:
        n_rows, n_labels = np.shape(self.X)[0], np.shape(self.y)[0]
        if n_rows != n_labels:
            raise ValueError(f"SampleTask has {n_rows} rows in X, but {n_labels} labels in y.")

    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        n_samples, n_outputs = spec.n_samples, spec.n_outputs
        wanted = (*spec.sample_shape, spec.n_inputs)
        x, y = np.asarray(self.X, np.float64), np.asarray(self.y)
        if x.shape[1:] != wanted or len(x) != len(y):
            raise ValueError(
                f"The dish needs samples of shape {wanted} with labels, but "
                f"SampleTask has X of shape {x.shape} and y of shape {y.shape}."
            )
        if len(x) < n_samples:
            raise ValueError(f"The dish needs {n_samples} samples, SampleTask has {len(x)}.")
        rows = generator.choice(len(x), n_samples, replace=False)
        x, y = x[rows], y[rows]
        whole = y.dtype.kind in "iu"
        # One label a sample, or one a position of the sample or of the output.
        labelled = [(n_samples, *shape) for shape in ((), spec.sample_shape, spec.positions)]
        if y.shape == (n_samples,) or (whole and y.shape in labelled):
            return x, self._of_classes(y, n_outputs, spec.labels)
        if y.shape not in [(*shape, n_outputs) for shape in labelled]:
            raise ValueError(
                f"The dish has {n_outputs} outputs, but SampleTask y of shape {y.shape}."
            )
        return x, y.astype(np.float64)

    def _of_classes(self, y: Samples, n_outputs: int, labels: LabelKind) -> Samples:
        classes = y.astype(np.int64)
        if (classes != y).any() or classes.min() < 0 or classes.max() >= n_outputs:
            raise ValueError(
                f"The dish has {n_outputs} outputs, so that classes are whole numbers from 0 to "
                f"{n_outputs - 1}; SampleTask y goes from {y.min()} to {y.max()}."
            )
        return of_symbols(classes, n_outputs, labels)
