"""Labels that a random network computes from the inputs."""

from __future__ import annotations

import numpy as np

from ._base import LabelKind, Samples, Task


class TeacherTask(Task):
    """Inputs from N(0, 1), labels from a random tanh network that sees them.

    Unlike the random labels of the paper, these can be learned and not only
    memorised, so a motif-network shows how well its motif fits a function.

    Parameters
    ----------
    n_hidden : int, default=10
        Hidden units of the teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import TeacherTask
    >>> x, y = TeacherTask().draw(100, 10, 3, "class", np.random.default_rng(0))
    >>> y.sum(axis=1).min(), y.sum(axis=1).max()
    (np.float64(1.0), np.float64(1.0))
    """

    def __init__(self, n_hidden: int = 10) -> None:
        self.n_hidden = n_hidden

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
            Of the teacher's outputs, centred over the samples: their signs; the
            largest in each row; or themselves, at unit variance.
        generator : numpy.random.Generator
            Where randomness comes from, the teacher's weights too.

        Returns
        -------
        x : ndarray of shape (n_samples, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, n_outputs)
            Labels.
        """
        first = generator.standard_normal((n_inputs, self.n_hidden)) / np.sqrt(n_inputs)
        second = generator.standard_normal((self.n_hidden, n_outputs))
        x = generator.standard_normal((n_samples, n_inputs))
        outputs = np.tanh(x @ first) @ second
        outputs -= outputs.mean(axis=0)
        match labels:
            case "binary":
                y = (outputs > 0).astype(np.float64)
            case "class":
                y = np.eye(n_outputs)[outputs.argmax(axis=1)]
            case "real":
                scale = outputs.std(axis=0)
                y = outputs / np.where(scale > 0, scale, 1.0)
        return x, y
