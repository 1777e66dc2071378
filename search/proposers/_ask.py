"""New motifs from whatever has a method ``ask``."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from sk_petridish.motifs import Motifs, MotifSpace

from ._base import PATIENCE, History, Proposer
from ._unseen import Unseen


def ask_for_new(
    proposer: Any,
    motif_space: MotifSpace,
    n: int,
    history: History,
    generator: np.random.RandomState,
    surrogate: RegressorMixin | None,
    fixed: Mapping[int, float] | None,
) -> Motifs:
    """Return new motifs, each network once, whatever a proposer answers.

    Parameters
    ----------
    proposer : object
        A proposer. One with an ``ask`` of its own is asked again when it has answered with
        nothing new; fewer motifs than asked for are taken as they are.
    motif_space : MotifSpace
        What a row means.
    n, history, generator, surrogate, fixed
        See :meth:`Proposer.ask`.

    Returns
    -------
    ndarray of shape (n_new, n_features)
        At most ``n`` motifs.

    Raises
    ------
    ValueError
        If the answer is no array of motifs' shape, or is not finite.

    Warns
    -----
    UserWarning
        If nothing new was answered twenty times, or rows are no motifs within the ranges.
    """
    if isinstance(proposer, Proposer) and type(proposer).ask is Proposer.ask:
        return proposer.ask(n, history, generator, surrogate, fixed)
    ask = proposer.ask
    if fixed and "fixed" in inspect.signature(ask).parameters:
        ask = partial(ask, fixed=fixed)
    name = type(proposer).__name__
    unseen = Unseen(motif_space, n, history.X, name, fixed)
    for _ in range(PATIENCE):
        try:
            answer = ask(n, history.copy(), generator, surrogate)
        except StopIteration:  # of an iterator within it that has come to its end
            return unseen.rows()
        if unseen.add(answer) or not len(answer):
            return unseen.rows()
    warnings.warn(f"Every motif that {name} proposes seems to have a trial.", stacklevel=4)
    return unseen.rows()
