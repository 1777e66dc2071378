"""What each instruction computes on rows of samples, with its derivatives."""

from __future__ import annotations

from typing import Any

from ._compile import inlined
from ._functions import expm1_of_negative, exponential, sigmoid, softplus, tanh
from ._opcodes import (
    ELU,
    EXP,
    LEAKY_RELU,
    RECIPROCAL,
    SIGMOID,
    SOFTPLUS,
    SQRT,
    TANH,
)
from ._vectors import (
    absolute,
    add_reduced,
    broadcast,
    constant,
    load,
    n_lanes,
    reduce_add,
    select_positive,
    sqrt,
    store,
)

# In the functions below, ``n`` is the length of the result, and ``a``, ``b``, ``c`` and ``y``
# are where the operands and the result begin. Names of several arrays say which of value,
# adjoint and tangent a function is fed: the same sums serve several of them.


@inlined
def linear(
    row: int, n_in: int, theta: Any, weight: int, xs: Any, a: int, ys: Any, y: int, n: int
) -> None:
    """Compute y = x W + bias, from the operand in one array to the result in another."""
    n_out = n // row
    # The weights lie row by row, W[i, j] at i * n_out + j, and the bias behind them.
    bias = weight + n_in * n_out
    for s in range(0, row, n_lanes(xs)):
        for j in range(n_out):
            out = broadcast(xs, theta[bias + j])
            out = _products(row, n_in, theta, weight + j, n_out, xs, a + s, out)
            store(ys, y + j * row + s, out)


@inlined
def project(
    row: int, n_in: int, theta: Any, weight: int, xs: Any, a: int, ys: Any, y: int, n: int
) -> None:
    """Compute y = x W, from the operand in one array to the result in another."""
    n_out = n // row
    for s in range(0, row, n_lanes(xs)):
        for j in range(n_out):
            out = broadcast(xs, 0.0)
            out = _products(row, n_in, theta, weight + j, n_out, xs, a + s, out)
            store(ys, y + j * row + s, out)


@inlined
def add_bias(row: int, theta: Any, weight: int, array: Any, a: int, y: int, n: int) -> None:
    """Compute y = x + bias."""
    for j in range(n // row):
        bias = broadcast(array, theta[weight + j])
        for s in range(j * row, (j + 1) * row, n_lanes(array)):
            store(array, y + s, load(array, a + s) + bias)


@inlined
def linear_more(
    row: int, n_in: int, theta: Any, weight: int, array: Any, a: int, y: int, n: int
) -> None:
    """Add x W to y."""
    n_out = n // row
    for s in range(0, row, n_lanes(array)):
        for j in range(n_out):
            out = load(array, y + j * row + s)
            out = _products(row, n_in, theta, weight + j, n_out, array, a + s, out)
            store(array, y + j * row + s, out)


@inlined
def linear_back(
    row: int, n_in: int, theta: Any, weight: int, ys: Any, y: int, xs: Any, a: int, n: int
) -> None:
    """Add the transpose of W, times y, to x."""
    n_out = n // row
    for s in range(0, row, n_lanes(xs)):
        for i in range(n_in):
            out = load(xs, a + i * row + s)
            out = _products(row, n_out, theta, weight + i * n_out, 1, ys, y + s, out)
            store(xs, a + i * row + s, out)


@inlined
def _products(
    row: int, n: int, theta: Any, weight: int, stride: int, xs: Any, x: int, out: Any
) -> Any:
    """Add n weights, times a row each, to a vector."""
    # The first apart, since there is always one, and often no more.
    out = out + broadcast(xs, theta[weight]) * load(xs, x)
    for i in range(1, n):
        out = out + broadcast(xs, theta[weight + i * stride]) * load(xs, x + i * row)
    return out


@inlined
def linear_weights(
    row: int, n_in: int, xs: Any, a: int, ys: Any, y: int, n: int, gradient: Any, weight: int
) -> None:
    """Add the products of x and y, summed over samples, to the gradient."""
    # dL/dW[i, j] is the sum over samples of x_i y_j*: four of these are reduced together.
    n_products, stop = n_in * (n // row), y + n
    i, j = a, y
    for first in range(0, n_products - 3, 4):
        one = _product(row, xs, i, ys, j)
        i, j = _next(row, i, j, y, stop)
        two = _product(row, xs, i, ys, j)
        i, j = _next(row, i, j, y, stop)
        three = _product(row, xs, i, ys, j)
        i, j = _next(row, i, j, y, stop)
        four = _product(row, xs, i, ys, j)
        i, j = _next(row, i, j, y, stop)
        add_reduced(gradient, weight + first, one, two, three, four)
    for k in range(n_products // 4 * 4, n_products):
        gradient[weight + k] += reduce_add(_product(row, xs, i, ys, j))
        i, j = _next(row, i, j, y, stop)


@inlined
def _product(row: int, xs: Any, i: int, ys: Any, j: int) -> Any:
    """Multiply two rows, and add up their vectors."""
    out = load(xs, i) * load(ys, j)
    for s in range(n_lanes(xs), row, n_lanes(xs)):
        out = out + load(xs, i + s) * load(ys, j + s)
    return out


@inlined
def _next(row: int, i: int, j: int, y: int, stop: int) -> Any:
    """Return the rows that meet at the next weight: the next of y, or the first again."""
    j += row
    return (i + row, y) if j == stop else (i, j)


@inlined
def linear_bias(row: int, ys: Any, y: int, n: int, gradient: Any, bias: int) -> None:
    """Add y, summed over samples, to the gradient."""
    n_out = n // row
    for j in range(0, n_out - 3, 4):
        add_reduced(
            gradient,
            bias + j,
            _samples(row, ys, y + j * row),
            _samples(row, ys, y + (j + 1) * row),
            _samples(row, ys, y + (j + 2) * row),
            _samples(row, ys, y + (j + 3) * row),
        )
    for j in range(n_out // 4 * 4, n_out):
        gradient[bias + j] += reduce_add(_samples(row, ys, y + j * row))


@inlined
def _samples(row: int, ys: Any, y: int) -> Any:
    out = load(ys, y)
    for s in range(n_lanes(ys), row, n_lanes(ys)):
        out = out + load(ys, y + s)
    return out


@inlined
def add(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = broadcast(array, number)
    for s in range(0, n, n_lanes(array)):
        store(array, y + s, scale * (load(array, a + s) + load(array, b + s)))


@inlined
def add_back(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = broadcast(array, number)
    for s in range(0, n, n_lanes(array)):
        part = scale * load(array, y + s)
        _accumulate(array, a + s, part)
        _accumulate(array, b + s, part)


@inlined
def multiply(values: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, load(values, a + s) * load(values, b + s))


@inlined
def multiply_jvp(values: Any, tangents: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        one = load(values, a + s) * load(tangents, b + s)
        store(tangents, y + s, one + load(tangents, a + s) * load(values, b + s))


@inlined
def multiply_back(factors: Any, ys: Any, y: int, xs: Any, a: int, b: int, n: int) -> None:
    for s in range(0, n, n_lanes(xs)):
        adjoint = load(ys, y + s)
        first, second = load(factors, a + s), load(factors, b + s)
        # One after the other, since both may be the same.
        _accumulate(xs, a + s, adjoint * second)
        _accumulate(xs, b + s, adjoint * first)


@inlined
def blend(values: Any, a: int, b: int, c: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        closed = load(values, c + s)
        store(values, y + s, closed + load(values, a + s) * (load(values, b + s) - closed))


@inlined
def blend_jvp(values: Any, tangents: Any, a: int, b: int, c: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        difference = load(values, b + s) - load(values, c + s)
        moving = load(tangents, b + s) - load(tangents, c + s)
        out = load(tangents, c + s) + load(values, a + s) * moving
        store(tangents, y + s, out + load(tangents, a + s) * difference)


@inlined
def blend_back(
    one: float, factors: Any, ys: Any, y: int, xs: Any, a: int, b: int, c: int, n: int
) -> None:
    """Add to the adjoints of a blend's operands; ``one`` is 1, or its tangent 0."""
    for s in range(0, n, n_lanes(xs)):
        adjoint, gate = load(ys, y + s), load(factors, a + s)
        difference = load(factors, b + s) - load(factors, c + s)
        _accumulate(xs, a + s, adjoint * difference)
        _accumulate(xs, b + s, adjoint * gate)
        _accumulate(xs, c + s, adjoint * (one - gate))


@inlined
def _activation(kind: int, x: Any, parameter: Any) -> Any:
    if kind == SIGMOID:
        return sigmoid(parameter * x)
    if kind == TANH:
        return tanh(x)
    if kind == LEAKY_RELU:
        return select_positive(x, x, parameter * x)
    if kind == ELU:
        return select_positive(x, x, expm1_of_negative(-absolute(x)))
    if kind == SOFTPLUS:
        return softplus(x)
    if kind == EXP:
        return exponential(x)
    if kind == SQRT:
        return sqrt(x)
    if kind == RECIPROCAL:
        return 1.0 / x
    return x + parameter


@inlined
def _slope(kind: int, x: Any, y: Any, parameter: Any) -> Any:
    """Compute an activation's derivative at x, where its value is y."""
    if kind == SIGMOID:
        return parameter * y * (1.0 - y)
    if kind == TANH:
        return 1.0 - y * y
    if kind == LEAKY_RELU:
        return select_positive(x, constant(x, 1.0), parameter)
    if kind == ELU:
        return select_positive(x, constant(x, 1.0), y + 1.0)
    if kind == SOFTPLUS:
        return sigmoid(x)
    if kind == EXP:
        return y
    if kind == SQRT:
        return 0.5 / y
    if kind == RECIPROCAL:
        return -y * y
    return constant(x, 1.0)


@inlined
def _curvature(kind: int, y: Any, slope: Any, parameter: Any) -> Any:
    """Compute its second derivative from its value and its derivative."""
    if kind == SIGMOID:
        return parameter * slope * (1.0 - 2.0 * y)
    if kind == TANH:
        return -2.0 * y * slope
    if kind == ELU:
        return select_positive(y, constant(y, 0.0), slope)
    if kind == SOFTPLUS:
        return slope * (1.0 - slope)
    if kind == EXP:
        return y
    if kind == SQRT:
        return -2.0 * slope * slope * slope
    if kind == RECIPROCAL:
        return -2.0 * y * slope
    return constant(y, 0.0)


@inlined
def activate(kind: int, number: Any, values: Any, a: int, y: int, n: int) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, _activation(kind, load(values, a + s), parameter))


@inlined
def activate_jvp(
    kind: int, number: Any, values: Any, tangents: Any, a: int, y: int, n: int
) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        store(tangents, y + s, slope * load(tangents, a + s))


@inlined
def activate_back(
    kind: int, number: Any, values: Any, adjoints: Any, a: int, y: int, n: int
) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        _accumulate(adjoints, a + s, slope * load(adjoints, y + s))


@inlined
def activate_back_jvp(
    kind: int,
    number: Any,
    values: Any,
    tangents: Any,
    adjoints: Any,
    adjoint_tangents: Any,
    a: int,
    y: int,
    n: int,
) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        out = load(values, y + s)
        slope = _slope(kind, load(values, a + s), out, parameter)
        bend = _curvature(kind, out, slope, parameter) * load(tangents, a + s)
        moved = slope * load(adjoint_tangents, y + s) + bend * load(adjoints, y + s)
        _accumulate(adjoint_tangents, a + s, moved)


@inlined
def _accumulate(array: Any, at: int, vector: Any) -> None:
    store(array, at, load(array, at) + vector)


@inlined
def accumulate_rows(array: Any, a: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(array)):
        _accumulate(array, a + s, load(array, y + s))
