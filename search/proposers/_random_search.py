"""Random search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.base import RegressorMixin

from sk_petridish.motifs import Motifs

from ._base import History, Proposer


class RandomSearch(Proposer):
    """Propose motifs at random, as the motif space draws them.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> from sk_petridish.search.proposers import History, RandomSearch
    >>> space = ConvCell()
    >>> RandomSearch(space).ask(2, History.empty(space), random_state=0).shape
    (2, 6)
    """

    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        # The surrogate is not asked.
        yield from self._random(n, generator)
