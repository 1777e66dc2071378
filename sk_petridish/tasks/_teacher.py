"""Labels that a random network computes from the inputs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import DataKind

from ._base import Samples, Task, to_labels
from ._spec import SampleSpec


class TeacherTask(Task):
    """Inputs from N(0, 1), labels from a random network that sees them.

    Unlike the random labels of the paper, these can be learned and not only
    memorised, so a motif-network shows how well its motif fits a function. The teacher of
    plain samples has one tanh layer; that of sequences is an LSTM; that of images has two
    3 x 3 convolutions with a tanh between them. Labels are made of its outputs, centred over
    the samples: their signs; the largest in each row; or themselves, at unit variance.

    Parameters
    ----------
    n_hidden : int, default=10
        Hidden units of the teacher.
    dense : bool, default=False
        Whether every position of a sequence or an image has a label of its own. Otherwise
        a sequence has one for its end, an image one for the mean over its positions.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import SampleSpec, TeacherTask
    >>> x, y = TeacherTask().draw(SampleSpec(100, 10, 3, "class"), np.random.default_rng(0))
    >>> y.sum(axis=1).min(), y.sum(axis=1).max()
    (np.float64(1.0), np.float64(1.0))
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "n_hidden": [integers(1)],
        "dense": ["boolean"],
    }

    @validated
    def __init__(self, n_hidden: int = 10, dense: bool = False) -> None:
        self.n_hidden = n_hidden
        self.dense = dense

    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        taught = _TEACHERS[spec.data_kind](spec.n_inputs, self.n_hidden, spec.n_outputs, generator)
        x = generator.standard_normal((spec.n_samples, *spec.sample_shape, spec.n_inputs))
        outputs = taught(x)
        if not self.dense and spec.data_kind == "sequences":
            outputs = outputs[:, -1]
        if not self.dense and spec.data_kind == "images":
            outputs = outputs.mean(axis=(1, 2))
        return x, to_labels(outputs, spec.labels)


class _Perceptron:
    """One tanh layer and a readout."""

    def __init__(
        self, n_inputs: int, n_hidden: int, n_outputs: int, generator: np.random.Generator
    ) -> None:
        self._first = generator.standard_normal((n_inputs, n_hidden)) / np.sqrt(n_inputs)
        self._second = generator.standard_normal((n_hidden, n_outputs))

    def __call__(self, x: Samples) -> Samples:
        return np.asarray(np.tanh(x @ self._first) @ self._second)


class _LSTM:
    """A long short-term memory, whose gates are open enough to remember, and a readout."""

    def __init__(
        self, n_inputs: int, n_hidden: int, n_outputs: int, generator: np.random.Generator
    ) -> None:
        scale = 2 / np.sqrt(n_inputs + n_hidden)
        self._gates = scale * generator.standard_normal((n_inputs + n_hidden, 4 * n_hidden))
        self._readout = generator.standard_normal((n_hidden, n_outputs))

    def __call__(self, x: Samples) -> Samples:
        cell = state = np.zeros((len(x), self._readout.shape[0]))
        outputs = []
        for at_one_time in np.moveaxis(x, 1, 0):
            parts = np.split(np.hstack([at_one_time, state]) @ self._gates, 4, axis=1)
            # A bias of one on the gate that forgets, as is usual.
            keep, write, show = (_sigmoid(part) for part in (parts[0] + 1, *parts[1:3]))
            cell = keep * cell + write * np.tanh(parts[3])
            state = show * np.tanh(cell)
            outputs.append(state @ self._readout)
        return np.stack(outputs, axis=1)


class _Convolutions:
    """Two 3 x 3 convolutions with a tanh between them, zero beyond the edge."""

    def __init__(
        self, n_inputs: int, n_hidden: int, n_outputs: int, generator: np.random.Generator
    ) -> None:
        self._first = generator.standard_normal((9 * n_inputs, n_hidden)) / np.sqrt(n_inputs)
        self._second = generator.standard_normal((9 * n_hidden, n_outputs))

    def __call__(self, x: Samples) -> Samples:
        return _patches(np.tanh(_patches(x) @ self._first)) @ self._second


_TEACHERS: dict[DataKind, type[_Perceptron | _LSTM | _Convolutions]] = {
    "vectors": _Perceptron,
    "sequences": _LSTM,
    "images": _Convolutions,
}


def _sigmoid(x: Samples) -> Samples:
    return np.asarray(1 / (1 + np.exp(-x)))


def _patches(images: Samples) -> Samples:
    """Put the 3 x 3 neighbours of each position side by side."""
    _, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.concatenate(
        [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=-1
    )
