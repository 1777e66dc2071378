"""Which motifs each dish does not see, so that it can be judged on them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def draw_left_out(
    n_dishes: int, n_motifs: int, share: float, random_state: np.random.RandomState
) -> Mask:
    """Draw motifs that dishes leave out, every motif as often as the others.

    Dishes are taken in rounds of ``1 / share``, or the next whole number. A round cuts the
    motifs, in an order of its own, into as many folds, and each of its dishes leaves out
    one of them.

    Parameters
    ----------
    n_dishes, n_motifs : int
        How many.
    share : float
        Share of the motifs that a dish leaves out, at most.
    random_state : RandomState
        Where randomness comes from.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs), bool
        True where a dish leaves a motif out. Nowhere, if there are fewer motifs than
        folds, or not two dishes to leave each of them out.
    """
    left_out = np.zeros((n_dishes, n_motifs), dtype=bool)
    n_folds = math.ceil(1 / share) if share else 0
    if not n_folds or n_motifs < n_folds or n_dishes < 2 * n_folds:
        return left_out
    for dish in range(n_dishes):
        if dish % n_folds == 0:
            folds = random_state.permutation(n_motifs) % n_folds
        left_out[dish] = folds == dish % n_folds
    return left_out


def draw_held_out(n_motifs: int, share: float, random_state: np.random.RandomState) -> Mask:
    """Draw motifs that no dish sees.

    Parameters
    ----------
    n_motifs : int
        How many there are.
    share : float
        Share of them to draw.
    random_state : RandomState
        Where randomness comes from.

    Returns
    -------
    ndarray of shape (n_motifs,), bool
        True for those drawn.
    """
    return random_state.permutation(n_motifs) < round(share * n_motifs)
