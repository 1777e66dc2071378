"""Activation functions made of named functions."""

import csv
import inspect
import math
import os
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small_dishes import make_settings

from sk_petridish.dish import DishBatch, choose_engine, draw_dish
from sk_petridish.motifs import ACTIVATION_FUNCTIONS, ActivationFunction, SigmoidSlope
from sk_petridish.motifs.notation._named_functions import DEFINITIONS, FOLDED

IN_TORCH = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "log_sigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "hard_tanh": F.hardtanh,
    "softshrink": F.softshrink,
    "tanhshrink": F.tanhshrink,
    "swish": F.silu,
    "e_swish": lambda x: 1.75 * F.silu(x),
    "mish": F.mish,
    "gelu": F.gelu,
    "elish": lambda x: torch.where(x > 0, x, torch.exp(x) - 1) * torch.sigmoid(x),
    "hard_elish": lambda x: torch.where(x > 0, x, torch.exp(x) - 1) * ((x + 1) / 2).clamp(0.0, 1.0),
    "bent_identity": lambda x: (torch.sqrt(x**2 + 1) - 1) / 2 + x,
    "sqnl": lambda x: torch.where(
        x.abs() > 2, x.sign(), torch.where(x > 0, x - x**2 / 4, x + x**2 / 4)
    ),
    "isru": lambda x: x / torch.sqrt(1 + x**2),
    "isrlu": lambda x: torch.where(x > 0, x, x / torch.sqrt(1 + x**2)),
    "flatten_t_swish": lambda x: F.relu(x) * torch.sigmoid(x) - 0.2,
    "weighted_tanh": lambda x: torch.tanh(1.7145 * x),
    "lecun_tanh": lambda x: 1.7159 * torch.tanh(2 / 3 * x),
    "soft_clipping": lambda x: 2 * torch.log((1 + torch.exp(x / 2)) / (1 + torch.exp((x - 1) / 2))),
    "aria_2": lambda x: torch.sigmoid(x) ** 1.5,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "squared_relu": lambda x: F.relu(x) ** 2,
}
# What the published table has, by our names; of the others no formula here is the like:
# they are random, have learned parameters, or jump.
OF_THE_TABLE = {
    "Mish": "mish", "Swish-1": "swish", "E-Swish (β=1.75)": "e_swish", "GELU": "gelu",
    "ReLU": "relu", "ELU(α=1.0)": "elu", "Leaky ReLU(α=0.3)": "max(x, 0.3 * x)",
    "SELU": "selu", "SoftPlus(β = 1)": "softplus", "Hardtanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid", "ReLU6": "relu6", "CELU(α=1.0)": "elu", "Sigmoid": "sigmoid",
    "Softshrink(λ = 0.5)": "softshrink", "Tanhshrink": "tanhshrink", "Tanh": "tanh",
    "Softsign": "softsign", "Aria-2(β = 1, α=1.5)": "aria_2",
    "Bent's Identity": "bent_identity", "SQNL": "sqnl", "ELisH": "elish",
    "Hard ELisH": "hard_elish", "ISRU (α=1.0)": "isru", "Flatten T-Swish": "flatten_t_swish",
    "Weighted Tanh (Weight = 1.7145)": "weighted_tanh", "LeCun's Tanh": "lecun_tanh",
    "Soft Clipping (α=0.5)": "soft_clipping", "ISRLU (α=1.0)": "isrlu",
}  # fmt: skip
WITHOUT_FORMULA = {
    "RReLU", "HardShrink(λ = 0.5)", "PReLU", "SReLU", "SineReLU (ε = 0.001)",
}  # fmt: skip


# What is read besides: names, functions and modules of PyTorch, and arithmetic.
ALIKE = {
    "silu": F.silu, "SiLU": F.silu, "nn.SiLU()": F.silu, "torch.nn.SiLU": F.silu,
    "F.silu(x)": F.silu, "torch.nn.functional.silu(x)": F.silu, "nn.SiLU()(x)": F.silu,
    "hardswish": F.hardswish, "nn.Hardswish()": F.hardswish, "hardsigmoid(x)": F.hardsigmoid,
    "celu": F.celu, "CELU(0.5)": lambda x: F.celu(x, 0.5), "LogSigmoid": F.logsigmoid,
    "leaky_relu(x)": F.leaky_relu, "F.leaky_relu(x, 0.2)": lambda x: F.leaky_relu(x, 0.2),
    "nn.LeakyReLU(3)(2 * x)": lambda x: F.leaky_relu(2 * x, 3.0), "nn.ReLU6()": F.relu6,
    "elu(x, 0.5)": lambda x: F.elu(x, 0.5), "nn.Hardtanh(-2, 3)": lambda x: F.hardtanh(x, -2, 3),
    "nn.Softplus(2)": lambda x: torch.log1p(torch.exp(2 * x)) / 2,
    "F.softshrink(x, 0.3)": lambda x: F.softshrink(x, 0.3), "torch.tanh": torch.tanh,
    "torch.clamp(x, -1, 3)": lambda x: x.clamp(-1, 3), "np.clip(x, 0, 3)": lambda x: x.clamp(0, 3),
    "mish(2*x)": lambda x: F.mish(2 * x), "swish(2) * x": lambda x: 2 * x / (1 + math.exp(-2)),
    "nn.GELU()(x) + selu(x)": lambda x: F.gelu(x) + F.selu(x),
    "add(relu(x),swish(x))": lambda x: F.relu(x) + F.silu(x),
    "max(relu(x),cosh(elu(x)))": lambda x: torch.maximum(F.relu(x), torch.cosh(F.elu(x))),
    "sum_n(abs(x),swish(x),sigmoid(x))": lambda x: x.abs() + F.silu(x) + torch.sigmoid(x),
    "prod_n(x, x, x)": lambda x: x**3, "max_n(x)": lambda x: x, "min(x, 1, -x)": lambda x: -x.abs(),
    "max(x, 0, -1)": F.relu, "maximum(x, sin(x))": lambda x: torch.maximum(x, x.sin()),
    "minimum(x, -1 + sin(x))": lambda x: torch.minimum(x, x.sin() - 1),
    "min_n(x, 0)": lambda x: -F.relu(-x),
    "sub(x, 1)": lambda x: x - 1, "subtract(1, x)": lambda x: 1 - x, "mul(x, 2)": lambda x: 2 * x,
    "multiply(x, x)": torch.square, "div(1, x)": torch.reciprocal, "divide(x, 4)": lambda x: x / 4,
    "neg(x)": torch.neg, "negative(x)": torch.neg, "positive(x)": torch.positive,
    "reciprocal(x)": torch.reciprocal, "square(x)": torch.square, "torch.rsqrt(x)": torch.rsqrt,
    "zero(x) + x": lambda x: x, "one(x) + x": lambda x: 1 + x, "identity(x)": lambda x: x,
    "+x": lambda x: x, "- + -x": lambda x: x, "x**2": torch.square, "x**7": lambda x: x**7,
    "x**0 * x": lambda x: x, "x**-3": lambda x: x**-3.0, "x**0.5": torch.sqrt, "2**x": torch.exp2,
    "x**-1.5": lambda x: x**-1.5, "(2 * x)**(3 / 2)": lambda x: (2 * x) ** 1.5,
    "pow(x, 3)": lambda x: x**3, "power(0.5, x)": lambda x: 0.5**x, "e**x": torch.exp,
    "2**3 * x": lambda x: 8 * x, "pow(abs(x), 2.5)": lambda x: x.abs() ** 2.5,
    "pi * x": lambda x: torch.pi * x, "math.e + x": lambda x: math.e + x,
    "0.5*x*(1+tanh(sqrt(2/pi)*(x+0.044715*x**3)))": lambda x: F.gelu(x, approximate="tanh"),
    "sinh(x)": torch.sinh, "cosh": torch.cosh, "tan(x)": torch.tan, "expm1(x)": torch.expm1,
    "erfc(x)": torch.erfc, "exp2(x)": torch.exp2, "log(x)": torch.log, "log1p(x)": torch.log1p,
    "log2(x)": torch.log2, "log10(x)": torch.log10, "torch.asinh(x)": torch.asinh,
    "arcsinh": torch.asinh, "atan(x)": torch.atan, "arctan(x)": torch.atan, "acosh(x)": torch.acosh,
    "arccosh(x)": torch.acosh, "atanh(x / 7)": lambda x: torch.atanh(x / 7),
    "arctanh(x / 7)": lambda x: torch.atanh(x / 7), "x*asinh(x)**2": lambda x: x * x.asinh() ** 2,
    "atan(x)**2 - x": lambda x: x.atan() ** 2 - x, "softsign": F.softsign,
    # With the names and the order of PyTorch's arguments.
    "F.leaky_relu(x, negative_slope=0.01, inplace=True)": F.leaky_relu, "nn.ReLU(True)": F.relu,
    "nn.LeakyReLU(negative_slope=1 / 4)": lambda x: F.leaky_relu(x, 0.25),
    "nn.LeakyReLU(0.2, True)(2 * x) + 1": lambda x: F.leaky_relu(2 * x, 0.2) + 1,
    "nn.Softplus(beta=2)": lambda x: torch.log1p(torch.exp(2 * x)) / 2,
    "F.softplus(x, 1, 20)": F.softplus, "F.softplus(x, threshold=30)": F.softplus,
    "torch.clamp(x, min=0)": F.relu, "x + torch.clamp(x, max=2.5)": lambda x: x + x.clamp(max=2.5),
    "torch.clamp(x, None, 6)": lambda x: x.clamp(max=6), "clamp(x, 1)": lambda x: x.clamp(1),
    "torch.clip(max=1, input=x, min=-2)": lambda x: x.clip(-2, 1),
    "np.clip(x, a_min=0, a_max=6)": lambda x: x.clip(0, 6), "F.silu(input=x)": F.silu,
    "nn.GELU('tanh')": lambda x: F.gelu(x, approximate="tanh"), "F.gelu(x, 'none')": F.gelu,
    "F.gelu(x, approximate=\"tanh\")": lambda x: F.gelu(x, approximate="tanh"),
    "nn.Hardtanh(max_val=3)": lambda x: F.hardtanh(x, -1.0, 3.0),
    "F.hardtanh(x, -2, inplace=True)": lambda x: F.hardtanh(x, -2.0),
    "F.elu(x, alpha=-1)": lambda x: F.elu(x, -1.0), "torch.pow(x, exponent=2)": torch.square,
    "torch.add(x, other=1)": lambda x: x + 1, "torch.tanh(input=x)": torch.tanh,
}  # fmt: skip
# PyTorch's activations that are no formula here: they have learned parameters, are random, jump,
# or mix the units.
NO_FORMULA = {
    "Threshold", "RReLU", "GLU", "Hardshrink", "MultiheadAttention", "PReLU", "Softmin", "Softmax",
    "Softmax2d", "LogSoftmax",
}  # fmt: skip
OPTIONS = {
    "Hardtanh": [(-2.0, 0.5)], "ELU": [(0.5,), (2,)], "CELU": [(0.5,), (2,)], "GELU": [("tanh",)],
    "LeakyReLU": [(0.2,), (1.5,), (-1e-05,)], "Softplus": [(0.5,), (2.0, 30.0)],
    "Softshrink": [(0.0,), (1.25,)],
}  # fmt: skip


@pytest.mark.parametrize("name", ["Identity", *torch.nn.modules.activation.__all__])
def test_what_torch_prints_of_a_module_is_the_module(name):
    space = ActivationFunction()
    module = getattr(torch.nn, name)
    if name in NO_FORMULA:
        with pytest.raises(ValueError, match=f"'nn.{name}' is unknown"):
            space.encode([f"nn.{name}(0.5)"])
        return
    modules = [module(*options) for options in [(), *OPTIONS.get(name, [])]]
    if "inplace" in inspect.signature(module).parameters:
        modules += [module(*options, inplace=True) for options in [(), *OPTIONS.get(name, [])]]
    x = torch.linspace(-6, 6, 241, dtype=torch.float64)
    for one in modules:
        X = space.encode([str(one), f"nn.{one}", f"torch.nn.{one}(x)"])
        np.testing.assert_array_equal(X, X[[0, 0, 0]])
        expected = one(x.clone()).numpy()
        np.testing.assert_allclose(space.activation(X[0], x), expected, rtol=1e-12, atol=1e-12)
    # Its defaults written out are the function without them.
    np.testing.assert_array_equal(*space.encode([str(module()), name]))


@pytest.mark.parametrize(("text", "function"), (IN_TORCH | ALIKE).items())
def test_what_is_read_is_what_torch_computes(text, function):
    space = ActivationFunction()
    x = torch.linspace(-6, 6, 241, dtype=torch.float64)
    X = space.encode([text])
    expected = function(x).numpy()
    # Sums of large terms, such as sinh's, are as precise as these.
    np.testing.assert_allclose(space.activation(X[0], x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)


def test_every_name_is_read_and_compared():
    compared = {_spelt(text) for text in IN_TORCH | ALIKE}
    names = {signature.partition("(")[0] for signature in DEFINITIONS} | {*FOLDED}
    assert ACTIVATION_FUNCTIONS.keys() == IN_TORCH.keys()
    for name in names:
        assert any(_spelt(name) in text for text in compared), name


def _spelt(text):
    return text.lower().replace("_", "")


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_names_are_functions_of_anything(name):
    space = ActivationFunction(max_nodes=60)
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    for text, argument in (("tanh(2 * x)", torch.tanh(2 * x)), ("0.3", torch.full_like(x, 0.3))):
        (row,) = space.encode([f"x + {name}({text})"])
        expected = x + IN_TORCH[name](argument)
        np.testing.assert_allclose(space.activation(row, x), expected, rtol=1e-12, atol=1e-12)
    assert space.decode(space.encode([f"x + {name}(0.3)"]))[0].count(" ") == 2
    spellings = [name, name.upper(), name.replace("_", ""), f"torch.{name}", f"{name}(x)"]
    first, *others = space.encode(spellings)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_every_function_of_the_published_table_that_has_a_formula_has_one():
    folder = os.environ.get("SK_PETRIDISH_DATA")
    path = Path(folder or "", "activations_squeezenet_cifar10.csv")
    if not folder or not path.exists():
        pytest.skip("needs activations_squeezenet_cifar10.csv in SK_PETRIDISH_DATA")
    names = {row["activation"] for row in csv.DictReader(path.read_text().splitlines())}
    assert names == OF_THE_TABLE.keys() | WITHOUT_FORMULA
    ActivationFunction().encode(list(OF_THE_TABLE.values()))


SMOOTH = ["gelu", "1 / (2 + sin(x))", "atan(x) + asinh(x)", "log(1 + x * x)"]


@pytest.mark.parametrize("name", [*dict.fromkeys([*ACTIVATION_FUNCTIONS, "exp(0.5 * x)", *SMOOTH])])
def test_engines_agree(name):
    space = ActivationFunction()
    motifs = [space.blueprint(space.encode([name])[0])]
    auto = choose_engine("auto", motifs, dtype=torch.float64, device="cpu", n_jobs=1)
    # Some functions have no kernel.
    assert auto.name == ("torch" if name in SMOOTH else "numba")
    reference = choose_engine("torch", motifs, dtype=torch.float64, device="cpu", n_jobs=1)
    batch = DishBatch.stack([draw_dish(make_settings(steps=10), 0)], torch.float64, "cpu")
    results = []
    for engine in (auto, reference):
        x = batch.x_train.clone().requires_grad_()
        dishes = DishBatch(batch.settings, batch.seeds, x, *list(vars(batch).values())[3:])
        curves = engine.curves(engine.build(motifs, batch.settings), dishes, [10])
        (gradient,) = torch.autograd.grad(curves.valid.sum(), x)
        results.append((curves.valid.detach(), gradient))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-9, atol=0)
    assert (results[0][1] - results[1][1]).norm() <= 1e-9 * results[1][1].norm()


def test_the_slope_of_a_sigmoid_is_a_special_case():
    space, x = ActivationFunction(), np.linspace(-3, 3, 13)
    row = space.encode(["sigmoid(0.23 * x)"])[0]
    np.testing.assert_allclose(space.activation(row, x), SigmoidSlope().activation([0.23], x))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("x * sigmoid(x)", "sigmoid(x) * x"),
        ("max(x, 0.1 * x)", "max(x * 0.1, x)"),
        ("-x", "-1 * x"),
        ("x + 1 + 1", "1 + (x + 1)"),
        ("2 * 3 * x", "6 * x"),
        ("tanh(x) + tanh(x)", "tanh(x) + tanh(x)"),
    ],
)
def test_formulas_that_commute_are_one(one, same):
    space = ActivationFunction()
    first, second = space.canonical_keys(space.encode([one, same]))
    assert first == second


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x +", "no formula"),
        ("swoosh(x)", "is unknown"),
        ("y", "is unknown"),
        ("__import__('os')", "is unknown"),
        ("x if x else 1", "is unknown"),
        ("max(x)", "'max' is unknown with 1 argument"),
        ("leaky_relu(x, 1, 2)", "'leaky_relu' cannot have inplace=2.0"),
        ("leaky_relu(x, 1, False, 2)", "'leaky_relu' is unknown with 4 arguments"),
        ("nn.LeakyReLU(slope=0.2)", "an argument 'slope': it has x, negative_slope, inplace"),
        ("F.relu(x, dim=1)", "'relu' is unknown with an argument 'dim': it has x, inplace"),
        ("torch.add(x, 1, alpha=2)", "an argument 'alpha': it has x, other"),
        ("max(x, dim=1)", "'max' is unknown with an argument 'dim'"),
        ("swoosh(x, beta=1)", "'swoosh' is unknown with 2 arguments. A formula"),
        ("swish(x, inplace=True)", "'swish' is unknown with an argument 'inplace': it has x"),
        ("elu(x, **x)", "an argument '\\*\\*'"),
        ("elu(x, x=x)", "'elu' has two arguments 'x'"),
        ("elu(x, alpha=1, alpha=2)", "'elu' has two arguments 'alpha'"),
        ("elu(x, alpha=None)", "'elu' cannot have alpha=None"),
        ("elu(x, alpha=True)", "'elu' cannot have alpha=True"),
        ("relu('x')", "'relu' cannot have x='x'"),
        ("nn.ReLU()(x, x)", "'ReLU' cannot have inplace=x"),
        ("nn.CELU(alpha=-1.0)", "'CELU' cannot have alpha=-1, only 0 or more"),
        ("nn.CELU(alpha=0)", "no value"),
        ("nn.Softshrink(-1)", "cannot have lambd=-1"),
        ("nn.Softplus(threshold=5)", "cannot have threshold=5, only 20 or more"),
        ("clamp(x)", r"'clamp' is unknown with x: it is clamp\(x, min\) or"),
        ("relu(inplace=True)", r"'relu' is unknown with 0 arguments: it is relu\(x\)"),
        ("gelu(x, approximate='erf')", r"unknown with approximate='erf', x: .* approximate='tanh'"),
        ("gelu(x, approximate=tanh)", "'tanh' is unknown"),
        ("bessel_i0e(x)", "'bessel_i0e' is unknown .* the functions abs, .*, zero"),
        ("F.relu + x", "is unknown"),
        ("torch.load(x)", "'torch.load' is unknown"),
        ("x.tanh()", "is unknown"),
        ("x.__class__", "is unknown"),
        ("max(*x)", "is unknown"),
        ("True * x", "is unknown"),
        ("1j * x", "is unknown"),
        ("x // 2", "is unknown"),
        ("silu()", "is unknown with 0 arguments"),
        ("nn.SiLU()(x)(x)", "is unknown"),
        ("", "no formula"),
        ("x))", "no formula"),
        ("x\0", "no formula"),
        ("x**0.3", "the exponent 0.3 is unknown"),
        ("x**1e300", "exponents are whole or half numbers"),
        ("x**10**10**10", "exponents are whole or half numbers"),
        ("x**x", "its base must be a number above 0"),
        ("(-2)**x", "its base must be a number above 0"),
        ("x**1000", "has 1999 parts, more than max_nodes=24"),
        ("mish(" * 50 + "x" + ")" * 50, "has over a billion parts"),
        ("sinh(" * 150 + "x" + ")" * 150, "parts, more than max_nodes=24"),
        ("(" * 1000 + "x" + ")" * 1000, "no formula"),
        ("-" * 40_000 + "x", "nested too deeply"),
        ("x+" * 20_000 + "x", "nested too deeply"),
        ("x+" * 10**6 + "x", "2000001 characters, more than"),
        ("1" * 5000 + " * x", "no formula"),
        ("1" + "0" * 400 + " * x", "no value"),
        ("1e999 * x", "no value"),
        ("pi", "does not depend on x"),
        ("zero(x)", "does not depend on x"),
        ("x / zero(x)", "no value"),
        (5, "a formula is text"),
        (None, "a formula is text"),
        ("1 + 2", "does not depend on x"),
        ("x / 0", "no value"),
        ("x + sqrt(0 - 1)", "no value"),
        ("+".join(13 * "x"), "more than max_nodes=24"),
    ],
)
def test_what_is_no_formula_is_refused(text, reason):
    with pytest.raises(ValueError, match=f"(?s)^Motif 1: .*{reason}"):
        ActivationFunction().encode(["x", text])


WORDS = "x ( ) + - * / ** , . 0.5 2 max tanh nn = ' mish SiLU \\ e pi [ : ~ x(x)".split()
WORDS += ["elu(", "alpha=", "inplace=", "True", "None"]


@given(parts=st.lists(st.sampled_from([*WORDS, " ", "\n", "lambda "]), max_size=12))
def test_nonsense_is_refused_by_a_value_error(parts):
    space = ActivationFunction()
    try:
        X = space.encode(["".join(parts)])
    except ValueError:
        return
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)


@pytest.mark.parametrize("make", ["x+".__mul__, "abs(".__mul__, "-".__mul__, "x*(2-".__mul__])
@pytest.mark.parametrize("n", [150, 199, 250, 330, 500])
def test_deep_formulas_are_refused_or_read(make, n):
    space = ActivationFunction(max_nodes=2000)
    text = make(n) + "x"
    try:
        X = space.encode([text + text.count("(") * ")"])
    except ValueError:
        return
    assert space.blueprint(X[0])
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)


@pytest.mark.parametrize("max_nodes", [1, 2, 3, 7])
def test_where_there_is_little_room_small_formulas_are_drawn(max_nodes):
    space = ActivationFunction(max_nodes=max_nodes)
    X = space.sample(50, random_state=0)
    np.testing.assert_array_equal(space.validate(X), X)
    assert max_nodes == 1 or len(set(space.decode(X))) > 2


def test_rows_that_are_no_formula_are_refused():
    space = ActivationFunction(max_nodes=3)
    good = space.encode(["tanh(x)"])[0]
    for column, value, reason in (
        (0, 99, "whole numbers"),
        (0, 0.5, "whole numbers"),
        (4, 1, "mean nothing"),
        (1, 0.5, "mean nothing"),
        (2, 0, "an argument is missing"),
    ):
        bad = good.copy()
        bad[column] = value
        with pytest.raises(ValueError, match=reason):
            space.validate([bad])
    full = ActivationFunction(max_nodes=1)
    with pytest.raises(ValueError, match="longer than the row"):
        full.validate([[good[0], 0.0]])
    with pytest.raises(ValueError, match="'functions' parameter of ActivationFunction"):
        ActivationFunction(functions=("swoosh",)).sample(1)


def test_functions_keep_their_numbers():
    numbered = "x constant sigmoid tanh relu elu softplus abs erf sin cos exp sqrt + - * / max min"
    space = ActivationFunction()
    for number, name in enumerate(f"{numbered} log asinh atan".split(), start=1):
        assert f"{number}: {name}" in space.row_description
        if name.isalpha() and name not in ("x", "constant", "max", "min"):
            assert space.encode([f"{name}(x)"])[0, 0] == number
    # What is drawn has not become more with them.
    (choices,) = {one.choices for one in space.search_space().values() if hasattr(one, "choices")}
    assert choices == (0, *range(1, 12), 14, 15, 16, 18, 19)
    more = ActivationFunction(functions=("atan", "asinh", "log"))
    drawn = " ".join(more.decode(more.sample(50, 0)))
    assert all(name in drawn for name in more.functions)


@pytest.mark.parametrize("limits", [(0.5, 2.0), (-2.0, -1.0), (2, 3), (-1, 0), (0.123, 0.124)])
def test_constants_lie_in_any_range(limits):
    low, high = limits
    space = ActivationFunction(max_nodes=7, low=low, high=high)
    X = space.sample(60, random_state=0)
    wild = np.random.default_rng(0).normal(scale=30, size=X.shape)
    for rows in (X, space.mutate(X, 0.3, 0), space.crossover(X, X[::-1], 0), space.repair(wild)):
        np.testing.assert_array_equal(space.repair(rows), rows)
        np.testing.assert_array_equal(space.encode(space.decode(rows)), rows)
        assert ((low <= rows[:, 1::2]) & (rows[:, 1::2] <= high)).all()
    distributions = space.search_space()
    for row in X:
        params = dict(zip(distributions, row.tolist(), strict=True))
        optuna.trial.create_trial(params=params, distributions=distributions, value=0.0)


def test_repair_leaves_formulas_alone_whatever_their_constants():
    space = ActivationFunction()
    X = space.encode([*ACTIVATION_FUNCTIONS, "exp(9 * x)", "x**3 - 1e10"])
    np.testing.assert_array_equal(space.repair(X), X)
    np.testing.assert_array_equal(space.mutate(X, 0.0, 0), X)


@given(
    row=st.lists(st.floats(-50, 50), min_size=12, max_size=12),
    other=st.lists(st.floats(-50, 50), min_size=12, max_size=12),
)
def test_any_row_can_be_repaired(row, other):
    space = ActivationFunction(max_nodes=6)
    repaired = space.repair([row, other])
    np.testing.assert_array_equal(space.repair(repaired), repaired)
    assert space.decode(space.crossover(repaired, repaired[::-1], 0))
    for one in repaired:
        assert space.blueprint(one).widths()[-1].name == "n_outputs"
