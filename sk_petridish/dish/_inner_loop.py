"""How motif-networks are trained inside a dish (eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, check_fields

from ._inner_loss import INNER_LOSSES, InnerLoss

# Forty times the paper's: a dish is a short experiment, and one that comes from a file must
# end within bounded time.
MAX_STEPS = 10_000

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
# Under Adam's square root, whose derivative at zero is infinite: a weight without
# gradient would otherwise turn the outer gradient into NaN.
UNDER_ROOT = 1e-16


class OptimizerState(NamedTuple):
    """Adam's running means of the gradient and of its square, shaped as the weights.

    Parameters
    ----------
    first, second : Tensor
        The two means; plain gradient descent leaves them at zero.
    """

    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class InnerLoop:
    """The inner loop's settings and its update rule.

    Parameters
    ----------
    steps : int
        Updates, 10,000 at most.
    lr : float
        Learning rate, alpha in eq. 1.
    l2 : float
        L2 penalty on weights and biases.
    optimizer : {"adam", "sgd"}
        Adam, as in Table 2, or plain gradient descent.
    loss : {"bce", "cross_entropy", "mse"}
        Binary cross-entropy (the paper), cross-entropy or mean squared error.
    n_batches : int
        Mini-batches that the synthetic training data is cut into; the steps cycle
        through them. 1 is the paper's full batch.

    Raises
    ------
    ValueError
        If a field is none of these.
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "steps": [integers(0, MAX_STEPS)],
        "lr": [reals(0)],
        "l2": [reals(0, closed="left")],
        "optimizer": [StrOptions({"adam", "sgd"})],
        "loss": [StrOptions(set(INNER_LOSSES))],
        "n_batches": [integers(1)],
    }

    steps: int
    lr: float
    l2: float
    optimizer: Literal["adam", "sgd"]
    loss: Literal["bce", "cross_entropy", "mse"]
    n_batches: int

    def __post_init__(self) -> None:
        """Refuse values that are none."""
        check_fields(self)

    @property
    def loss_function(self) -> InnerLoss:
        """The loss of a motif-network."""
        return INNER_LOSSES[self.loss]

    def start(self, theta: Tensor) -> OptimizerState:
        """Return the optimiser's state before the first step.

        Parameters
        ----------
        theta : Tensor
            Initial weights.

        Returns
        -------
        OptimizerState
            As :meth:`update` takes it.
        """
        return OptimizerState(torch.zeros_like(theta), torch.zeros_like(theta))

    def update(
        self, theta: Tensor, gradient: Tensor, state: OptimizerState, step: int
    ) -> tuple[Tensor, OptimizerState]:
        """Make one step (eq. 1), differentiably.

        Parameters
        ----------
        theta, gradient : Tensor
            Weights and the gradient of the loss there.
        state : OptimizerState
            The optimiser's state.
        step : int
            Steps made before this one.

        Returns
        -------
        theta : Tensor
            New weights.
        state : OptimizerState
            New state.
        """
        gradient = gradient + self.l2 * theta
        if self.optimizer == "sgd":
            return theta - self.lr * gradient, state
        first = BETA_1 * state.first + (1 - BETA_1) * gradient
        second = BETA_2 * state.second + (1 - BETA_2) * gradient.square()
        mean = first / (1 - BETA_1 ** (step + 1))
        spread = (second / (1 - BETA_2 ** (step + 1)) + UNDER_ROOT).sqrt()
        return theta - self.lr * mean / (spread + EPSILON), OptimizerState(first, second)
