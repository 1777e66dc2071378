"""A language of symbols, whose next one depends on those before."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._validation import Constraints, validated

from ._base import Samples, Task, of_symbols, one_hot
from ._spec import SampleSpec


class MarkovTask(Task):
    """Predict the next symbol of a random language.

    A sparse Markov chain of order two: after every pair of symbols a few others can
    follow, with probabilities that fall like those of words in a text. Every input feature
    is a symbol, and so is every output; there must be equally many of both. Sequences are
    pieces of one text. The order of an image is that in which it is read, and a symbol
    depends on those to its left and above. Of plain samples, one symbol predicts the next.

    Every position has a label: the next symbol as a one-hot row, also for binary labels; real
    ones scale it to zero mean and unit variance.

    Parameters
    ----------
    n_successors : int, default=4
        Symbols that can follow a pair; all of them where there are no more.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.tasks import MarkovTask, SampleSpec
    >>> spec = SampleSpec(5, 9, 9, "class", sample_shape=(20,))
    >>> x, y = MarkovTask().draw(spec, np.random.default_rng(0))
    >>> bool((x[:, 1:] == y[:, :-1]).all())  # a label is the next input
    True
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "n_successors": [integers(1)],
    }

    @validated
    def __init__(self, n_successors: int = 4) -> None:
        self.n_successors = n_successors

    def _draw(self, spec: SampleSpec, generator: np.random.Generator) -> tuple[Samples, Samples]:
        if spec.n_inputs != spec.n_outputs:
            raise ValueError(
                "MarkovTask predicts the next of its input symbols and needs as many outputs "
                f"as inputs, got n_inputs={spec.n_inputs} and "
                f"n_outputs={spec.n_outputs}."
            )
        n_symbols = spec.n_inputs
        language = _Language(n_symbols, min(self.n_successors, n_symbols), generator)
        if spec.data_kind == "images":
            here, following = self._images(language, spec, generator)
        else:
            # A vector is a text of one symbol: the empty product is 1.
            text = language.write(spec.n_samples, math.prod(spec.sample_shape), generator)
            here, following = text[:, :-1], text[:, 1:]
        shape = (spec.n_samples, *spec.sample_shape)
        x = one_hot(here.reshape(shape), n_symbols)
        return x, of_symbols(following.reshape(shape), n_symbols, spec.labels)

    def _images(
        self,
        language: _Language,
        spec: SampleSpec,
        generator: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw symbols in rows and, for each, the symbol to its right."""
        height, width = spec.sample_shape
        shape = spec.n_samples, height + 1, width + 2
        symbols = generator.integers(0, language.n_symbols, shape)
        for row, column in itertools.product(range(1, height + 1), range(1, width + 2)):
            left, above = symbols[:, row, column - 1], symbols[:, row - 1, column]
            symbols[:, row, column] = language.follow(above, left, generator)
        return symbols[:, 1:, 1:-1], symbols[:, 1:, 2:]


class _Language:
    """Which symbols follow which pair, and how often."""

    def __init__(self, n_symbols: int, n_successors: int, generator: np.random.Generator) -> None:
        self.n_symbols = n_symbols
        # Some symbols are frequent everywhere, as in a text.
        favour = 1 / np.arange(1, n_symbols + 1)
        keys = generator.random((n_symbols, n_symbols, n_symbols)) ** (1 / favour)
        self._successors = np.argsort(-keys, axis=-1)[:, :, :n_successors]
        frequency = 1 / np.arange(1, n_successors + 1)  # Zipf's law
        self._cumulated = np.cumsum(frequency / frequency.sum())

    def follow(
        self,
        before: NDArray[np.int64],
        last: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Draw a symbol after each pair."""
        drawn = np.searchsorted(self._cumulated, generator.random(len(last)))
        drawn = np.minimum(drawn, len(self._cumulated) - 1)  # a sum may be below one
        return np.asarray(self._successors[before, last, drawn])

    def write(self, n_texts: int, length: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Write texts of one symbol more than asked for, the last of which is a label only."""
        before, last = generator.integers(0, self.n_symbols, (2, n_texts))
        text = []
        # Some symbols ahead, by which the frequent ones have become frequent.
        for _ in range(10 + length + 1):
            before, last = last, self.follow(before, last, generator)
            text.append(last)
        return np.stack(text[10:], axis=1)
