"""The inner loop with higher's differentiable Adam."""

from __future__ import annotations

import higher
import torch

from .networks import Networks
from .ours import Step
from .plain_torch import bce, inputs, outer_loss, tensors
from .problem import BETA_1, BETA_2, EPSILON, L2, LR, Problem


def prepare(problem: Problem) -> Step:
    """Return a function that computes the gradient."""
    start, slopes, y, losses = tensors(problem)

    def step():
        x_train, x_valid = inputs(problem)
        networks = Networks({name: value.clone() for name, value in start.items()}, slopes)
        adam = torch.optim.Adam(
            networks.parameters(), lr=LR, betas=(BETA_1, BETA_2), eps=EPSILON, weight_decay=L2
        )
        with higher.innerloop_ctx(networks, adam) as (unrolled, optimizer):
            for count in range(1, problem.settings.inner.steps + 1):
                # It adds epsilon before it corrects the bias; the others do after.
                epsilon = EPSILON * (1 - BETA_2**count) ** 0.5
                loss = bce(unrolled(x_train), y).sum()
                optimizer.step(loss, override={"eps": [epsilon]})
            outer_loss(bce(unrolled(x_valid), y), losses).backward()
        return x_train.grad.numpy(), x_valid.grad.numpy()

    return step
