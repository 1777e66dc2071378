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
        # With the numbers that PyTorch's functions take.
        "leaky_relu(x, a)": "relu(x) + a * min(x, 0)",
        "elu(x, a)": "relu(x) + a * elu(min(x, 0))",
        "celu(x, a)": "relu(x) + a * elu(min(x, 0) / a)",
        "softplus(x, a)": "softplus(a * x) / a",
        "softshrink(x, a)": "x - max(min(x, a), -a)",
        "hard_tanh(x, a, b)": "max(min(x, b), a)",
        "clamp(x, a, b)": "min(max(x, a), b)",
        "clip(x, a, b)": "min(max(x, a), b)",
        # Arithmetic as functions.
        "positive(x)": "x",
        "neg(x)": "-x",
        "negative(x)": "-x",
        "add(a, b)": "a + b",
        "sub(a, b)": "a - b",
        "subtract(a, b)": "a - b",
        "mul(a, b)": "a * b",
        "multiply(a, b)": "a * b",
        "div(a, b)": "a / b",
        "divide(a, b)": "a / b",
        "pow(a, b)": "a**b",
        "power(a, b)": "a**b",
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
