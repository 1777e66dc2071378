"""Samples of real data as a dish's first synthetic ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._base import LabelKind, Positions, Samples, Task, of_symbols


class SampleTask(Task):
    """Samples of the user's own data.

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
    >>> from sk_petridish.tasks import SampleTask
    >>> digits, classes = load_digits(return_X_y=True)
    >>> task = SampleTask(scale(digits), classes)
    >>> x, y = task.draw(20, 64, 10, "class", np.random.default_rng(0))
    >>> x.shape, y.shape
    ((20, 64), (20, 10))
    """

    def __init__(self, X: ArrayLike, y: ArrayLike) -> None:
        self.X = X
        self.y = y

    def draw(
        self,
        n_samples: int,
        n_inputs: int,
        n_outputs: int,
        labels: LabelKind,
        generator: np.random.Generator,
        positions: Positions = (),
    ) -> tuple[Samples, Samples]:
        """Draw samples, without replacement; see :meth:`Task.draw`.

        Parameters
        ----------
        n_samples : int
            How many.
        n_inputs, n_outputs : int
            Widths of the motif-network.
        labels : {"binary", "class", "real"}
            Classes become one-hot rows, for "real" at zero mean and unit variance; other
            labels are as they are.
        generator : numpy.random.Generator
            Where randomness comes from.
        positions : tuple of int, default=()
            Axes of a sample beside its features.

        Returns
        -------
        x : ndarray of shape (n_samples, *positions, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs) or (n_samples, *positions, n_outputs)
            Labels.

        Raises
        ------
        ValueError
            If there are too few rows, or they have another shape or more classes.
        """
        x, y = np.asarray(self.X, np.float64), np.asarray(self.y)
        if x.shape[1:] != (*positions, n_inputs) or len(x) != len(y):
            raise ValueError(
                f"The dish needs samples of shape {(*positions, n_inputs)} with labels, but "
                f"SampleTask has X of shape {x.shape} and y of shape {y.shape}."
            )
        if len(x) < n_samples:
            raise ValueError(f"The dish needs {n_samples} samples, SampleTask has {len(x)}.")
        rows = generator.choice(len(x), n_samples, replace=False)
        x, y = x[rows], y[rows]
        whole = y.dtype.kind in "iu"
        if y.shape == (n_samples,) or (whole and y.shape == (n_samples, *positions)):
            return x, self._of_classes(y, n_outputs, labels)
        if y.shape not in ((n_samples, n_outputs), (n_samples, *positions, n_outputs)):
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
