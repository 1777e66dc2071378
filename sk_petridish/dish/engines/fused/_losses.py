"""Losses of the inner loop in the kernels, with their derivatives.

Outputs and labels are rows of samples. ``sample_weight`` is what a number that is compared
contributes to the mean, one for each sample, zero for padding.
"""

from __future__ import annotations

import math
from typing import Any

from ._compile import compiled, inlined
from ._functions import exp_of_negative, log
from ._vectors import (
    absolute,
    broadcast,
    load,
    maximum,
    n_lanes,
    product_of_all,
    reduce_add,
    select_positive,
    store,
)

BCE, CROSS_ENTROPY, MSE = range(3)

# With outputs z, labels y, the weight w of a sample, z' the tangent of z, and p the
# prediction, sigmoid(z) or softmax(z):
#
# BCE            L = w (max(z, 0) - y z + log(1 + exp(-|z|)))   dL/dz = w (p - y)
#                (dL/dz)' = w p (1 - p) z'                     (dL/dy)' = -w z'
# CROSS_ENTROPY  L = w sum_j y_j (log sum_k exp z_k - z_j)      dL/dz_j = w (p_j Y - y_j), Y = sum y
#                (dL/dz_j)' = w Y p_j (z_j' - d), (dL/dy_j)' = -w (z_j' - d), d = sum_k p_k z_k'
# MSE            L = w (z - y)^2      dL/dz = 2 w (z - y)     (dL/dz)' = 2 w z' = -(dL/dy)'
#
# Labels need derivatives of their own since the outer loop may learn them.

# So many factors between 1 and 2 in every lane, of 24 at most, have a product that is
# finite in float64, as those of one lane have in float32.
_FACTORS = 40


@compiled
def loss(
    kind: int,
    n_out: int,
    row: int,
    z: Any,
    y: Any,
    sample_weight: Any,
    adjoints: Any,
    with_value: bool,
) -> Any:
    """Compare outputs with labels, at one time step.

    Parameters
    ----------
    kind : int
        Which loss.
    n_out, row : int
        Rows of the output, and their length.
    z, y, sample_weight : pointer
        Outputs, labels and what each sample contributes.
    adjoints : pointer
        Where the derivatives with respect to the outputs go.
    with_value : bool
        Whether the loss itself is wanted.

    Returns
    -------
    float
        The loss; without ``with_value``, nothing of meaning.
    """
    value = 0.0
    for s in range(0, row, n_lanes(z)):
        part = load(sample_weight, s)
        if kind == BCE:
            # A vector's first lane is never padding.
            value += _bce(n_out, row, s, z, y, part, sample_weight[s], adjoints, with_value)
        elif kind == CROSS_ENTROPY:
            value += _cross_entropy(n_out, row, s, z, y, part, adjoints)
        else:
            value += _mse(n_out, row, s, z, y, part, adjoints)
    return value


@compiled
def loss_jvp(
    kind: int,
    n_out: int,
    row: int,
    z: Any,
    tangents: Any,
    y: Any,
    sample_weight: Any,
    weight: Any,
    adjoints: Any,
    adjoint_tangents: Any,
    label_adjoints: Any,
) -> None:
    """Compute the tangents of a loss's derivatives, plus ``weight`` times them.

    Those with respect to the outputs are stored, those to the labels added. The
    derivatives themselves ride along since all that follows is linear: what arrives at
    the weights is the product of the second derivatives with the direction, plus
    ``weight`` times the gradient.
    """
    for s in range(0, row, n_lanes(z)):
        part, ride = load(sample_weight, s), broadcast(z, weight)
        if kind == CROSS_ENTROPY:
            _cross_entropy_jvp(
                n_out,
                row,
                s,
                z,
                tangents,
                y,
                part,
                ride,
                adjoints,
                adjoint_tangents,
                label_adjoints,
            )
            continue
        for j in range(n_out):
            i = j * row + s
            moving, adjoint = load(tangents, i), load(adjoints, i)
            if kind == BCE:
                tail = exp_of_negative(-absolute(load(z, i)))
                # p (1 - p) = t / (1 + t)^2 with t = exp(-|z|), precise at both ends.
                slope = tail / ((1.0 + tail) * (1.0 + tail))
                moved = part * slope * moving + adjoint * ride
                on_label = part * (moving + load(z, i) * ride)
            else:
                moved = 2.0 * part * moving + adjoint * ride
                on_label = moved
            store(adjoint_tangents, i, moved)
            store(label_adjoints, i, load(label_adjoints, i) - on_label)


@inlined
def _bce(
    n_out: int,
    row: int,
    s: int,
    z: Any,
    y: Any,
    part: Any,
    sample_weight: Any,
    adjoints: Any,
    with_value: bool,
) -> Any:
    one, zero = broadcast(z, 1.0), broadcast(z, 0.0)
    # The logarithms of 1 + exp(-|z|) are added as the logarithm of the product, which is
    # kept less one: so it stays precise where the factors are close to one.
    linear, product = zero, zero
    logarithms = 0.0
    for j in range(n_out):
        logit, label = load(z, j * row + s), load(y, j * row + s)
        tail = exp_of_negative(-absolute(logit))
        chance = select_positive(logit, one, tail) / (1.0 + tail)
        store(adjoints, j * row + s, (chance - label) * part)
        if with_value:
            linear = linear + maximum(zero, logit) - label * logit
            product = product + tail + product * tail
            if j % _FACTORS == _FACTORS - 1:
                logarithms += math.log1p(product_of_all(select_positive(part, product, zero)))
                product = zero
    if not with_value:
        return 0.0
    logarithms += math.log1p(product_of_all(select_positive(part, product, zero)))
    return reduce_add(linear * part) + logarithms * sample_weight


@inlined
def _largest(n_out: int, row: int, s: int, rows: Any) -> Any:
    largest = load(rows, s)
    for j in range(1, n_out):
        largest = maximum(load(rows, j * row + s), largest)
    return largest


@inlined
def _sum(n_out: int, row: int, s: int, rows: Any) -> Any:
    out = broadcast(rows, 0.0)
    for j in range(n_out):
        out = out + load(rows, j * row + s)
    return out


@inlined
def _log_of_sum(n_out: int, row: int, s: int, z: Any) -> Any:
    """Compute the logarithm of the sum of the exponentials of all outputs."""
    # log sum_k exp z_k = max + log sum_k exp(z_k - max): every exponent is at most 0, and
    # the sum at least 1.
    largest, out = _largest(n_out, row, s, z), broadcast(z, 0.0)
    for j in range(n_out):
        out = out + exp_of_negative(load(z, j * row + s) - largest)
    return largest + log(out)


@inlined
def _cross_entropy(n_out: int, row: int, s: int, z: Any, y: Any, part: Any, adjoints: Any) -> Any:
    mass, level = _sum(n_out, row, s, y), _log_of_sum(n_out, row, s, z)
    # Labels need not add up to one while they are learned: hence the mass.
    out = broadcast(z, 0.0)
    for j in range(n_out):
        surprise, label = level - load(z, j * row + s), load(y, j * row + s)
        chance = exp_of_negative(-surprise)
        store(adjoints, j * row + s, (chance * mass - label) * part)
        out = out + label * surprise * part
    return reduce_add(out)


@inlined
def _cross_entropy_jvp(
    n_out: int,
    row: int,
    s: int,
    z: Any,
    tangents: Any,
    y: Any,
    part: Any,
    ride: Any,
    adjoints: Any,
    adjoint_tangents: Any,
    label_adjoints: Any,
) -> None:
    mass, level = _sum(n_out, row, s, y), _log_of_sum(n_out, row, s, z)
    drift = broadcast(z, 0.0)
    for j in range(n_out):
        chance = exp_of_negative(load(z, j * row + s) - level)
        drift = drift + chance * load(tangents, j * row + s)
    for j in range(n_out):
        i = j * row + s
        surprise, moving = level - load(z, i), load(tangents, i) - drift
        moved = exp_of_negative(-surprise) * moving * mass * part
        store(adjoint_tangents, i, moved + load(adjoints, i) * ride)
        on_label = part * (surprise * ride - moving)
        store(label_adjoints, i, load(label_adjoints, i) + on_label)


@inlined
def _mse(n_out: int, row: int, s: int, z: Any, y: Any, part: Any, adjoints: Any) -> Any:
    out = broadcast(z, 0.0)
    for j in range(n_out):
        error = load(z, j * row + s) - load(y, j * row + s)
        store(adjoints, j * row + s, 2.0 * error * part)
        out = out + error * error * part
    return reduce_add(out)
