"""The inner loop as one writes it in PyTorch: ``autograd.grad`` with ``create_graph``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .ours import Step
from .problem import BETA_1, BETA_2, EPSILON, L2, LR, NAMES, UNDER_ROOT, Problem


def outer_loss(valid: Tensor, losses: Tensor) -> Tensor:
    """Compute eq. 2."""
    normalised = (valid - valid.mean()) / valid.std(unbiased=False)
    return (normalised - losses).square().mean()


def forward(theta: dict[str, Tensor], slopes: Tensor, x: Tensor) -> Tensor:
    """Compute the logits of all motif-networks, (n_motifs, n_samples, 10)."""
    hidden = torch.sigmoid(slopes * (x @ theta["w1"] + theta["b1"]))
    hidden = torch.sigmoid(slopes * (hidden @ theta["w2"] + theta["b2"]))
    return hidden @ theta["w3"] + theta["b3"]


def bce(logits: Tensor, y: Tensor) -> Tensor:
    """Compute the loss of every motif-network."""
    labels = y.expand_as(logits)
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean((1, 2))


def tensors(problem: Problem) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
    """Return initial weights of every motif-network, slopes, labels and ground truth."""
    n_motifs = len(problem.slopes)
    theta = {
        name: torch.from_numpy(problem.theta_init[name]).expand(n_motifs, -1, -1).clone()
        for name in NAMES
    }
    slopes = torch.from_numpy(problem.slopes)[:, None, None]
    return theta, slopes, torch.from_numpy(problem.y), torch.from_numpy(problem.losses)


def inputs(problem: Problem) -> list[Tensor]:
    """Return training and validation inputs, fresh, to be differentiated by."""
    arrays = problem.x_train, problem.x_valid
    return [torch.from_numpy(array).clone().requires_grad_() for array in arrays]


def prepare(problem: Problem) -> Step:
    """Return a function that computes the gradient."""
    start, slopes, y, losses = tensors(problem)

    def step():
        x_train, x_valid = inputs(problem)
        theta = {name: value.clone().requires_grad_() for name, value in start.items()}
        first = {name: torch.zeros_like(value) for name, value in theta.items()}
        second = {name: torch.zeros_like(value) for name, value in theta.items()}
        for count in range(1, problem.settings.inner.steps + 1):
            loss = bce(forward(theta, slopes, x_train), y).sum()
            gradients = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
            for name, gradient in zip(list(theta), gradients, strict=True):
                gradient = gradient + L2 * theta[name]
                first[name] = BETA_1 * first[name] + (1 - BETA_1) * gradient
                second[name] = BETA_2 * second[name] + (1 - BETA_2) * gradient.square()
                mean = first[name] / (1 - BETA_1**count)
                spread = (second[name] / (1 - BETA_2**count) + UNDER_ROOT).sqrt()
                theta[name] = theta[name] - LR * mean / (spread + EPSILON)
        outer_loss(bce(forward(theta, slopes, x_valid), y), losses).backward()
        return x_train.grad.numpy(), x_valid.grad.numpy()

    return step
