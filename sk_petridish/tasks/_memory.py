"""Labels that say what the input was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from sk_petridish._compat._constraints import SequenceOf, integers
from sk_petridish._compat._validation import Constraints, validated

from ._base import Samples, Task, to_labels
from ._spec import SampleSpec


class MemoryTask(Task):
    """Inputs from N(0, 1), labels made of earlier inputs.

    Output ``j`` at time ``t`` is about input feature ``j`` (modulo their number) at time
    ``t - lag``, where outputs take turns through the lags. On an image, time runs along
    its rows. A plain sample has no past: its labels are about itself. Labels of which the
    past lies before the sequence cannot be learned, only memorised.

    Every position has a label, of what is to be remembered, centred over the samples: the
    signs; the output where it is largest; or the numbers, at unit variance.

    Parameters
    ----------
    lags : sequence of int, default=(1, 2, 3, 4)
        How long ago. One at least must lie within a sample of several steps.
    xor : bool, default=False
        Whether the label is about the product of the inputs then and now, so that none of
        them says anything alone; without a lag, of two features.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import MemoryTask, SampleSpec
    >>> spec = SampleSpec(5, 3, 3, "binary", sample_shape=(8,))
    >>> x, y = MemoryTask(lags=[2]).draw(spec, np.random.default_rng(0))
    >>> bool(((x[:, :-2] > 0) == y[:, 2:]).mean() > 0.9)
    True
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "lags": [SequenceOf(integers(0))],
        "xor": ["boolean"],
    }

    @validated
    def __init__(self, lags: Sequence[int] = (1, 2, 3, 4), xor: bool = False) -> None:
        self.lags = lags
        self.xor = xor

    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        # The last axis of a sample is time; a vector is a sequence of one, without a past.
        *others, length = spec.sample_shape or (1,)
        longest = 0 if spec.data_kind == "vectors" else max(self.lags)
        # One step has no past either, whatever the lags.
        if length > 1 and min(self.lags) >= length:
            raise ValueError(
                f"MemoryTask has lags={self.lags!r}, all of them as long as the {length} steps of "
                "a sample or longer: no label would be about what is in it."
            )
        past = generator.standard_normal((spec.n_samples, *others, longest + length, spec.n_inputs))
        remembered = []
        for output in range(spec.n_outputs):
            lag = min(self.lags[output % len(self.lags)], longest)
            feature = past[..., output % spec.n_inputs]
            now = feature[..., longest:]
            then = feature[..., longest - lag : longest - lag + length]
            if lag == 0:  # of what is there, the product is with the next feature
                now = past[..., longest:, (output + 1) % spec.n_inputs]
            remembered.append(then * now if self.xor else then)
        shape = (spec.n_samples, *spec.sample_shape)
        x = past[..., longest:, :].reshape(*shape, spec.n_inputs)
        y = np.stack(remembered, axis=-1).reshape(*shape, spec.n_outputs)
        return x, to_labels(y, spec.labels)
