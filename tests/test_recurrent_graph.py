"""Recurrent graphs with several states."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.motifs import RecurrentGraph

LSTM = {
    "forget_": {"op": "linear", "input": ["x", "h_prev_0"]},
    "forget": {"op": "activation_sigm", "input": ["forget_"]},
    "write_": {"op": "linear", "input": ["x", "h_prev_0"]},
    "write": {"op": "activation_sigm", "input": ["write_"]},
    "new_": {"op": "linear", "input": ["x", "h_prev_0"]},
    "new": {"op": "activation_tanh", "input": ["new_"]},
    "show_": {"op": "linear", "input": ["x", "h_prev_0"]},
    "show": {"op": "activation_sigm", "input": ["show_"]},
    "kept": {"op": "elementwise_prod", "input": ["forget", "h_prev_1"]},
    "written": {"op": "elementwise_prod", "input": ["write", "new"]},
    "h_new_1": {"op": "elementwise_sum", "input": ["kept", "written"]},
    "bounded": {"op": "activation_tanh", "input": ["h_new_1"]},
    "h_new_0": {"op": "elementwise_prod", "input": ["show", "bounded"]},
}


def table():
    folder = os.environ.get("SK_PETRIDISH_DATA")
    path = Path(folder or "", "nasbench_nlp.csv")
    if not folder or not path.exists():
        pytest.skip("needs nasbench_nlp.csv in the folder SK_PETRIDISH_DATA")
    return list(csv.DictReader(path.read_text().splitlines()))


def renamed(recipe, names):
    """Return nodes that are no states other names."""
    new = {name: names.get(name, name) for name in recipe}
    return {
        new[name]: {"op": node["op"], "input": [new.get(one, one) for one in node["input"]]}
        for name, node in recipe.items()
    }


def in_order(recipe):
    """Put nodes behind what they read, and leave their order otherwise."""
    done = {}
    while len(done) < len(recipe):
        missing = recipe.keys() - done.keys()
        name = next(n for n in recipe if n in missing and not missing & set(recipe[n]["input"]))
        done[name] = recipe[name]
    return done


def same_up_to_names(one, other):
    """Whether renaming the nodes of one recipe, in their order, gives the other."""
    return renamed(one, dict(zip(one, other, strict=True))) == other


def test_an_lstm_is_torchs():
    space = RecurrentGraph()
    network = space.blueprint(space.encode([LSTM])[0]).build(3, 4, 2).double()
    blueprint = network.blueprint
    lstm = torch.nn.LSTM(3, 4, batch_first=True).double()
    gates = {name: [] for name in ("sigmoid", "tanh")}
    for position, node in enumerate(blueprint.nodes):
        if node.operation == "bias":
            (reader,) = (n.operation for n in blueprint.nodes if position in n.inputs)
            gates[reader].append(position)
    # Which of the three sigmoids is which: by what its product is with.
    kinds = {}
    for bias in gates["sigmoid"]:
        (gate,) = (i for i, n in enumerate(blueprint.nodes) if n.inputs == (bias,))
        (product,) = (i for i, n in enumerate(blueprint.nodes) if gate in n.inputs)
        other = next(i for i in blueprint.nodes[product].inputs if i != gate)
        operation = blueprint.nodes[other].operation
        if operation == "carried":
            kinds[bias] = 1
        else:
            from_linear = blueprint.nodes[blueprint.nodes[other].inputs[0]].operation == "bias"
            kinds[bias] = 0 if from_linear else 3
    kinds[gates["tanh"][0]] = 2
    for bias, gate in kinds.items():
        rows = slice(4 * gate, 4 * gate + 4)
        total = lstm.bias_ih_l0[rows] + lstm.bias_hh_l0[rows]
        network.weights[f"{bias}_bias"].data = total[None]
        for projection in blueprint.nodes[blueprint.nodes[bias].inputs[0]].inputs:
            of_x = blueprint.nodes[projection].inputs == (0,)
            weight = (lstm.weight_ih_l0 if of_x else lstm.weight_hh_l0)[rows]
            network.weights[f"{projection}_weight"].data = weight.T
    x = torch.randn(5, 7, 3, dtype=torch.float64)
    last = len(blueprint.nodes) - 1
    readout = network.weights[f"{last}_weight"], network.weights[f"{last}_bias"]
    torch.testing.assert_close(network(x), lstm(x)[0] @ readout[0] + readout[1])


def test_published_recipes_survive():
    space, rows = RecurrentGraph(), table()
    recipes = [json.loads(row["recipe"]) for row in rows]
    decoded = space.decode(space.encode([row["recipe"] for row in rows]))
    for recipe, again in zip(recipes, decoded, strict=True):
        assert same_up_to_names(in_order(recipe), again)


def test_published_recipes_have_the_published_weights():
    # Three layers, 400 -> 600 -> 600 -> 400, an embedding of 10,000 words that is tied to
    # the readout, and the readout's bias.
    space, rows = RecurrentGraph(), table()
    agree = 0
    for row in rows:
        blueprint = space.blueprint(space.encode([row["recipe"]])[0])
        total = 10_000 * 400 + 10_000
        for n_inputs, n_hidden in ((400, 600), (600, 600), (600, 400)):
            network = blueprint.build(n_inputs, n_hidden, 1)
            total += sum(weight.numel() for weight in network.parameters()) - n_hidden - 1
        agree += total == int(row["n_parameters"])
        # The others have nodes that their output does not depend on.
        assert total <= int(row["n_parameters"])
    assert agree > 0.9 * len(rows)


@given(seed=st.integers(0, 500))
def test_another_order_and_other_names_mean_the_same(seed):
    space = RecurrentGraph()
    (recipe,) = space.decode(space.sample(1, random_state=seed))
    generator = np.random.default_rng(seed)
    order = generator.permutation(list(recipe)).tolist()
    names = {name: f"n{i}" for i, name in enumerate(order) if not name.startswith("h_new")}
    shuffled = {name: dict(recipe[name]) for name in order}
    for node in shuffled.values():
        if node["op"] in ("linear", "elementwise_sum", "elementwise_prod"):
            node["input"] = generator.permutation(node["input"]).tolist()
    first, second = space.encode([recipe, renamed(shuffled, names)])
    assert space.canonical_keys([first]) == space.canonical_keys([second])


@given(
    seed=st.integers(0, 500),
    ending=st.sampled_from(["_act", "_0", "_sum1", "a", "_"]),
    beginning=st.sampled_from(["h_new_", "h_new_0", "h_new_12", "h_prev_1_"]),
)
def test_inner_nodes_may_be_called_after_states(seed, ending, beginning):
    space = RecurrentGraph()
    (recipe,) = space.decode(space.sample(1, random_state=seed))
    inner = [name for name in recipe if not name.startswith("h_new_")]
    names = {name: f"{beginning}{i}x{ending}" for i, name in enumerate(inner)}
    first, second = space.encode([recipe, json.dumps(renamed(recipe, names))])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(space.encode(space.decode([first])), [first])


@given(seed=st.integers(0, 500))
def test_random_mutated_and_crossed_graphs_are_graphs(seed):
    space = RecurrentGraph(max_nodes=8)
    X = space.sample(4, random_state=seed)
    for rows in (X, space.mutate(X, 0.3, seed), space.crossover(X, X[::-1], seed)):
        np.testing.assert_array_equal(space.repair(rows), rows)
        for row in rows:
            assert space.blueprint(row).nodes[-1].units == "n_outputs"


def test_states_that_change_places_mean_the_same():
    recipe = {
        "h_new_0": {"op": "linear", "input": ["x", "h_prev_1", "h_prev_2"]},
        "h_new_1": {"op": "activation_tanh", "input": ["h_new_0"]},
        "h_new_2": {"op": "activation_sigm", "input": ["h_new_0"]},
    }
    text = json.dumps(recipe)
    for old, new in (("_1", "_a"), ("_2", "_1"), ("_a", "_2")):
        text = text.replace(old, new)
    first, second = RecurrentGraph().canonical_keys(RecurrentGraph().encode([recipe, text]))
    assert first == second


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"a": {"op": "linear", "input": ["b", "x"]}, "b": {"op": "linear", "input": ["a", "x"]}},
         "cycle among the nodes"),
        ({"a": {"op": "linear", "input": ["x", "nowhere"]}}, "does not have"),
        ({"a": {"op": "linear", "input": ["x"]}}, "takes 2 to 3"),
        ({"a": {"op": "activation_tanh", "input": ["x"]}}, "only linear may"),
        ({"a": {"op": "swoosh", "input": ["x"]}}, "unknown op"),
        ({"a": {"op": "linear", "input": ["x", "h_prev_2"]}}, "no h_new_2"),
        ({"h_new_0": {"op": "activation_tanh", "input": ["h_prev_0"]}}, "does not depend on x"),
        ({"h_new_2": {"op": "activation_tanh", "input": ["h_new_0"]}}, "without a gap"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused(change, reason):
    elman = {
        "linear": {"op": "linear", "input": ["x", "h_prev_0"]},
        "h_new_0": {"op": "activation_tanh", "input": ["linear"]},
    }
    space = RecurrentGraph()
    space.encode([elman])
    with pytest.raises(ValueError, match=reason):
        space.encode([elman, elman | change])


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (5, "dictionary of nodes"),
        ("[1]", "dictionary of nodes"),
        ("{", "Expecting"),
        ("[" * 100_000, "no deeper"),
        ({"a": {"op": "linear"}}, "node 'a' must have"),
        ({"a": {"op": "linear", "input": "x"}}, "a list of names"),
        ({"a": {"op": ["linear"], "input": ["x"]}}, "node 'a' must have"),
        ({1: {"op": "linear", "input": ["x", "h_prev_0"]}}, "node 1 must have"),
        ({"h_prev_0": {"op": "linear", "input": ["x", "x"]}}, "the name 'h_prev_0'"),
        ({"h_new_0_": {"op": "linear", "input": ["x", "x"]}}, r"got \[\]"),
        ({"h_new_00": {"op": "linear", "input": ["x", "x"]}}, "without a gap"),
    ],
)
def test_what_is_no_recipe_is_refused(recipe, reason):
    with pytest.raises(ValueError, match=f"(?s)Motif 1: .*{reason}"):
        RecurrentGraph().encode([LSTM, recipe])


def test_rows_that_are_no_graph_are_refused():
    space = RecurrentGraph(max_nodes=2)
    good = space.encode([{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}])[0]
    for column, value, reason in (
        (8, 0, "no h_new_0"),
        (8, 2, "nodes that are there"),
        (9, 1, "different nodes"),
        (10, 1, "a later one is not"),
        (2, 0, "takes 2 to 3"),
        (1, 0, "a gap"),
        (5, 1, "an absent node has inputs"),
        (0, 9, "operation_0=9"),
    ):
        bad = good.copy()
        bad[column] = value
        with pytest.raises(ValueError, match=reason):
            space.validate([bad])
    with pytest.raises(ValueError, match="more than max_nodes=2"):
        space.encode([LSTM])
