"""The paper's task: random inputs, random labels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sk_petridish._compat._validation import Constraints, validated

from ._base import Samples, Task, one_hot
from ._spec import SampleSpec


class GaussianTask(Task):
    """Inputs from N(0, 1), labels that have nothing to do with them (section 3.1).

    Motif-networks can only memorise these samples. Labels are fair coins for every output,
    a class in equal shares, or N(0, 1).

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
    >>> from sk_petridish.tasks import GaussianTask, SampleSpec
    >>> x, y = GaussianTask().draw(SampleSpec(4, 3, 2, "binary"), np.random.default_rng(0))
    >>> x.shape
    (4, 3)
    >>> y
    array([[0., 1.],
           [1., 0.],
           [1., 1.],
           [1., 0.]])
    >>> images = GaussianTask(dense=True).draw(
    ...     SampleSpec(4, 3, 2, "class", sample_shape=(8, 8)), np.random.default_rng(0)
    ... )
    >>> [array.shape for array in images]
    [(4, 8, 8, 3), (4, 8, 8, 2)]
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "dense": ["boolean"],
    }

    @validated
    def __init__(self, dense: bool = False) -> None:
        self.dense = dense

    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        x = generator.standard_normal((spec.n_samples, *spec.sample_shape, spec.n_inputs))
        labelled = (spec.n_samples, *spec.positions) if self.dense else (spec.n_samples,)
        match spec.labels:
            case "binary":
                y = generator.integers(0, 2, (*labelled, spec.n_outputs)).astype(np.float64)
            case "class":
                y = one_hot(generator.integers(0, spec.n_outputs, labelled), spec.n_outputs)
            case "real":
                y = generator.standard_normal((*labelled, spec.n_outputs))
        return x, y
