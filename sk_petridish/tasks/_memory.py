"""Labels that say what the input was before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._base import LabelKind, Positions, Samples, Task, to_labels


class MemoryTask(Task):
    """Inputs from N(0, 1), labels made of earlier inputs.

    Output ``j`` at time ``t`` is about input feature ``j`` (modulo their number) at time
    ``t - lag``, where outputs take turns through the lags. On an image, time runs along
    its rows. A plain sample has no past: its labels are about itself. Labels of which the
    past lies before the sequence cannot be learned, only memorised.

    Every position has a label.

    Parameters
    ----------
    lags : sequence of int, default=(1, 2, 3, 4)
        How long ago.
    xor : bool, default=False
        Whether the label is about the product of the inputs then and now, so that none of
        them says anything alone; without a lag, of two features.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import MemoryTask
    >>> x, y = MemoryTask(lags=[2]).draw(
    ...     5, 3, 3, "binary", np.random.default_rng(0), positions=(8,)
    ... )
    >>> bool(((x[:, :-2] > 0) == y[:, 2:]).mean() > 0.9)
    True
    """

    def __init__(self, lags: Sequence[int] = (1, 2, 3, 4), xor: bool = False) -> None:
        self.lags = lags
        self.xor = xor

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
            Of what is to be remembered, centred over the samples: the signs; the output
            where it is largest; or the numbers, at unit variance.
        generator : numpy.random.Generator
            Where randomness comes from.
        positions : tuple of int, default=()
            Axes of a sample beside its features.

        Returns
        -------
        x : ndarray of shape (n_samples, *positions, n_inputs)
            Inputs.
        y : ndarray of shape (n_samples, *positions, n_outputs)
            Labels.

        Raises
        ------
        ValueError
            If there are no lags, or one is negative.
        """
        if not len(self.lags) or min(self.lags) < 0:
            raise ValueError(f"lags must be some whole numbers from 0 on, got {self.lags!r}.")
        # The last axis of positions is time; a plain sample is a sequence of one.
        *others, length = positions or (1,)
        longest = max(self.lags) if positions else 0
        past = generator.standard_normal((n_samples, *others, longest + length, n_inputs))
        remembered = []
        for output in range(n_outputs):
            lag = min(self.lags[output % len(self.lags)], longest)
            feature = past[..., output % n_inputs]
            now = feature[..., longest:]
            then = feature[..., longest - lag : longest - lag + length]
            if lag == 0:  # of what is there, the product is with the next feature
                now = past[..., longest:, (output + 1) % n_inputs]
            remembered.append(then * now if self.xor else then)
        x = past[..., longest:, :].reshape(n_samples, *positions, n_inputs)
        y = np.stack(remembered, axis=-1).reshape(n_samples, *positions, n_outputs)
        return x, to_labels(y, labels)
