"""The inner loop's update (eq. 1) in the kernels, and its adjoint."""

from __future__ import annotations

from typing import Any

from sk_petridish.dish._inner_loop import BETA_1, BETA_2, EPSILON, UNDER_ROOT

from ._compile import compiled
from ._vectors import load, n_lanes, root, spread, store


@compiled
def update(plan: Any, step: int, n: int, work: Any, gradient: Any, path: Any) -> None:
    """Make one step.

    Parameters
    ----------
    plan : Plan
        Learning rate, penalty and optimiser.
    step : int
        Steps made before this one.
    n : int
        Number of weights, padded.
    work : Work
        Weights and Adam's means.
    gradient : pointer
        Gradient of the loss.
    path : pointer
        Where what the way back needs goes: weights, gradient, and how the step depends
        on either mean.
    """
    theta = work.theta
    rate, penalty = spread(theta, plan.lr), spread(theta, plan.l2)
    if not plan.adam:
        for s in range(0, n, n_lanes(theta)):
            weight = load(theta, s)
            store(path, s, weight)
            slope = load(gradient, s) + penalty * weight
            store(theta, s, weight - rate * slope)
        return
    mean_scale = spread(theta, 1 / (1 - BETA_1 ** (step + 1)))
    square_scale = spread(theta, 1 / (1 - BETA_2 ** (step + 1)))
    for s in range(0, n, n_lanes(theta)):
        weight = load(theta, s)
        slope = load(gradient, s) + penalty * weight
        mean = BETA_1 * load(work.first, s) + (1 - BETA_1) * slope
        square = BETA_2 * load(work.second, s) + (1 - BETA_2) * slope * slope
        width = root(square * square_scale + UNDER_ROOT)
        # One division for both: divisions and roots are what takes time here.
        inverse = 1.0 / (width * (width + EPSILON))
        reach = rate * mean_scale * (inverse * width)
        made = reach * mean
        store(work.first, s, mean)
        store(work.second, s, square)
        store(theta, s, weight - made)
        store(path, s, weight)
        store(path, n + s, slope)
        store(path, 2 * n + s, reach)
        store(path, 3 * n + s, 0.5 * made * square_scale * inverse)


@compiled
def update_back(plan: Any, n: int, path: Any, back: Any) -> None:
    """Carry adjoints back through one step.

    Parameters
    ----------
    plan : Plan
        Learning rate, penalty and optimiser.
    n : int
        Number of weights, padded.
    path : pointer
        What :func:`update` left.
    back : Back
        Adjoints of the weights and of Adam's means, after the step and then before it,
        but for what reaches the weights through the gradient, whose adjoint becomes the
        direction.
    """
    rate, penalty = spread(path, plan.lr), spread(path, plan.l2)
    for s in range(0, n, n_lanes(path)):
        weight = load(back.theta, s)
        slope = -rate * weight
        if plan.adam:
            mean = load(back.first, s) - weight * load(path, 2 * n + s)
            square = load(back.second, s) + weight * load(path, 3 * n + s)
            slope = (1 - BETA_1) * mean + 2 * (1 - BETA_2) * load(path, n + s) * square
            store(back.first, s, BETA_1 * mean)
            store(back.second, s, BETA_2 * square)
        store(back.direction, s, slope)
        store(back.theta, s, weight + penalty * slope)
