"""Exponentials, logarithms and what is made of them, on vectors.

Accurate to a few units in the last place in both precisions. The C library's functions
take one number at a time, and as long for it as these take for a vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.polynomial import Chebyshev, Polynomial

from ._compile import inlined
from ._vectors import (
    absolute,
    constant,
    exponent,
    maximum,
    polynomial,
    select_positive,
    shifter,
    times_power_of_two,
)

_LOG2_E = 1 / math.log(2)
# log(2) in two parts, the first of so few bits that small integers times it are exact.
_LOG2_HIGH = 355 / 512
_LOG2_LOW = -2.1219444005469058277e-4
# exp(_LOWEST) is about the smallest normal number in float32.
_LOWEST = -86.0
_ROOT_OF_TWO = math.sqrt(2)


def _coefficients(function: Callable[..., Any], degree: int, end: float) -> list[float]:
    """Interpolate at Chebyshev's points of (-end, end); coefficients, highest first."""
    interpolated = Chebyshev.interpolate(function, degree, domain=[-end, end])
    return [float(value) for value in interpolated.convert(kind=Polynomial).coef[::-1]]


def _growth(r: Any) -> Any:
    """Compute (exp(r) - 1) / r by its series."""
    return sum(r**k / math.factorial(k + 1) for k in range(24))


def _remainder(r: Any) -> Any:
    """Compute (exp(r) - 1 - r) / r**2 by its series."""
    return sum(r**k / math.factorial(k + 2) for k in range(24))


def _ratio(square: Any) -> Any:
    """Compute (2 artanh(s) - 2 s) / s**3 from s**2, by its series."""
    return sum(2 * square**k / (2 * k + 3) for k in range(24))


# Arguments are reduced to these intervals: |r| <= log(2) / 2 and |s| <= 3 - 2 sqrt(2).
_END, _SQUARE_END = math.log(2) / 2, (3 - 2 * _ROOT_OF_TWO) ** 2
# The constant is one exactly: so is exp(0), and a loss that is zero has no gradient.
_exponential = polynomial(
    single=[*_coefficients(_growth, 5, _END), 1.0],
    double=[*_coefficients(_growth, 11, _END), 1.0],
)
_beyond_linear = polynomial(
    single=_coefficients(_remainder, 4, _END), double=_coefficients(_remainder, 10, _END)
)
_beyond_first = polynomial(
    single=_coefficients(_ratio, 2, _SQUARE_END), double=_coefficients(_ratio, 8, _SQUARE_END)
)


@inlined
def _reduce(x: Any) -> Any:
    """Return r and the shifted k for which exp(x) = exp(r) * 2**k."""
    # k = round(x / log 2), by adding the shifter; r = x - k log 2 with log 2 in two parts,
    # so that the larger part is subtracted without rounding (Cody and Waite).
    x = maximum(constant(x, _LOWEST), x)
    shifted = x * _LOG2_E + shifter(x)
    k = shifted - shifter(x)
    return (x - k * _LOG2_HIGH) - k * _LOG2_LOW, shifted


@inlined
def exp_of_negative(x: Any) -> Any:
    """Compute exp(x) for x <= 0, precisely where it is tiny too."""
    r, shifted = _reduce(x)
    return times_power_of_two(_exponential(r), shifted)


@inlined
def expm1_of_negative(x: Any) -> Any:
    """Compute exp(x) - 1 for x <= 0, precisely near zero too."""
    # exp(x) - 1 = 2**k (exp(r) - 1) + (2**k - 1): near zero k is 0, and nothing cancels.
    r, shifted = _reduce(x)
    scale = times_power_of_two(constant(x, 1.0), shifted)
    return scale * (_beyond_linear(r) * (r * r) + r) + (scale - 1.0)


@inlined
def log(x: Any) -> Any:
    """Compute logarithms of positive normal numbers."""
    # x = m 2**k, and log(m) = 2 artanh(s) with s = (m - 1) / (m + 1), |s| <= 3 - 2 sqrt(2).
    k = exponent(x)
    m = times_power_of_two(x, shifter(x) - k)
    # From 1 <= m < 2 into 1 / sqrt(2) <= m <= sqrt(2).
    k = select_positive(m - _ROOT_OF_TWO, k + 1.0, k)
    m = select_positive(m - _ROOT_OF_TWO, m * 0.5, m)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    return k * _LOG2_HIGH + (k * _LOG2_LOW + (_beyond_first(square) * square * s + 2.0 * s))


@inlined
def sigmoid(x: Any) -> Any:
    """Compute 1 / (1 + exp(-x))."""
    # With t = exp(-|x|) it is 1 / (1 + t) on the right and t / (1 + t) on the left:
    # no exponential overflows.
    tail = exp_of_negative(-absolute(x))
    return select_positive(x, constant(x, 1.0), tail) / (1.0 + tail)


@inlined
def exponential(x: Any) -> Any:
    """Compute exp(x), up to the largest number of single precision."""
    tail = exp_of_negative(-absolute(x))
    return select_positive(x, 1.0 / tail, tail)


@inlined
def softplus(x: Any) -> Any:
    """Compute log(1 + exp(x))."""
    # max(x, 0) + log(1 + exp(-|x|)).
    return maximum(x, constant(x, 0.0)) + log(1.0 + exp_of_negative(-absolute(x)))


@inlined
def tanh(x: Any) -> Any:
    """Compute hyperbolic tangents."""
    # tanh |x| = -e / (e + 2) with e = exp(-2 |x|) - 1, precise near zero too.
    grown = expm1_of_negative(-2.0 * absolute(x))
    size = -grown / (grown + 2.0)
    return select_positive(x, size, -size)
