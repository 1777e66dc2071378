"""The paper's task: random inputs, random labels."""

from __future__ import annotations

import numpy as np

from ._base import LabelKind, Samples, Task


class GaussianTask(Task):
    """Inputs from N(0, 1), labels that have nothing to do with them (section 3.1).

    Motif-networks can only memorise these samples.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import GaussianTask
    >>> x, y = GaussianTask().draw(4, 3, 2, "binary", np.random.default_rng(0))
    >>> x.shape
    (4, 3)
    >>> y
    array([[0., 1.],
           [1., 0.],
           [1., 1.],
           [1., 0.]])
    """

    def draw(
        self,
        n_samples: int,
        n_inputs: int,
        n_outputs: int,
        labels: LabelKind,
        generator: np.random.Generator,
    ) -> tuple[Samples, Samples]:
        """Draw synthetic samples; see :meth:`Task.draw`.

        Parameters
        ----------
        n_samples : int
            How many.
        n_inputs, n_outputs : int
            Widths of the motif-network.
        labels : {"binary", "class", "real"}
            Fair coins for every output; a class in equal shares; or N(0, 1).
        generator : numpy.random.Generator
            Where randomness comes from.

        Returns
        -------
        x : ndarray of shape (n_samples, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs)
            Labels.
        """
        x = generator.standard_normal((n_samples, n_inputs))
        match labels:
            case "binary":
                y = generator.integers(0, 2, (n_samples, n_outputs)).astype(np.float64)
            case "class":
                y = np.eye(n_outputs)[generator.integers(0, n_outputs, n_samples)]
            case "real":
                y = generator.standard_normal((n_samples, n_outputs))
        return x, y
