"""The inner loop with torchopt's differentiable Adam."""

from __future__ import annotations

import torchopt

from .networks import Networks
from .ours import Step
from .plain_torch import bce, inputs, outer_loss, tensors
from .problem import BETA_1, BETA_2, EPSILON, L2, LR, UNDER_ROOT, Problem


def prepare(problem: Problem) -> Step:
    """Return a function that computes the gradient."""
    start, slopes, y, losses = tensors(problem)

    def step():
        x_train, x_valid = inputs(problem)
        networks = Networks({name: value.clone() for name, value in start.items()}, slopes)
        optimizer = torchopt.MetaAdam(
            networks,
            lr=LR,
            betas=(BETA_1, BETA_2),
            eps=EPSILON,
            eps_root=UNDER_ROOT,
            weight_decay=L2,
            use_accelerated_op=True,
        )
        for _ in range(problem.settings.inner.steps):
            optimizer.step(bce(networks(x_train), y).sum())
        outer_loss(bce(networks(x_valid), y), losses).backward()
        return x_train.grad.numpy(), x_valid.grad.numpy()

    return step
