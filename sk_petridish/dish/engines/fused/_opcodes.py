"""Instructions, and the columns of their table."""

from __future__ import annotations

LINEAR, PROJECT, BIAS, ADD, MULTIPLY, BLEND = range(6)
SIGMOID, TANH, LEAKY_RELU, ELU, SOFTPLUS, EXP, SQRT, RECIPROCAL, SHIFT = range(6, 15)
"""Instructions. PROJECT is LINEAR without the bias, which is BIAS without the rest. An ADD
is scaled, by which a mean is made of it, or a multiple of one operand."""

# Columns of the table of instructions: which one it is; the first row of its result, and
# how many it has; the first rows of its operands, and how many the first of them has; and
# its first weight.
CODE, OUT, N_OUT, FIRST, SECOND, THIRD, N_IN, WEIGHT = range(8)
N_COLUMNS = 8
