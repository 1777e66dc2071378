"""Activation functions made of named functions."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small_dishes import make_settings

from sk_petridish.dish import DishBatch, choose_engine, draw_dish
from sk_petridish.motifs import ACTIVATION_FUNCTIONS, ActivationFunction, SigmoidSlope

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


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_well_known_functions_are_what_they_are_called(name):
    space = ActivationFunction()
    x = torch.linspace(-6, 6, 241, dtype=torch.float64)
    ours = space.activation(space.encode([name])[0], x)
    np.testing.assert_allclose(ours, IN_TORCH[name](x).numpy(), rtol=1e-7, atol=1e-7)


def test_every_function_of_the_published_table_that_has_a_formula_has_one():
    folder = os.environ.get("SK_PETRIDISH_DATA")
    path = Path(folder or "", "activations_squeezenet_cifar10.csv")
    if not folder or not path.exists():
        pytest.skip("needs activations_squeezenet_cifar10.csv in SK_PETRIDISH_DATA")
    names = {row["activation"] for row in csv.DictReader(path.read_text().splitlines())}
    assert names == OF_THE_TABLE.keys() | WITHOUT_FORMULA
    ActivationFunction().encode(list(OF_THE_TABLE.values()))


@pytest.mark.parametrize("name", [*ACTIVATION_FUNCTIONS, "exp(0.5 * x)", "1 / (2 + sin(x))"])
def test_engines_agree(name):
    space = ActivationFunction()
    motifs = [space.blueprint(space.encode([name])[0])]
    auto = choose_engine("auto", motifs, dtype=torch.float64, device="cpu", n_jobs=1)
    smooth = any(word in name for word in ("gelu", "sin"))
    assert auto.name == ("torch" if smooth else "numba")
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
        ("max(x)", "is unknown"),
        ("1 + 2", "does not depend on x"),
        ("x / 0", "no value"),
        ("x + sqrt(0 - 1)", "no value"),
        ("+".join(13 * "x"), "more than max_nodes=24"),
    ],
)
def test_what_is_no_formula_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        ActivationFunction().encode([text])


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
    with pytest.raises(ValueError, match="Unknown functions"):
        ActivationFunction(functions=("swoosh",)).sample(1)


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
