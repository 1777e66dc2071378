"""Blueprints, the operation registry, modules at any width."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.blueprints import (
    Blueprint,
    Node,
    Operation,
    get_operation,
    register_operation,
)
from sk_petridish.motifs import SigmoidSlope

INPUT = Node("input")
READOUT = Node("linear", (0,), units="n_outputs")


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ((), "first node"),
        ((READOUT,), "first node"),
        ((INPUT, Node("input"), READOUT), "only the first node"),
        ((INPUT, Node("linear", (1,), units="n_outputs")), "cycle"),
        ((INPUT, Node("linear", (-1,), units="n_outputs")), "cycle"),
        ((INPUT, Node("linear", (), units="n_outputs")), r"needs 1 input\(s\), got 0"),
        ((INPUT, Node("sum", ()), READOUT), "at least one input"),
        ((INPUT, Node("tanh", (0, 0)), READOUT), r"needs 1 input\(s\), got 2"),
        ((INPUT, Node("sigmoid", (0,)), READOUT), r"takes the parameters \('slope',\)"),
        ((INPUT, Node("sigmoid", (0,), (float("nan"),)), READOUT), "not finite"),
        ((INPUT, Node("linear", (0,))), "units exactly if"),
        ((INPUT, Node("tanh", (0,), units="n_outputs")), "units exactly if"),
        ((INPUT, Node("linear", (0,), units="hidden"), READOUT), "'n_hidden' or 'n_outputs'"),
        ((INPUT, Node("linear", (0,), units="n_inputs"), READOUT), "'n_hidden' or 'n_outputs'"),
        ((INPUT, Node("swoosh", (0,)), READOUT), "Unknown operation 'swoosh'; registered are"),
        ((INPUT, Node("tanh", (0,))), "n_outputs wide"),
        ((INPUT, Node("tanh", (0,)), READOUT), r"does not depend on nodes \[1\]"),
        (
            (INPUT, Node("linear", (0,), units="n_hidden"), Node("sum", (0, 1)), READOUT),
            "different widths",
        ),
    ],
)
def test_what_is_no_graph_is_refused_with_the_reason(nodes, reason):
    with pytest.raises(ValueError, match=reason):
        Blueprint(nodes)


def test_a_blueprint_is_immutable_and_hashable():
    blueprint = SigmoidSlope().blueprint([0.3])
    with pytest.raises(dataclasses.FrozenInstanceError):
        blueprint.nodes = ()
    assert {blueprint, SigmoidSlope().blueprint([0.3])} == {blueprint}


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="already registered"):
        register_operation(Operation("tanh", torch.tanh))


@given(
    slope=st.floats(-3, 3),
    widths=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)),
)
def test_the_module_computes_the_perceptron_at_any_width(slope, widths):
    module = SigmoidSlope().blueprint([slope]).build(*widths).double()
    x = torch.randn(5, widths[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    w = list(module.weights.values())
    first = 1 / (1 + torch.exp(-slope * (x @ w[0] + w[1])))
    second = 1 / (1 + torch.exp(-slope * (first @ w[2] + w[3])))
    torch.testing.assert_close(module(x), second @ w[4] + w[5], rtol=1e-12, atol=1e-12)


def test_initial_weights_are_those_of_a_torch_layer():
    blueprint = SigmoidSlope().blueprint([1.0])
    weights = blueprint.build(400, 100, 10).weights["1_weight"]
    assert weights.abs().max() <= 400**-0.5
    assert weights.std().item() == pytest.approx((3 * 400) ** -0.5, rel=0.02)
    one = blueprint.build(4, 3, 2, generator=torch.Generator().manual_seed(1))
    same = blueprint.build(4, 3, 2, generator=torch.Generator().manual_seed(1))
    assert all(map(torch.equal, one.parameters(), same.parameters()))


@pytest.mark.parametrize("widths", [(0, 1, 1), (1, -2, 1), (1, 1, 2.5), (1, True, 1)])
def test_a_width_is_a_positive_integer(widths):
    with pytest.raises(ValueError, match="must be a positive integer"):
        SigmoidSlope().blueprint([1.0]).build(*widths)


def test_every_operation_works_behind_any_batch_axes():
    generator = torch.Generator().manual_seed(0)
    for name in ("linear", "sigmoid", "tanh", "relu", "sum", "product"):
        operation = get_operation(name)
        inputs = [torch.randn(2, 3, 5, 4, generator=generator) for _ in range(operation.arity or 3)]
        parameters = [torch.rand(3, 1, 1, generator=generator) for _ in operation.parameters]
        weights = [
            torch.randn(2, 3, *shape, generator=generator)
            for shape in operation.weight_shapes(4, 6).values()
        ]
        batched = operation.function(*inputs, *parameters, *weights)
        alone = operation.function(
            *(x[1, 2] for x in inputs),
            *(p[2].item() for p in parameters),
            *(w[1, 2] for w in weights),
        )
        torch.testing.assert_close(batched[1, 2], alone)
