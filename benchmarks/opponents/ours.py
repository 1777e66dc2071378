"""Our engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sk_petridish.dish import DishBatch, choose_engine
from sk_petridish.dish._measure import measure
from sk_petridish.dish._outer_loss import normalised_mse
from sk_petridish.motifs import SigmoidSlope

from .problem import Floats, Problem

Step = Callable[[], tuple[Floats, Floats]]


def prepare(problem: Problem, name: str, *, n_jobs: int = 1, dtype: str = "float32") -> Step:
    """Return a function that computes the gradient by the engine of that name."""
    space = SigmoidSlope(2)
    motifs = [space.blueprint([slope, slope]) for slope in problem.slopes.tolist()]
    kind = getattr(torch, dtype)
    engine = choose_engine(name, motifs, dtype=kind, device="cpu", n_jobs=n_jobs)
    network = engine.build(motifs, problem.settings)
    x_train, x_valid, y = (
        torch.from_numpy(array)[None].to(kind)
        for array in (problem.x_train, problem.x_valid, problem.y)
    )
    batch = DishBatch(problem.settings, (0,), x_train, y, x_valid, y)
    losses = torch.from_numpy(problem.losses).to(kind)

    def step() -> tuple[Floats, Floats]:
        data = [tensor.clone().requires_grad_() for tensor in (x_train, x_valid)]
        dishes = replace(batch, x_train=data[0], x_valid=data[1])
        statistic = measure(network, dishes, engine)
        normalised_mse(statistic, losses, torch.ones_like(statistic)).sum().backward()
        return tuple(tensor.grad[0].numpy() for tensor in data)

    return step
