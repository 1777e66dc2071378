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
from ._kernels import (
    accumulate_rows,
    activate,
    activate_back,
    activate_back_jvp,
    activate_jvp,
    add,
    add_back,
    add_bias,
    blend,
    blend_back,
    blend_jvp,
    linear,
    linear_back,
    linear_bias,
    linear_more,
    linear_weights,
    multiply,
    multiply_back,
    multiply_jvp,
    project,
)
from ._opcodes import (
    ADD,
    BIAS,
    BLEND,
    CODE,
    FIRST,
    LINEAR,
    MULTIPLY,
    N_COLUMNS,
    N_IN,
    N_OUT,
    OUT,
    PROJECT,
    SECOND,
    THIRD,
    WEIGHT,
)


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
                linear(at.row, op.n_in, theta, op.weight, values, op.a, values, op.y, op.n)
            elif op.kind == PROJECT:
                project(at.row, op.n_in, theta, op.weight, values, op.a, values, op.y, op.n)
            elif op.kind == BIAS:
                add_bias(at.row, theta, op.weight, values, op.a, op.y, op.n)
            elif op.kind == ADD:
                add(op.number, values, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                multiply(values, op.a, op.b, op.y, op.n)
            elif op.kind == BLEND:
                blend(values, op.a, op.b, op.c, op.y, op.n)
            else:
                activate(op.kind, op.number, values, op.a, op.y, op.n)


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
                    linear_weights(
                        at.row, op.n_in, values, op.a, adjoints, op.y, op.n, gradient, op.weight
                    )
                    if op.kind == LINEAR:
                        bias = op.weight + op.n_in * (op.n // at.row)
                        linear_bias(at.row, adjoints, op.y, op.n, gradient, bias)
                if not op.reads_input:
                    linear_back(
                        at.row, op.n_in, theta, op.weight, adjoints, op.y, adjoints, op.a, op.n
                    )
            elif op.kind == BIAS:
                if training:
                    linear_bias(at.row, adjoints, op.y, op.n, gradient, op.weight)
                accumulate_rows(adjoints, op.a, op.y, op.n)
            elif op.kind == ADD:
                add_back(op.number, adjoints, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                multiply_back(values, adjoints, op.y, adjoints, op.a, op.b, op.n)
            elif op.kind == BLEND:
                blend_back(1.0, values, adjoints, op.y, adjoints, op.a, op.b, op.c, op.n)
            else:
                activate_back(op.kind, op.number, values, adjoints, op.a, op.y, op.n)


@compiled
def forward_jvp(code: Any, at: Any, theta: Any, direction: Any, values: Any, tangents: Any) -> None:
    """Compute the tangents of the values."""
    for t in range(at.n_frames):
        for k in range(code.first, code.last):
            op = _decode(code, at, t, k)
            if op.kind <= PROJECT:
                if op.kind == LINEAR:
                    linear(
                        at.row, op.n_in, direction, op.weight, values, op.a, tangents, op.y, op.n
                    )
                else:
                    project(
                        at.row, op.n_in, direction, op.weight, values, op.a, tangents, op.y, op.n
                    )
                if not op.reads_input:  # which does not move
                    linear_more(at.row, op.n_in, theta, op.weight, tangents, op.a, op.y, op.n)
            elif op.kind == BIAS:
                add_bias(at.row, direction, op.weight, tangents, op.a, op.y, op.n)
            elif op.kind == ADD:
                add(op.number, tangents, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                multiply_jvp(values, tangents, op.a, op.b, op.y, op.n)
            elif op.kind == BLEND:
                blend_jvp(values, tangents, op.a, op.b, op.c, op.y, op.n)
            else:
                activate_jvp(op.kind, op.number, values, tangents, op.a, op.y, op.n)


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
                linear_weights(
                    at.row, op.n_in, values, op.a, adjoint_tangents, op.y, op.n, product, op.weight
                )
                if op.kind == LINEAR:
                    bias = op.weight + op.n_in * (op.n // at.row)
                    linear_bias(at.row, adjoint_tangents, op.y, op.n, product, bias)
                linear_back(
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
                linear_back(
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
                    linear_weights(
                        at.row, op.n_in, tangents, op.a, adjoints, op.y, op.n, product, op.weight
                    )
            elif op.kind == BIAS:
                linear_bias(at.row, adjoint_tangents, op.y, op.n, product, op.weight)
                accumulate_rows(adjoint_tangents, op.a, op.y, op.n)
            elif op.kind == ADD:
                add_back(op.number, adjoint_tangents, op.a, op.b, op.y, op.n)
            elif op.kind == MULTIPLY:
                multiply_back(values, adjoint_tangents, op.y, adjoint_tangents, op.a, op.b, op.n)
                multiply_back(tangents, adjoints, op.y, adjoint_tangents, op.a, op.b, op.n)
            elif op.kind == BLEND:
                blend_back(
                    1.0, values, adjoint_tangents, op.y, adjoint_tangents, op.a, op.b, op.c, op.n
                )
                blend_back(0.0, tangents, adjoints, op.y, adjoint_tangents, op.a, op.b, op.c, op.n)
            else:
                activate_back_jvp(
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
