"""The number that a dish reads off a motif-network's training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Curves(NamedTuple):
    """Learning curves that an engine measures of every motif-network in every dish.

    Parameters
    ----------
    train : Tensor of shape (n_dishes, n_motifs, n_checkpoints)
        Training loss at each checkpoint, on the mini-batch of that step and before
        its update.
    valid : Tensor of shape (n_dishes, n_motifs, n_checkpoints)
        Validation loss there.
    mean_train : Tensor of shape (n_dishes, n_motifs, n_checkpoints)
        Mean of the training losses before the updates made so far; the initial
        loss where there is none.
    """

    train: Tensor
    valid: Tensor
    mean_train: Tensor


@dataclass(frozen=True)
class Statistic:
    """A function of curves that stands for a motif's promise; lower is better.

    Parameters
    ----------
    checkpoints : callable
        ``checkpoints(steps)``: the inner steps at which it needs the curves.
    read : callable
        ``read(curves) -> Tensor`` of shape (n_dishes, n_motifs).
    uses_validation : bool
        Whether it reads the validation loss. Where it does not, validation data
        has no gradient and must not be learned: an optimiser's L2 penalty alone
        would shrink it to nothing.
    """

    checkpoints: Callable[[int], Sequence[int]]
    read: Callable[[Curves], Tensor]
    uses_validation: bool


STATISTICS = {
    # Eq. 2 and section 3.1: the validation loss once trained.
    "final_valid": Statistic(lambda steps: (steps,), lambda curves: curves.valid[..., -1], True),
    "mean_train": Statistic(
        lambda steps: (steps,), lambda curves: curves.mean_train[..., -1], False
    ),
    "mean_valid": Statistic(
        lambda steps: range(max(steps, 1)), lambda curves: curves.valid.mean(-1), True
    ),
}
"""Statistics of a motif-network's training that a dish may read off, by name."""
