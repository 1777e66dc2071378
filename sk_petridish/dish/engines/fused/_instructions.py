"""The interpreter: what each instruction of a program computes, and its derivatives.

Values lie in frames, one a time step. A frame is a block of rows, one for each unit of
each node, and a row holds the samples, padded to whole vectors. Beside the values, and
laid out as they are, lie

* adjoints, the derivatives of the loss with respect to the values;
* tangents of both, their derivatives along a direction of the weights: differentiating
  forward and backward pass along it gives the product of the loss's second derivatives
  with the direction, without an automatic differentiation's tape.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ._compile import compiled, inlined
from ._functions import expm1_of_negative, exponential, sigmoid, softplus, tanh
from ._vectors import (
    add_totals,
    constant,
    load,
    magnitude,
    n_lanes,
    root,
    spread,
    store,
    total,
    where_positive,
)

LINEAR, PROJECT, BIAS, ADD, MULTIPLY, BLEND = range(6)
SIGMOID, TANH, LEAKY_RELU, ELU, SOFTPLUS, EXP, SQRT, RECIPROCAL, SHIFT = range(6, 15)
"""Instructions. PROJECT is LINEAR without the bias, which is BIAS without the rest. An ADD
is scaled, by which a mean is made of it, or a multiple of one operand."""

# Columns of the table of instructions: which one it is; the first row of its result, and
# how many it has; the first rows of its operands, and how many the first of them has; and
# its first weight.
CODE, OUT, N_OUT, FIRST, SECOND, THIRD, N_IN, WEIGHT = range(8)
N_COLUMNS = 8


class Code(NamedTuple):
    """A motif-network's program, as the interpreter reads it.

    Parameters
    ----------
    instructions : pointer to n_instructions * N_COLUMNS int64
        The table of all programs.
    parameters : pointer to n_instructions numbers
        One for each, such as a slope.
    first, last : int
        This program's instructions.
    n_inputs : int
        Rows of the input, which come first in a frame.
    out : int
        The first row of the output.
    """

    instructions: Any
    parameters: Any
    first: int
    last: int
    n_inputs: int
    out: int


class Layout(NamedTuple):
    """Where values lie in the flat arrays, in units of numbers.

    Parameters
    ----------
    start : int
        Where the first frame begins.
    frame : int
        Length of a frame.
    row : int
        Length of a row.
    n_frames : int
        Time steps.
    n_scored : int
        How many of the last of them have labels.
    """

    start: int
    frame: int
    row: int
    n_frames: int
    n_scored: int


@inlined
def _decode(code: Any, at: Any, t: int, k: int) -> Any:
    """Read instruction k for time step t.

    Returns
    -------
    tuple
        Which one; where its result begins, and its length; where its operands begin;
        its parameter; its first weight; how many rows its first operand has, and whether
        this operand is the input.
    """
    c = k * N_COLUMNS
    frame = at.start + t * at.frame
    first = code.instructions[c + FIRST]
    return (
        code.instructions[c + CODE],
        frame + code.instructions[c + OUT] * at.row,
        code.instructions[c + N_OUT] * at.row,
        frame + first * at.row,
        frame + code.instructions[c + SECOND] * at.row,
        frame + code.instructions[c + THIRD] * at.row,
        code.parameters[k],
        code.instructions[c + WEIGHT],
        code.instructions[c + N_IN],
        (0 <= first) & (first < code.n_inputs),
    )


@compiled
def forward(code: Any, at: Any, theta: Any, values: Any) -> None:
    """Compute the values of all frames."""
    for t in range(at.n_frames):
        for k in range(code.first, code.last):
            kind, y, n, a, b, c, number, weight, n_in, _ = _decode(code, at, t, k)
            if kind == LINEAR:
                _linear(at.row, n_in, theta, weight, values, a, values, y, n)
            elif kind == PROJECT:
                _project(at.row, n_in, theta, weight, values, a, values, y, n)
            elif kind == BIAS:
                _bias(at.row, theta, weight, values, a, y, n)
            elif kind == ADD:
                _add(number, values, a, b, y, n)
            elif kind == MULTIPLY:
                _multiply(values, a, b, y, n)
            elif kind == BLEND:
                _blend(values, a, b, c, y, n)
            else:
                _activate(kind, number, values, a, y, n)


@compiled
def backward(
    code: Any, at: Any, theta: Any, values: Any, adjoints: Any, gradient: Any, training: bool
) -> None:
    """Carry the adjoints of the output back to those of all values but the input.

    In training, add up the gradient of the weights too.
    """
    for t in range(at.n_frames - 1, -1, -1):
        for k in range(code.last - 1, code.first - 1, -1):
            kind, y, n, a, b, c, number, weight, n_in, of_input = _decode(code, at, t, k)
            if kind <= PROJECT:
                if training:
                    _linear_weights(at.row, n_in, values, a, adjoints, y, n, gradient, weight)
                    if kind == LINEAR:
                        bias = weight + n_in * (n // at.row)
                        _linear_bias(at.row, adjoints, y, n, gradient, bias)
                if not of_input:
                    _linear_back(at.row, n_in, theta, weight, adjoints, y, adjoints, a, n)
            elif kind == BIAS:
                if training:
                    _linear_bias(at.row, adjoints, y, n, gradient, weight)
                _raise_all(adjoints, a, y, n)
            elif kind == ADD:
                _add_back(number, adjoints, a, b, y, n)
            elif kind == MULTIPLY:
                _multiply_back(values, adjoints, y, adjoints, a, b, n)
            elif kind == BLEND:
                _blend_back(1.0, values, adjoints, y, adjoints, a, b, c, n)
            else:
                _activate_back(kind, number, values, adjoints, a, y, n)


@compiled
def forward_along(
    code: Any, at: Any, theta: Any, direction: Any, values: Any, tangents: Any
) -> None:
    """Compute the tangents of the values."""
    for t in range(at.n_frames):
        for k in range(code.first, code.last):
            kind, y, n, a, b, c, number, weight, n_in, of_input = _decode(code, at, t, k)
            if kind <= PROJECT:
                if kind == LINEAR:
                    _linear(at.row, n_in, direction, weight, values, a, tangents, y, n)
                else:
                    _project(at.row, n_in, direction, weight, values, a, tangents, y, n)
                if not of_input:  # which does not move
                    _linear_more(at.row, n_in, theta, weight, tangents, a, y, n)
            elif kind == BIAS:
                _bias(at.row, direction, weight, tangents, a, y, n)
            elif kind == ADD:
                _add(number, tangents, a, b, y, n)
            elif kind == MULTIPLY:
                _multiply_along(values, tangents, a, b, y, n)
            elif kind == BLEND:
                _blend_along(values, tangents, a, b, c, y, n)
            else:
                _activate_along(kind, number, values, tangents, a, y, n)


@compiled
def backward_along(
    code: Any,
    at: Any,
    theta: Any,
    direction: Any,
    values: Any,
    tangents: Any,
    adjoints: Any,
    adjoint_tangents: Any,
    product: Any,
) -> None:
    """Compute the tangents of all adjoints, and add up the gradient's own."""
    for t in range(at.n_frames - 1, -1, -1):
        for k in range(code.last - 1, code.first - 1, -1):
            kind, y, n, a, b, c, number, weight, n_in, of_input = _decode(code, at, t, k)
            # The product rule: each derivative with one of its factors moving.
            if kind <= PROJECT:
                _linear_weights(at.row, n_in, values, a, adjoint_tangents, y, n, product, weight)
                if kind == LINEAR:
                    bias = weight + n_in * (n // at.row)
                    _linear_bias(at.row, adjoint_tangents, y, n, product, bias)
                _linear_back(
                    at.row, n_in, theta, weight, adjoint_tangents, y, adjoint_tangents, a, n
                )
                _linear_back(at.row, n_in, direction, weight, adjoints, y, adjoint_tangents, a, n)
                if not of_input:
                    _linear_weights(at.row, n_in, tangents, a, adjoints, y, n, product, weight)
            elif kind == BIAS:
                _linear_bias(at.row, adjoint_tangents, y, n, product, weight)
                _raise_all(adjoint_tangents, a, y, n)
            elif kind == ADD:
                _add_back(number, adjoint_tangents, a, b, y, n)
            elif kind == MULTIPLY:
                _multiply_back(values, adjoint_tangents, y, adjoint_tangents, a, b, n)
                _multiply_back(tangents, adjoints, y, adjoint_tangents, a, b, n)
            elif kind == BLEND:
                _blend_back(1.0, values, adjoint_tangents, y, adjoint_tangents, a, b, c, n)
                _blend_back(0.0, tangents, adjoints, y, adjoint_tangents, a, b, c, n)
            else:
                _activate_back_along(
                    kind, number, values, tangents, adjoints, adjoint_tangents, a, y, n
                )


# In the functions below, ``n`` is the length of the result, and ``a``, ``b``, ``c`` and ``y``
# are where the operands and the result begin. Names of several arrays say which of value,
# adjoint and tangent a function is fed: the same sums serve several of them.


@inlined
def _linear(
    row: int, n_in: int, theta: Any, weight: int, xs: Any, a: int, ys: Any, y: int, n: int
) -> None:
    """Compute y = x W + bias, from the operand in one array to the result in another."""
    n_out = n // row
    bias = weight + n_in * n_out
    for s in range(0, row, n_lanes(xs)):
        for j in range(n_out):
            out = spread(xs, theta[bias + j])
            out = _products(row, n_in, theta, weight + j, n_out, xs, a + s, out)
            store(ys, y + j * row + s, out)


@inlined
def _project(
    row: int, n_in: int, theta: Any, weight: int, xs: Any, a: int, ys: Any, y: int, n: int
) -> None:
    """Compute y = x W, from the operand in one array to the result in another."""
    n_out = n // row
    for s in range(0, row, n_lanes(xs)):
        for j in range(n_out):
            out = spread(xs, 0.0)
            out = _products(row, n_in, theta, weight + j, n_out, xs, a + s, out)
            store(ys, y + j * row + s, out)


@inlined
def _bias(row: int, theta: Any, weight: int, array: Any, a: int, y: int, n: int) -> None:
    """Compute y = x + bias."""
    for j in range(n // row):
        bias = spread(array, theta[weight + j])
        for s in range(j * row, (j + 1) * row, n_lanes(array)):
            store(array, y + s, load(array, a + s) + bias)


@inlined
def _linear_more(
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
def _linear_back(
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
    out = out + spread(xs, theta[weight]) * load(xs, x)
    for i in range(1, n):
        out = out + spread(xs, theta[weight + i * stride]) * load(xs, x + i * row)
    return out


@inlined
def _linear_weights(
    row: int, n_in: int, xs: Any, a: int, ys: Any, y: int, n: int, gradient: Any, weight: int
) -> None:
    """Add the products of x and y, summed over samples, to the gradient."""
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
        add_totals(gradient, weight + first, one, two, three, four)
    for k in range(n_products // 4 * 4, n_products):
        gradient[weight + k] += total(_product(row, xs, i, ys, j))
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
    """Give the rows that meet at the next weight: the next of y, or the first again."""
    j += row
    return (i + row, y) if j == stop else (i, j)


@inlined
def _linear_bias(row: int, ys: Any, y: int, n: int, gradient: Any, bias: int) -> None:
    """Add y, summed over samples, to the gradient."""
    n_out = n // row
    for j in range(0, n_out - 3, 4):
        add_totals(
            gradient,
            bias + j,
            _samples(row, ys, y + j * row),
            _samples(row, ys, y + (j + 1) * row),
            _samples(row, ys, y + (j + 2) * row),
            _samples(row, ys, y + (j + 3) * row),
        )
    for j in range(n_out // 4 * 4, n_out):
        gradient[bias + j] += total(_samples(row, ys, y + j * row))


@inlined
def _samples(row: int, ys: Any, y: int) -> Any:
    out = load(ys, y)
    for s in range(n_lanes(ys), row, n_lanes(ys)):
        out = out + load(ys, y + s)
    return out


@inlined
def _add(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = spread(array, number)
    for s in range(0, n, n_lanes(array)):
        store(array, y + s, scale * (load(array, a + s) + load(array, b + s)))


@inlined
def _add_back(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = spread(array, number)
    for s in range(0, n, n_lanes(array)):
        part = scale * load(array, y + s)
        _raise(array, a + s, part)
        _raise(array, b + s, part)


@inlined
def _multiply(values: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, load(values, a + s) * load(values, b + s))


@inlined
def _multiply_along(values: Any, tangents: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        one = load(values, a + s) * load(tangents, b + s)
        store(tangents, y + s, one + load(tangents, a + s) * load(values, b + s))


@inlined
def _multiply_back(factors: Any, ys: Any, y: int, xs: Any, a: int, b: int, n: int) -> None:
    for s in range(0, n, n_lanes(xs)):
        adjoint = load(ys, y + s)
        first, second = load(factors, a + s), load(factors, b + s)
        # One after the other, since both may be the same.
        _raise(xs, a + s, adjoint * second)
        _raise(xs, b + s, adjoint * first)


@inlined
def _blend(values: Any, a: int, b: int, c: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        closed = load(values, c + s)
        store(values, y + s, closed + load(values, a + s) * (load(values, b + s) - closed))


@inlined
def _blend_along(values: Any, tangents: Any, a: int, b: int, c: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        difference = load(values, b + s) - load(values, c + s)
        moving = load(tangents, b + s) - load(tangents, c + s)
        out = load(tangents, c + s) + load(values, a + s) * moving
        store(tangents, y + s, out + load(tangents, a + s) * difference)


@inlined
def _blend_back(
    one: float, factors: Any, ys: Any, y: int, xs: Any, a: int, b: int, c: int, n: int
) -> None:
    """Add to the adjoints of a blend's operands; ``one`` is 1, or its tangent 0."""
    for s in range(0, n, n_lanes(xs)):
        adjoint, gate = load(ys, y + s), load(factors, a + s)
        difference = load(factors, b + s) - load(factors, c + s)
        _raise(xs, a + s, adjoint * difference)
        _raise(xs, b + s, adjoint * gate)
        _raise(xs, c + s, adjoint * (one - gate))


@inlined
def _activation(kind: int, x: Any, parameter: Any) -> Any:
    if kind == SIGMOID:
        return sigmoid(parameter * x)
    if kind == TANH:
        return tanh(x)
    if kind == LEAKY_RELU:
        return where_positive(x, x, parameter * x)
    if kind == ELU:
        return where_positive(x, x, expm1_of_negative(-magnitude(x)))
    if kind == SOFTPLUS:
        return softplus(x)
    if kind == EXP:
        return exponential(x)
    if kind == SQRT:
        return root(x)
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
        return where_positive(x, constant(x, 1.0), parameter)
    if kind == ELU:
        return where_positive(x, constant(x, 1.0), y + 1.0)
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
        return where_positive(y, constant(y, 0.0), slope)
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
def _activate(kind: int, number: Any, values: Any, a: int, y: int, n: int) -> None:
    parameter = spread(values, number)
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, _activation(kind, load(values, a + s), parameter))


@inlined
def _activate_along(
    kind: int, number: Any, values: Any, tangents: Any, a: int, y: int, n: int
) -> None:
    parameter = spread(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        store(tangents, y + s, slope * load(tangents, a + s))


@inlined
def _activate_back(
    kind: int, number: Any, values: Any, adjoints: Any, a: int, y: int, n: int
) -> None:
    parameter = spread(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        _raise(adjoints, a + s, slope * load(adjoints, y + s))


@inlined
def _activate_back_along(
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
    parameter = spread(values, number)
    for s in range(0, n, n_lanes(values)):
        out = load(values, y + s)
        slope = _slope(kind, load(values, a + s), out, parameter)
        bend = _curvature(kind, out, slope, parameter) * load(tangents, a + s)
        moved = slope * load(adjoint_tangents, y + s) + bend * load(adjoints, y + s)
        _raise(adjoint_tangents, a + s, moved)


@inlined
def _raise(array: Any, at: int, vector: Any) -> None:
    store(array, at, load(array, at) + vector)


@inlined
def _raise_all(array: Any, a: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(array)):
        _raise(array, a + s, load(array, y + s))
