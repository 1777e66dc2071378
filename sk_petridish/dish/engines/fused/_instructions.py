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


class Op(NamedTuple):
    """An instruction at one time step, with rows turned into places.

    Parameters
    ----------
    kind : int
        Which instruction.
    y, n : int
        Where its result begins, and the result's length.
    a, b, c : int
        Where its operands begin.
    number : float
        Its parameter, such as a slope.
    weight : int
        Its first weight.
    n_in : int
        How many rows the first operand has.
    reads_input : bool
        Whether that operand is the network's input: it has no tangent, since directions
        are of weights, and in :func:`backward` no adjoint is wanted of it.
    """

    kind: int
    y: int
    n: int
    a: int
    b: int
    c: int
    number: Any
    weight: int
    n_in: int
    reads_input: bool


@inlined
def _decode(code: Any, at: Any, t: int, k: int) -> Any:
    """Read instruction k for time step t."""
    column = k * N_COLUMNS
    # Operands of a carried node lie in the frame before: their first row is negative.
    frame = at.start + t * at.frame
    first = code.instructions[column + FIRST]
    return Op(
        code.instructions[column + CODE],
        frame + code.instructions[column + OUT] * at.row,
        code.instructions[column + N_OUT] * at.row,
        frame + first * at.row,
        frame + code.instructions[column + SECOND] * at.row,
        frame + code.instructions[column + THIRD] * at.row,
        code.parameters[k],
        code.instructions[column + WEIGHT],
        code.instructions[column + N_IN],
        (0 <= first) & (first < code.n_inputs),
    )


# What each instruction computes. The adjoint of x is written x*, and the tangent of x along
# the direction x'. Weights W and biases c are part of theta; W' and c' are the direction's.
# `forward` computes y, `forward_jvp` y', `backward` what has a star, and `backward_jvp` what
# has a star and a prime: by the product rule, the derivative of a line of `backward`.
# Adjoints and their tangents add up over the readers of a value. The input has no tangent;
# its adjoint is not needed, but the adjoint's tangent is, for the gradient of the data.
#
# LINEAR    y   =  x W + c
#           y'  =  x W' + c' + x' W
#           x*  += y* W^T                    W*  += x^T y*               c*  += sum y*
#           x*' += y*' W^T + y* W'^T         W*' += x^T y*' + x'^T y*    c*' += sum y*'
# PROJECT   LINEAR without c
# BIAS      y   =  x + c                     y'  =  x' + c'
#           x*  += y*                        c*  += sum y*
#           x*' += y*'                       c*' += sum y*'
# ADD       y   =  r (a + b)                 y'  =  r (a' + b')
#           a*  += r y*                      b*  += r y*
#           a*' += r y*'                     b*' += r y*'
# MULTIPLY  y   =  a b                       y'  =  a b' + a' b
#           a*  += b y*                      b*  += a y*
#           a*' += b y*' + b' y*             b*' += a y*' + a' y*
# BLEND     y   =  c + a (b - c)             y'  =  c' + a (b' - c') + a' (b - c)
#           a*  += (b - c) y*                b*  += a y*                 c*  += (1 - a) y*
#           a*' += (b - c) y*' + (b' - c') y*                            b*' += a y*' + a' y*
#           c*' += (1 - a) y*' - a' y*
# others    y   =  f(x)                      y'  =  f'(x) x'
#           x*  += f'(x) y*                  x*' += f'(x) y*' + f''(x) x' y*
#
# Activations have a number p, and derivatives that need little more than the value y:
#
#             f                              f'                          f''
# SIGMOID     1 / (1 + exp(-p x))            p y (1 - y)                 p f' (1 - 2 y)
# TANH        tanh(x)                        1 - y^2                     -2 y f'
# LEAKY_RELU  x > 0: x,  else: p x           1,  p                       0
# ELU         x > 0: x,  else: exp(x) - 1    1,  y + 1                   0,  f'
# SOFTPLUS    log(1 + exp(x))                1 / (1 + exp(-x))           f' (1 - f')
# EXP         exp(x)                         y                           y
# SQRT        sqrt(x)                        1 / (2 y)                   -2 f'^3
# RECIPROCAL  1 / x                          -y^2                        -2 y f'
# SHIFT       x + p                          1                           0


@compiled
def forward(code: Any, at: Any, theta: Any, values: Any) -> None:
    """Compute the values of all frames."""
    for t in range(at.n_frames):
        for k in range(code.first, code.last):
            op = _decode(code, at, t, k)
            if op.kind == LINEAR:
                _linear(at.row, op.n_in, theta, op.weight, values, op.a, values, op.y, op.n)
            elif op.kind == PROJECT:
                _project(at.row, op.n_in, theta, op.weight, values, op.a, values, op.y, op.n)
            elif op.kind == BIAS:
                _bias(at.row, theta, op.weight, values, op.a, op.y, op.n)
            elif op.kind == ADD:
                _add(op.number, values, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                _multiply(values, op.a, op.b, op.y, op.n)
            elif op.kind == BLEND:
                _blend(values, op.a, op.b, op.c, op.y, op.n)
            else:
                _activate(op.kind, op.number, values, op.a, op.y, op.n)


@compiled
def backward(
    code: Any, at: Any, theta: Any, values: Any, adjoints: Any, gradient: Any, training: bool
) -> None:
    """Carry the adjoints of the output back to those of all values but the input.

    In training, add up the gradient of the weights too.
    """
    for t in range(at.n_frames - 1, -1, -1):
        for k in range(code.last - 1, code.first - 1, -1):
            op = _decode(code, at, t, k)
            if op.kind <= PROJECT:
                if training:
                    _linear_weights(
                        at.row, op.n_in, values, op.a, adjoints, op.y, op.n, gradient, op.weight
                    )
                    if op.kind == LINEAR:
                        bias = op.weight + op.n_in * (op.n // at.row)
                        _linear_bias(at.row, adjoints, op.y, op.n, gradient, bias)
                if not op.reads_input:
                    _linear_back(
                        at.row, op.n_in, theta, op.weight, adjoints, op.y, adjoints, op.a, op.n
                    )
            elif op.kind == BIAS:
                if training:
                    _linear_bias(at.row, adjoints, op.y, op.n, gradient, op.weight)
                _accumulate_rows(adjoints, op.a, op.y, op.n)
            elif op.kind == ADD:
                _add_back(op.number, adjoints, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                _multiply_back(values, adjoints, op.y, adjoints, op.a, op.b, op.n)
            elif op.kind == BLEND:
                _blend_back(1.0, values, adjoints, op.y, adjoints, op.a, op.b, op.c, op.n)
            else:
                _activate_back(op.kind, op.number, values, adjoints, op.a, op.y, op.n)


@compiled
def forward_jvp(code: Any, at: Any, theta: Any, direction: Any, values: Any, tangents: Any) -> None:
    """Compute the tangents of the values."""
    for t in range(at.n_frames):
        for k in range(code.first, code.last):
            op = _decode(code, at, t, k)
            if op.kind <= PROJECT:
                if op.kind == LINEAR:
                    _linear(
                        at.row, op.n_in, direction, op.weight, values, op.a, tangents, op.y, op.n
                    )
                else:
                    _project(
                        at.row, op.n_in, direction, op.weight, values, op.a, tangents, op.y, op.n
                    )
                if not op.reads_input:  # which does not move
                    _linear_more(at.row, op.n_in, theta, op.weight, tangents, op.a, op.y, op.n)
            elif op.kind == BIAS:
                _bias(at.row, direction, op.weight, tangents, op.a, op.y, op.n)
            elif op.kind == ADD:
                _add(op.number, tangents, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                _multiply_jvp(values, tangents, op.a, op.b, op.y, op.n)
            elif op.kind == BLEND:
                _blend_jvp(values, tangents, op.a, op.b, op.c, op.y, op.n)
            else:
                _activate_jvp(op.kind, op.number, values, tangents, op.a, op.y, op.n)


@compiled
def backward_jvp(
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
            op = _decode(code, at, t, k)
            # The product rule: each derivative with one of its factors moving.
            if op.kind <= PROJECT:
                _linear_weights(
                    at.row, op.n_in, values, op.a, adjoint_tangents, op.y, op.n, product, op.weight
                )
                if op.kind == LINEAR:
                    bias = op.weight + op.n_in * (op.n // at.row)
                    _linear_bias(at.row, adjoint_tangents, op.y, op.n, product, bias)
                _linear_back(
                    at.row,
                    op.n_in,
                    theta,
                    op.weight,
                    adjoint_tangents,
                    op.y,
                    adjoint_tangents,
                    op.a,
                    op.n,
                )
                _linear_back(
                    at.row,
                    op.n_in,
                    direction,
                    op.weight,
                    adjoints,
                    op.y,
                    adjoint_tangents,
                    op.a,
                    op.n,
                )
                if not op.reads_input:
                    _linear_weights(
                        at.row, op.n_in, tangents, op.a, adjoints, op.y, op.n, product, op.weight
                    )
            elif op.kind == BIAS:
                _linear_bias(at.row, adjoint_tangents, op.y, op.n, product, op.weight)
                _accumulate_rows(adjoint_tangents, op.a, op.y, op.n)
            elif op.kind == ADD:
                _add_back(op.number, adjoint_tangents, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                _multiply_back(values, adjoint_tangents, op.y, adjoint_tangents, op.a, op.b, op.n)
                _multiply_back(tangents, adjoints, op.y, adjoint_tangents, op.a, op.b, op.n)
            elif op.kind == BLEND:
                _blend_back(
                    1.0, values, adjoint_tangents, op.y, adjoint_tangents, op.a, op.b, op.c, op.n
                )
                _blend_back(0.0, tangents, adjoints, op.y, adjoint_tangents, op.a, op.b, op.c, op.n)
            else:
                _activate_back_jvp(
                    op.kind,
                    op.number,
                    values,
                    tangents,
                    adjoints,
                    adjoint_tangents,
                    op.a,
                    op.y,
                    op.n,
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
    # The weights lie row by row, W[i, j] at i * n_out + j, and the bias behind them.
    bias = weight + n_in * n_out
    for s in range(0, row, n_lanes(xs)):
        for j in range(n_out):
            out = broadcast(xs, theta[bias + j])
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
            out = broadcast(xs, 0.0)
            out = _products(row, n_in, theta, weight + j, n_out, xs, a + s, out)
            store(ys, y + j * row + s, out)


@inlined
def _bias(row: int, theta: Any, weight: int, array: Any, a: int, y: int, n: int) -> None:
    """Compute y = x + bias."""
    for j in range(n // row):
        bias = broadcast(array, theta[weight + j])
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
    out = out + broadcast(xs, theta[weight]) * load(xs, x)
    for i in range(1, n):
        out = out + broadcast(xs, theta[weight + i * stride]) * load(xs, x + i * row)
    return out


@inlined
def _linear_weights(
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
def _linear_bias(row: int, ys: Any, y: int, n: int, gradient: Any, bias: int) -> None:
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
def _add(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = broadcast(array, number)
    for s in range(0, n, n_lanes(array)):
        store(array, y + s, scale * (load(array, a + s) + load(array, b + s)))


@inlined
def _add_back(number: Any, array: Any, a: int, b: int, y: int, n: int) -> None:
    scale = broadcast(array, number)
    for s in range(0, n, n_lanes(array)):
        part = scale * load(array, y + s)
        _accumulate(array, a + s, part)
        _accumulate(array, b + s, part)


@inlined
def _multiply(values: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, load(values, a + s) * load(values, b + s))


@inlined
def _multiply_jvp(values: Any, tangents: Any, a: int, b: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        one = load(values, a + s) * load(tangents, b + s)
        store(tangents, y + s, one + load(tangents, a + s) * load(values, b + s))


@inlined
def _multiply_back(factors: Any, ys: Any, y: int, xs: Any, a: int, b: int, n: int) -> None:
    for s in range(0, n, n_lanes(xs)):
        adjoint = load(ys, y + s)
        first, second = load(factors, a + s), load(factors, b + s)
        # One after the other, since both may be the same.
        _accumulate(xs, a + s, adjoint * second)
        _accumulate(xs, b + s, adjoint * first)


@inlined
def _blend(values: Any, a: int, b: int, c: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(values)):
        closed = load(values, c + s)
        store(values, y + s, closed + load(values, a + s) * (load(values, b + s) - closed))


@inlined
def _blend_jvp(values: Any, tangents: Any, a: int, b: int, c: int, y: int, n: int) -> None:
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
def _activate(kind: int, number: Any, values: Any, a: int, y: int, n: int) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        store(values, y + s, _activation(kind, load(values, a + s), parameter))


@inlined
def _activate_jvp(
    kind: int, number: Any, values: Any, tangents: Any, a: int, y: int, n: int
) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        store(tangents, y + s, slope * load(tangents, a + s))


@inlined
def _activate_back(
    kind: int, number: Any, values: Any, adjoints: Any, a: int, y: int, n: int
) -> None:
    parameter = broadcast(values, number)
    for s in range(0, n, n_lanes(values)):
        slope = _slope(kind, load(values, a + s), load(values, y + s), parameter)
        _accumulate(adjoints, a + s, slope * load(adjoints, y + s))


@inlined
def _activate_back_jvp(
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
def _accumulate_rows(array: Any, a: int, y: int, n: int) -> None:
    for s in range(0, n, n_lanes(array)):
        _accumulate(array, a + s, load(array, y + s))
