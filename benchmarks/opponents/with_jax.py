"""The inner loop as a compiled scan in JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from .ours import Step
from .problem import BETA_1, BETA_2, EPSILON, L2, LR, UNDER_ROOT, Problem


def prepare(problem: Problem) -> Step:
    """Return a function that computes the gradient."""
    start = {name: jnp.asarray(value) for name, value in problem.theta_init.items()}
    slopes, y, losses = map(jnp.asarray, (problem.slopes, problem.y, problem.losses))

    def loss(theta, slope, x):
        hidden = jax.nn.sigmoid(slope * (x @ theta["w1"] + theta["b1"]))
        hidden = jax.nn.sigmoid(slope * (hidden @ theta["w2"] + theta["b2"]))
        logits = hidden @ theta["w3"] + theta["b3"]
        return (jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-abs(logits)))).mean()

    def train(slope, x_train, x_valid):
        def update(state, count):
            theta, first, second = state
            gradient = jax.grad(loss)(theta, slope, x_train)
            gradient = jax.tree.map(lambda g, w: g + L2 * w, gradient, theta)
            first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradient)
            second = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradient)

            def move(w, m, v):
                spread = jnp.sqrt(v / (1 - BETA_2**count) + UNDER_ROOT)
                return w - LR * m / (1 - BETA_1**count) / (spread + EPSILON)

            return (jax.tree.map(move, theta, first, second), first, second), None

        zeros = jax.tree.map(jnp.zeros_like, start)
        counts = jnp.arange(1, problem.settings.inner.steps + 1, dtype=jnp.float32)
        (theta, _, _), _ = jax.lax.scan(update, (start, zeros, zeros), counts)
        return loss(theta, slope, x_valid)

    def outer(data):
        valid = jax.vmap(train, (0, None, None))(slopes, *data)
        normalised = (valid - valid.mean()) / valid.std()
        return jnp.square(normalised - losses).mean()

    gradient = jax.jit(jax.grad(outer))
    data = jnp.asarray(problem.x_train), jnp.asarray(problem.x_valid)

    def step():
        return tuple(np.asarray(array) for array in gradient(data))

    return step
