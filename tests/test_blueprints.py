"""Blueprints, the operation registry, modules at any width."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_blueprints import FEED_FORWARD, blueprints

from sk_petridish.blueprints import (
    Blueprint,
    Masks,
    Node,
    Operation,
    SuperNetwork,
    Widths,
    get_operation,
    register_operation,
)
from sk_petridish.motifs import SigmoidSlope

INPUT = Node("input")
READOUT = Node("linear", (0,), units="n_outputs")
# Carried from each other, and read by nothing else.
CARRIED = Node("carried", (1,), units="n_hidden")
ELMAN = Blueprint(
    (
        INPUT,
        Node("carried", (5,), units="n_hidden"),
        Node("linear", (0,), units="n_hidden"),
        Node("linear", (1,), units="n_hidden"),
        Node("sum", (2, 3)),
        Node("tanh", (4,)),
        Node("linear", (5,), units="n_outputs"),
    )
)


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
        ((Node("carried", (1,), units="n_hidden"), READOUT), "must be its input"),
        ((INPUT, CARRIED, CARRIED, READOUT), r"does not depend on nodes \[1, 2\]"),
        ((INPUT, Node("carried", (0,), units="n_hidden"), READOUT), "and not the input"),
        ((INPUT, Node("carried", (7,), units="n_hidden"), READOUT), "one node of the"),
        ((INPUT, Node("carried", (2, 2), units="n_hidden"), READOUT), "one node of the"),
        ((INPUT, Node("carried", (2,)), READOUT), "units of the node that it carries"),
        ((INPUT, Node("carried", (2,), (0.5,), "n_outputs"), READOUT), "no parameters"),
        (
            (INPUT, Node("carried", (2,), units="n_hidden"), READOUT),
            "has the width n_hidden, but node 2, which it carries, has n_outputs",
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


def test_the_module_computes_a_recurrent_network_along_a_sequence():
    module = ELMAN.build(4, 6, 3).double()
    reference = torch.nn.RNN(4, 6, batch_first=True, dtype=torch.float64)
    weights = module.weights
    with torch.no_grad():
        reference.weight_ih_l0.copy_(weights["2_weight"].T)
        reference.bias_ih_l0.copy_(weights["2_bias"][0])
        reference.weight_hh_l0.copy_(weights["3_weight"].T)
        reference.bias_hh_l0.copy_(weights["3_bias"][0])
    x = torch.randn(5, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hidden, _ = reference(x)
    expected = hidden @ weights["6_weight"] + weights["6_bias"]
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="needs sequences"):
        module(x[:, 0])


@given(st.lists(blueprints(recurrent=True), min_size=1, max_size=4), st.integers(0, 99))
def test_the_super_network_runs_recurrent_networks_as_modules_do(motifs, seed):
    widths, generator = Widths(3, 2, 4), torch.Generator().manual_seed(seed)
    modules = [motif.build(*widths, generator=generator).double() for motif in motifs]
    x = torch.randn(1, len(motifs), 5, 3, 3, dtype=torch.float64, generator=generator)
    for index, module in enumerate(modules):
        # Alone, so that the weights drawn are those of this module.
        network = SuperNetwork([motifs[index]], widths, (3,))
        theta = network.initial_weights(
            lambda position, role, shape, fan_in, module=module: module.weights[
                f"{position}_{role}"
            ].detach()[None]
        )
        one = x[:, index : index + 1]
        torch.testing.assert_close(network.forward(theta, one)[0, 0], module(one[0, 0]))
    # And all together, with weights that they share.
    drawn = {}

    def draw(position, role, shape, fan_in):
        key = (position, role, shape)
        if key not in drawn:
            drawn[key] = torch.randn(1, *shape, dtype=torch.float64, generator=generator)
        return drawn[key]

    network = SuperNetwork(motifs, widths, (3,))
    together = network.forward(network.initial_weights(draw), x)
    for index, motif in enumerate(motifs):
        alone = SuperNetwork([motif], widths, (3,))
        outputs = alone.forward(alone.initial_weights(draw), x[:, index : index + 1])
        torch.testing.assert_close(together[:, index : index + 1], outputs)


def node_by_node(module, x, carried, masks):
    """Compute a recurrent module as its nodes are listed, one time step after the other."""
    blueprint, outputs = module.blueprint, []
    widths = blueprint.widths()
    for now in x.unbind(1):
        values = [now]
        for position, node in enumerate(blueprint.nodes[1:], start=1):
            if node.operation == "carried":
                values.append(carried[position])
                continue
            operation = get_operation(node.operation)
            inputs = [values[source] for source in node.inputs]
            is_readout = position == len(blueprint.nodes) - 1
            if masks is not None and "weight" in operation.roles and not is_readout:
                mask = {"n_inputs": masks.inputs, "n_hidden": masks.hidden}
                inputs[0] = inputs[0] * mask.get(widths[node.inputs[0]].name, 1.0)
            weights = [module.weights[f"{position}_{role}"] for role in operation.roles]
            values.append(operation.function(*inputs, *node.parameters, *weights))
        outputs.append(values[-1])
        carried = {
            position: values[node.inputs[0]]
            for position, node in enumerate(blueprint.nodes)
            if node.operation == "carried"
        }
    return torch.stack(outputs, 1), carried


@given(blueprints(recurrent=True), st.integers(0, 99), st.booleans())
def test_the_module_computes_its_nodes_in_whatever_windows(blueprint, seed, drops):
    generator = torch.Generator().manual_seed(seed)
    module = blueprint.build(3, 2, 4, generator=generator).double()
    x = torch.randn(5, 6, 3, dtype=torch.float64, generator=generator)
    start = {
        position: torch.randn(5, 2, dtype=torch.float64, generator=generator)
        for position, node in enumerate(blueprint.nodes)
        if node.operation == "carried"
    }
    masks = None
    if drops:
        masks = Masks(*((torch.rand(5, n, generator=generator) < 0.5).double() for n in (3, 2)))
    expected, state = node_by_node(module, x, start, masks)
    read, carried = module.unroll(x, start, masks)
    torch.testing.assert_close(module.read_out(*read), expected)
    torch.testing.assert_close(carried, state)
    first, between = module.unroll(x[:, :2], start, masks)
    second, after = module.unroll(x[:, 2:], between, masks)
    joined = [torch.cat(parts, dim=1) for parts in zip(first, second, strict=True)]
    torch.testing.assert_close(module.read_out(*joined), expected)
    torch.testing.assert_close(after, state)


def test_outputs_may_be_carried():
    """A network that reads what it has said."""
    blueprint = Blueprint(
        (
            Node("input"),
            Node("carried", (5,), units="n_outputs"),
            Node("linear", (0,), units="n_hidden"),
            Node("linear", (1,), units="n_hidden"),
            Node("sum", (2, 3)),
            Node("linear", (4,), units="n_outputs"),
        )
    )
    module = blueprint.build(3, 2, 4)
    generator = torch.Generator().manual_seed(0)
    x, start = torch.randn(5, 6, 3, generator=generator), {1: torch.zeros(5, 4)}
    expected, _ = node_by_node(module, x, start, None)
    torch.testing.assert_close(module(x), expected)
    masks = Masks(torch.rand(5, 3, generator=generator), torch.rand(5, 2, generator=generator))
    expected, carried = node_by_node(module, x, start, masks)
    read, after = module.unroll(x, masks=masks)
    torch.testing.assert_close(module.read_out(*read), expected)
    torch.testing.assert_close(after, carried)


@given(blueprints(), st.integers(0, 99), st.sampled_from([(5,), (5, 6), (5, 4, 4)]))
def test_masks_are_those_of_samples(blueprint, seed, shape):
    """One mask a sample, whatever axes of positions the sample has."""
    generator = torch.Generator().manual_seed(seed)
    module = blueprint.build(3, 2, 4, generator=generator).double()
    x = torch.randn(*shape, 3, dtype=torch.float64, generator=generator)
    masks = Masks(*((torch.rand(5, n, generator=generator) < 0.5).double() for n in (3, 2)))
    outputs = module.read_out(*module.unroll(x, masks=masks)[0])
    for sample in range(5):
        vectors = x[sample].reshape(-1, 3)
        alone = Masks(*(mask[sample].expand(len(vectors), -1) for mask in masks))
        expected, _ = node_by_node(module, vectors[:, None], {}, alone)
        torch.testing.assert_close(outputs[sample].reshape(-1, 4), expected[:, 0])


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
    for name in FEED_FORWARD:
        operation = get_operation(name)
        inputs = [torch.randn(2, 3, 5, 4, generator=generator) for _ in range(operation.arity or 3)]
        parameters = [torch.rand(3, 1, 1, generator=generator) for _ in operation.parameters]
        weights = [
            torch.randn(2, 3, *shape, generator=generator)
            for shape in operation.weight_shapes(4, 4 if operation.keeps_width else 6).values()
        ]
        batched = operation.function(*inputs, *parameters, *weights)
        alone = operation.function(
            *(x[1, 2] for x in inputs),
            *(p[2].item() for p in parameters),
            *(w[1, 2] for w in weights),
        )
        torch.testing.assert_close(batched[1, 2], alone)
