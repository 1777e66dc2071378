"""The paper's task: random inputs, random labels."""

from __future__ import annotations

import numpy as np

from ._base import LabelKind, Positions, Samples, Task, one_hot


class GaussianTask(Task):
    """Inputs from N(0, 1), labels that have nothing to do with them (section 3.1).

    Motif-networks can only memorise these samples.

    Parameters
    ----------
    dense : bool, default=False
        Whether every position of a sequence or an image has a label of its own. On images
        of white noise this is the best known single task for convolutional cells:
        classifying whole images by a mean over their positions rewards pooling, which real
        networks do not.

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
    >>> images = GaussianTask(dense=True).draw(
    ...     4, 3, 2, "class", np.random.default_rng(0), positions=(8, 8)
    ... )
    >>> [array.shape for array in images]
    [(4, 8, 8, 3), (4, 8, 8, 2)]
    """

    def __init__(self, dense: bool = False) -> None:
        self.dense = dense

    def draw(
        self,
        n_samples: int,
        n_inputs: int,
        n_outputs: int,
        labels: LabelKind,
        generator: np.random.Generator,
        positions: Positions = (),
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
        positions : tuple of int, default=()
            Axes of a sample beside its features.

        Returns
        -------
        x : ndarray of shape (n_samples, *positions, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs) or (n_samples, *positions, n_outputs)
            Labels.
        """
        x = generator.standard_normal((n_samples, *positions, n_inputs))
        labelled = (n_samples, *positions) if self.dense else (n_samples,)
        match labels:
            case "binary":
                y = generator.integers(0, 2, (*labelled, n_outputs)).astype(np.float64)
            case "class":
                y = one_hot(generator.integers(0, n_outputs, labelled), n_outputs)
            case "real":
                y = generator.standard_normal((*labelled, n_outputs))
        return x, y
