"""Names that formulas may use, and what they stand for."""

from __future__ import annotations

from types import MappingProxyType

_HARD_SIGMOID = "min(1, max(0, 0.5 * x + 0.5))"
_TO_TWO = "max(min(x, 2), -2)"

ACTIVATION_FUNCTIONS: dict[str, str] = {
    "identity": "x",
    "sigmoid": "sigmoid(x)",
    "tanh": "tanh(x)",
    "relu": "relu(x)",
    "relu6": "min(relu(x), 6)",
    "leaky_relu": "max(x, 0.01 * x)",
    "elu": "elu(x)",
    "selu": "1.0507009873554805 * (relu(x) + 1.6732632423543772 * elu(min(x, 0)))",
    "softplus": "softplus(x)",
    "log_sigmoid": "-softplus(-x)",
    "softsign": "x / (1 + abs(x))",
    "hard_tanh": "max(min(x, 1), -1)",
    "softshrink": "x - max(min(x, 0.5), -0.5)",
    "tanhshrink": "x - tanh(x)",
    "swish": "x * sigmoid(x)",
    "e_swish": "1.75 * x * sigmoid(x)",
    "mish": "x * tanh(softplus(x))",
    "gelu": "x * (0.5 + 0.5 * erf(0.7071067811865476 * x))",
    "elish": "elu(x) * sigmoid(x)",
    "hard_elish": f"elu(x) * {_HARD_SIGMOID}",
    "bent_identity": "0.5 * (sqrt(x * x + 1) - 1) + x",
    "sqnl": f"{_TO_TWO} - 0.25 * ({_TO_TWO} * abs({_TO_TWO}))",
    "isru": "x / sqrt(1 + x * x)",
    "isrlu": "relu(x) + min(x, 0) / sqrt(1 + min(x, 0) * min(x, 0))",
    "flatten_t_swish": "relu(x) * sigmoid(x) - 0.2",
    "weighted_tanh": "tanh(1.7145 * x)",
    "lecun_tanh": "1.7159 * tanh(0.6666666666666666 * x)",
    "soft_clipping": "2 * (softplus(0.5 * x) - softplus(0.5 * (x - 1)))",
    "aria_2": "sigmoid(x) * sqrt(sigmoid(x))",
    "hard_sigmoid": "min(relu(x + 3), 6) / 6",
    "hard_swish": "x * min(relu(x + 3), 6) / 6",
    "gelu_tanh": "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x**3)))",
    "quick_gelu": "x * sigmoid(1.702 * x)",
    "squared_relu": "relu(x)**2",
}
"""Well-known activation functions, by names that :meth:`ActivationFunction.encode` knows.
Those that PyTorch has, too, are PyTorch's."""

DEFINITIONS = MappingProxyType(
    {f"{name}(x)": formula for name, formula in ACTIVATION_FUNCTIONS.items()}
    | {
        "silu(x)": "x * sigmoid(x)",
        "celu(x)": "elu(x)",
        # With what PyTorch's functions take.
        "leaky_relu(x, negative_slope)": "relu(x) + negative_slope * min(x, 0)",
        "elu(x, alpha)": "relu(x) + alpha * elu(min(x, 0))",
        "celu(x, alpha)": "relu(x) + alpha * elu(min(x, 0) / alpha)",
        "softplus(x, beta)": "softplus(beta * x) / beta",
        "softshrink(x, lambd)": "x - max(min(x, lambd), -lambd)",
        "hard_tanh(x, min_val, max_val)": "max(min(x, max_val), min_val)",
        "gelu(x, approximate='tanh')": "gelu_tanh(x)",
        "clamp(x, min)": "max(x, min)",
        "clamp(x, max)": "min(x, max)",
        "clamp(x, min, max)": "min(max(x, min), max)",
        "clip(x, min)": "max(x, min)",
        "clip(x, max)": "min(x, max)",
        "clip(x, min, max)": "min(max(x, min), max)",
        # Arithmetic as functions.
        "positive(x)": "x",
        "neg(x)": "-x",
        "negative(x)": "-x",
        "add(x, other)": "x + other",
        "sub(x, other)": "x - other",
        "subtract(x, other)": "x - other",
        "mul(x, other)": "x * other",
        "multiply(x, other)": "x * other",
        "div(x, other)": "x / other",
        "divide(x, other)": "x / other",
        "pow(x, exponent)": "x**exponent",
        "power(x, exponent)": "x**exponent",
        "reciprocal(x)": "1 / x",
        "square(x)": "x**2",
        "rsqrt(x)": "1 / sqrt(x)",
        "zero(x)": "0",
        "one(x)": "1",
        # Elementary functions.
        "expm1(x)": "exp(x) - 1",
        "exp2(x)": "2**x",
        "log1p(x)": "log(1 + x)",
        "log2(x)": "log(x) / 0.6931471805599453",
        "log10(x)": "log(x) / 2.302585092994046",
        "erfc(x)": "1 - erf(x)",
        "tan(x)": "sin(x) / cos(x)",
        "sinh(x)": "0.5 * (exp(x) - exp(-x))",
        "cosh(x)": "0.5 * (exp(x) + exp(-x))",
        "arctan(x)": "atan(x)",
        "arcsinh(x)": "asinh(x)",
        # acosh and atanh by their logarithms, where these have a value.
        "acosh(x)": "log(x + sqrt(x**2 - 1))",
        "arccosh(x)": "log(x + sqrt(x**2 - 1))",
        "atanh(x)": "0.5 * log((1 + x) / (1 - x))",
        "arctanh(x)": "0.5 * log((1 + x) / (1 - x))",
    }
)
"""What names with arguments stand for: formulas of the arguments."""

SIGNATURES = (
    "relu(x, inplace=False)",
    "relu6(x, inplace=False)",
    "silu(x, inplace=False)",
    "mish(x, inplace=False)",
    "selu(x, inplace=False)",
    "hard_sigmoid(x, inplace=False)",
    "hard_swish(x, inplace=False)",
    "elu(x, alpha=1.0, inplace=False)",
    "celu(x, alpha=1.0, inplace=False)",
    "leaky_relu(x, negative_slope=0.01, inplace=False)",
    "hard_tanh(x, min_val=-1.0, max_val=1.0, inplace=False)",
    "softplus(x, beta=1.0, threshold=20.0)",
    "softshrink(x, lambd=0.5)",
    "gelu(x, approximate='none')",
    "clamp(x, min=None, max=None)",
    "clip(x, min=None, max=None)",
)
"""PyTorch's functions with arguments that may be left out, in its order."""

WITHOUT_EFFECT = frozenset({"inplace", "threshold"})
"""Arguments that are no part of the function: where results go, and beyond what softplus is
computed as x."""

LEAST = MappingProxyType(
    {("softplus", "threshold"): 20.0, ("softshrink", "lambd"): 0.0, ("celu", "alpha"): 0.0}
)
"""The least values for which definitions hold. At a threshold t that of PyTorch's softplus
jumps by log(1 + exp(-t)) / beta, too little to matter from 20 on, the default."""

FOLDED = MappingProxyType(
    {
        "max": ("max", 2),
        "maximum": ("max", 2),
        "max_n": ("max", 1),
        "min": ("min", 2),
        "minimum": ("min", 2),
        "min_n": ("min", 1),
        "sum_n": ("+", 1),
        "prod_n": ("*", 1),
    }
)
"""Functions of any number of arguments: how two are combined, and the fewest arguments."""
