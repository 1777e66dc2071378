"""The inner loop's update (eq. 1) in the kernels, and its adjoint."""

from __future__ import annotations

from typing import Any

from sk_petridish.dish._inner_loop import BETA_1, BETA_2, EPSILON, UNDER_ROOT

from ._compile import compiled
from ._vectors import broadcast, load, n_lanes, sqrt, store


@compiled
def update(plan: Any, step: int, n: int, work: Any, gradient: Any, trajectory: Any) -> None:
    """Make one step.

    Parameters
    ----------
    plan : Plan
        Learning rate, penalty and optimiser.
    step : int
        Steps made before this one.
    n : int
        Number of weights, padded.
    work : Workspace
        Weights and Adam's means.
    gradient : pointer
        Gradient of the loss.
    trajectory : pointer
        Where what the way back needs goes: weights, gradient, and how the step depends
        on either mean.
    """
    # Eq. 1 with Adam: g = dL/dtheta + l2 theta; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    # theta -= lr M m / (r + eps), where M = 1 / (1 - b1^(t+1)), V = 1 / (1 - b2^(t+1)) and
    # r = sqrt(V v + tiny).
    theta = work.theta
    rate, penalty = broadcast(theta, plan.lr), broadcast(theta, plan.l2)
    if not plan.adam:
        for s in range(0, n, n_lanes(theta)):
            weight = load(theta, s)
            store(trajectory, s, weight)
            slope = load(gradient, s) + penalty * weight
            store(theta, s, weight - rate * slope)
        return
    mean_scale = broadcast(theta, 1 / (1 - BETA_1 ** (step + 1)))
    square_scale = broadcast(theta, 1 / (1 - BETA_2 ** (step + 1)))
    for s in range(0, n, n_lanes(theta)):
        weight = load(theta, s)
        slope = load(gradient, s) + penalty * weight
        mean = BETA_1 * load(work.first, s) + (1 - BETA_1) * slope
        square = BETA_2 * load(work.second, s) + (1 - BETA_2) * slope * slope
        root_v = sqrt(square * square_scale + UNDER_ROOT)
        # theta depends on m by -step_scale = -lr M / (r + eps), and on v by
        # lr M m V / (2 r (r + eps)^2) = increment V inverse / 2. One division serves both:
        # divisions and roots are what takes time here.
        inverse = 1.0 / (root_v * (root_v + EPSILON))
        step_scale = rate * mean_scale * (inverse * root_v)
        increment = step_scale * mean
        store(work.first, s, mean)
        store(work.second, s, square)
        store(theta, s, weight - increment)
        store(trajectory, s, weight)
        store(trajectory, n + s, slope)
        store(trajectory, 2 * n + s, step_scale)
        store(trajectory, 3 * n + s, 0.5 * increment * square_scale * inverse)


@compiled
def update_back(plan: Any, n: int, trajectory: Any, back: Any) -> None:
    """Carry adjoints back through one step.

    Parameters
    ----------
    plan : Plan
        Learning rate, penalty and optimiser.
    n : int
        Number of weights, padded.
    trajectory : pointer
        What :func:`update` left.
    back : AdjointWorkspace
        In: adjoints of the weights and of Adam's means after the step. Out: those before
        it, and in ``direction`` the adjoint of the gradient. What reaches the weights
        through the gradient is still missing; it is the loss's second derivative along
        ``direction``.
    """
    # With x* the adjoint of x, after the step at first, one after the other:
    #   m* += theta* dtheta/dm, where dtheta/dm = -lr M / (r + eps), kept as step_scale = -dtheta/dm
    #   v* += theta* dtheta/dv, where dtheta/dv = lr M m V / (2 r (r + eps)^2), kept as it is
    #   g* = (1 - b1) m* + 2 (1 - b2) g v*, since m and v are the only readers of g
    #   m* <- b1 m*,  v* <- b2 v*,  theta* += l2 g*, since g = dL/dtheta + l2 theta.
    # Without Adam theta -= lr g, and so g* = -lr theta*.
    rate, penalty = broadcast(trajectory, plan.lr), broadcast(trajectory, plan.l2)
    for s in range(0, n, n_lanes(trajectory)):
        weight = load(back.theta, s)
        slope = -rate * weight
        if plan.adam:
            mean = load(back.first, s) - weight * load(trajectory, 2 * n + s)
            square = load(back.second, s) + weight * load(trajectory, 3 * n + s)
            slope = (1 - BETA_1) * mean + 2 * (1 - BETA_2) * load(trajectory, n + s) * square
            store(back.first, s, BETA_1 * mean)
            store(back.second, s, BETA_2 * square)
        store(back.direction, s, slope)
        store(back.theta, s, weight + penalty * slope)
