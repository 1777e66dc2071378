"""Recurrent cells against published numbers."""

import itertools
import json
import math
from collections import namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.blueprints import Operation, temporary_operations
from sk_petridish.motifs import PUBLISHED_CELLS, RecurrentCell

Genotype = namedtuple("Genotype", ["recurrent", "concat"])
NAO = "0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2"
NAO_WS = "0 1 1 1 2 2 1 2 4 1 4 1 4 1 7 1 8 2 1 0 4 1"
ENAS_AFTER_ITS_ROOT = "0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"


ENAS = f"0 {ENAS_AFTER_ITS_ROOT}"


def n_parameters(space, pairs, n_inputs, n_hidden, n_outputs):
    """Count the weights of the cell, and those of the readout."""
    network = space.blueprint(space.encode([pairs])[0]).build(n_inputs, n_hidden, n_outputs)
    total = sum(weight.numel() for weight in network.parameters())
    readout = n_hidden * n_outputs + n_outputs
    return total - readout, readout


def space_of(pairs, **options):
    return RecurrentCell(n_nodes=len(pairs), **options)


@pytest.mark.parametrize(
    ("name", "n_inputs", "n_hidden", "gated", "expected"),
    [
        ("NAO", 850, 850, True, 18_785_000),
        ("NAO", 850, 850, False, 17_902_500 - 8_510_000),
        ("DARTS_V2", 850, 850, True, 14_450_000),
        ("DARTS_V1", 300, 300, True, 1_800_000),
        ("NAO", 10, 3, True, 276),
        ("NAO", 10, 3, False, 138),
        ("NAO", 10, 2, True, 136),
    ],
)
def test_weights_of_published_cells(name, n_inputs, n_hidden, gated, expected):
    pairs = PUBLISHED_CELLS[name]
    cell, _ = n_parameters(space_of(pairs, gated=gated), pairs, n_inputs, n_hidden, 10)
    assert cell == expected


@pytest.mark.parametrize(
    ("name", "width", "total"),
    [("NAO", 850, 27_295_000), ("DARTS_V2", 850, 22_960_000), ("DARTS_V2", 300, 4_810_000)],
)
def test_weights_of_language_models_with_tied_embeddings(name, width, total):
    pairs = PUBLISHED_CELLS[name]
    assert sum(n_parameters(space_of(pairs), pairs, width, width, 10_000)) == total


def test_the_number_of_rows():
    choices = [len(one.choices) for one in RecurrentCell().search_space().values()]
    assert math.prod(choices) == 167_423_193_907_200
    assert math.prod(choices[:16]) == 2_642_411_520


@pytest.mark.parametrize(("n_nodes", "expected"), [(1, 4), (2, 26), (3, 188), (4, 1499)])
def test_the_number_of_different_cells(n_nodes, expected):
    space = RecurrentCell(n_nodes=n_nodes)
    choices = [one.choices for one in space.search_space().values()]
    rows = np.array(list(itertools.product(*choices)), dtype=float)
    assert len(set(space.canonical_keys(rows))) == expected


def test_tokens_of_published_cells():
    space = RecurrentCell()
    nao, nao_ws = space.encode([PUBLISHED_CELLS["NAO"], PUBLISHED_CELLS["NAO-WS"]])
    expected = [1, 13, 1, 13, 2, 13, 4, 12, 5, 13, 5, 13, 6, 13, 2, 13, 8, 13, 2, 13, 2, 14]
    assert space.to_tokens([nao]).tolist() == [expected]
    expected = [1, 13, 2, 13, 3, 14, 2, 14, 5, 13, 5, 13, 5, 13, 8, 13, 9, 14, 2, 12, 5, 13]
    assert space.to_tokens([nao_ws], "nao_ws").tolist() == [expected]


def test_strings_of_published_cells():
    space = RecurrentCell()
    for text, table, name in (
        (NAO, "nao", "NAO"),
        (NAO_WS, "nao_ws", "NAO-WS"),
        (ENAS_AFTER_ITS_ROOT, "nao", "ENAS"),
    ):
        np.testing.assert_array_equal(
            space.from_string([text], table), space.encode([PUBLISHED_CELLS[name]])
        )
    # The tables number two activations the other way round.
    assert not np.array_equal(space.from_string([NAO_WS]), space.from_string([NAO_WS], "nao_ws"))


def test_three_listings_of_the_enas_cell_are_one():
    relu, tanh = "relu", "tanh"
    last = [(relu, 7), (relu, 8), (relu, 8), (relu, 8)]
    listings = [
        PUBLISHED_CELLS["ENAS"],
        [(tanh, 0), (tanh, 1), (relu, 1), (tanh, 3), (tanh, 3), (relu, 3), (relu, 4)],
        [(tanh, 0), (relu, 1), (tanh, 1), (relu, 2), (tanh, 2), (tanh, 2), (relu, 6)],
    ]
    for average in ("all", "loose_ends"):
        space = RecurrentCell(average=average)
        cells = [[*cell, *last][:11] for cell in listings]
        assert len(set(space.canonical_keys(space.encode(cells)))) == 1


def outputs(space, row, xs, hidden=None):
    """Compute a cell with known weights, from a given state, as a loop over its nodes would."""
    network = space.blueprint(row).build(3, 2, 1).double()
    blueprint = network.blueprint
    projections = [i for i, node in enumerate(blueprint.nodes) if node.operation == "project"]
    # Of node 0 four, in the order gate of x and h, candidate of x and h; then two a node.
    matrices = [known_matrix(k, 5 if k == 0 else 2) for k in range(1 + (len(projections) - 4) // 2)]
    values = [matrices[0][:3, :2], matrices[0][3:, :2], matrices[0][:3, 2:], matrices[0][3:, 2:]]
    for matrix in matrices[1:]:
        values += [matrix[:, :2], matrix[:, 2:]]
    for position, value in zip(projections, values, strict=True):
        network.weights[f"{position}_weight"].data = torch.from_numpy(value)
    state, results = torch.tensor(hidden, dtype=torch.float64), []
    for x in xs:
        _, carried = network.unroll(torch.tensor(x)[:, None], {1: state})
        state = carried[1]
        results.append(state.detach().numpy())
    return results


def known_matrix(k, n_rows):
    r, c = np.mgrid[:n_rows, :4]
    return 0.5 * np.sin(1 + 0.7 * r + 1.3 * c + 0.37 * k)


X = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]])
H = [[0.2, -0.1], [0.0, 0.3]]


def in_numpy(pairs, xs, hidden):
    """Compute a gated cell as the references describe it."""
    functions = {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "identity": lambda x: x,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }
    results = []
    for x in xs:
        c, h = np.split(np.hstack([x, hidden]) @ known_matrix(0, 5), 2, axis=1)
        states = [hidden + functions["sigmoid"](c) * (np.tanh(h) - hidden)]
        for node, (activation, previous) in enumerate(pairs, start=1):
            c, h = np.split(states[previous] @ known_matrix(node, 2), 2, axis=1)
            candidate = functions[activation](h)
            carry = states[previous]
            states.append(carry + functions["sigmoid"](c) * (candidate - carry))
        hidden = np.mean(states[1:], axis=0)
        results.append(hidden)
    return results


def test_outputs_of_published_cells():
    space = RecurrentCell()
    nao = in_numpy(PUBLISHED_CELLS["NAO"], [X, -X, 2 * X], np.array(H))
    expected = [
        [[0.00037704, -0.01047706], [0.01395042, 0.0334951]],
        [[0.0213513, 0.01068678], [-0.00416813, 0.02735688]],
        [[-0.02584293, 0.00853003], [0.02968523, -0.03872082]],
    ]
    np.testing.assert_allclose(nao, expected, atol=6e-9)
    (nao_ws,) = in_numpy(PUBLISHED_CELLS["NAO-WS"], [X], np.array(H))
    expected = [[0.14768932, 0.16399885], [0.16001743, 0.20014254]]
    np.testing.assert_allclose(nao_ws, expected, atol=6e-9)
    (misread,) = space.decode(space.from_string([NAO_WS]))
    expected = [[0.00082219, -0.0092329], [0.00897556, 0.03231755]]
    np.testing.assert_allclose(in_numpy(misread, [X], np.array(H))[0], expected, atol=6e-9)


@pytest.mark.parametrize("text", [NAO, NAO_WS, ENAS_AFTER_ITS_ROOT])
def test_blueprints_compute_what_the_references_do(text):
    space = RecurrentCell()
    row = space.from_string([text])[0]
    # Blueprints number nodes in their canonical order: so does the reference, here.
    order = [
        node.operation
        for node in space.blueprint(row).nodes
        if node.operation in ("tanh", "relu", "identity", "sigmoid")
    ][1:]
    highways = [i for i, n in enumerate(space.blueprint(row).nodes) if n.operation == "highway"]
    previous = [highways.index(space.blueprint(row).nodes[i].inputs[0]) for i in highways[1:]]
    pairs = list(zip(order, previous, strict=True))
    assert space.canonical_keys(space.encode([pairs])) == space.canonical_keys([row])
    ours = outputs(space, row, [X, -X, 2 * X], H)
    theirs = in_numpy(pairs, [X, -X, 2 * X], np.array(H))
    np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@given(seed=st.integers(0, 1000), n_nodes=st.integers(1, 12), probability=st.floats(0, 1))
def test_mutation_and_crossover_give_cells(seed, n_nodes, probability):
    space = RecurrentCell(n_nodes=n_nodes)
    X, partners = space.sample(5, random_state=seed), space.sample(5, random_state=seed + 1)
    mutated = space.mutate(X, probability, random_state=seed)
    np.testing.assert_array_equal(space.validate(mutated), mutated)
    if probability == 0:
        np.testing.assert_array_equal(mutated, X)
    crossed = space.crossover(X, partners, random_state=seed)
    np.testing.assert_array_equal(space.validate(crossed), crossed)
    assert ((crossed == X) | (crossed == partners)).all()
    assert (crossed[:, 0] == X[:, 0]).all()


@given(seed=st.integers(0, 1000))
def test_renumbering_nodes_changes_nothing(seed):
    space = RecurrentCell(n_nodes=7)
    generator = np.random.default_rng(seed)
    (pairs,) = space.decode(space.sample(1, random_state=seed))
    # Any order in which every node comes after the one that it reads.
    places, renumbered = {0: 0}, []
    waiting = list(enumerate(pairs, start=1))
    while waiting:
        ready = [one for one in waiting if one[1][1] in places]
        node, (activation, previous) = ready[generator.integers(len(ready))]
        waiting.remove((node, (activation, previous)))
        renumbered.append((activation, places[previous]))
        places[node] = len(renumbered)
    first, second = space.encode([pairs, renumbered])
    assert space.blueprint(first) == space.blueprint(second)


def test_what_is_no_cell_is_refused():
    space = RecurrentCell(n_nodes=2)
    with pytest.raises(ValueError, match=r"previous_1=1, which must be a whole number from 0 to 0"):
        space.validate([[1, 0, 0, 0]])
    with pytest.raises(ValueError, match="Unknown activations"):
        space.encode([[("relu", 0), ("swoosh", 0)]])
    with pytest.raises(ValueError, match="n_nodes=2"):
        space.encode([[("relu", 0)]])
    with pytest.raises(ValueError, match="has no number for 'elu'"):
        RecurrentCell(n_nodes=1, activations=("elu",)).to_tokens([[0, 0]])
    with pytest.raises(ValueError, match="numbers 0 to 3"):
        space.from_tokens([[1, 9, 1, 3]])


def test_loose_ends_are_what_no_node_reads():
    pairs = [("relu", 0), ("tanh", 1), ("relu", 1)]
    blueprint = RecurrentCell(3, average="loose_ends").blueprint(
        RecurrentCell(3).encode([pairs])[0]
    )
    (mean,) = (node for node in blueprint.nodes if node.operation == "mean")
    assert len(mean.inputs) == 2


@given(
    seed=st.integers(0, 1000),
    n_nodes=st.integers(1, 12),
    average=st.sampled_from(["all", "loose_ends"]),
    before=st.sampled_from(["", "DARTS_V9 = ", "11/25 10:00:00 AM INFO genotype = "]),
)
def test_genotypes_and_their_text_are_cells(seed, n_nodes, average, before):
    space = RecurrentCell(n_nodes, average=average)
    X = space.sample(1, random_state=seed)
    (pairs,) = space.decode(X)
    read = {previous for _, previous in pairs}
    ends = [i for i in range(1, n_nodes + 1) if average == "all" or i not in read]
    concat = range(1, n_nodes + 1) if len(ends) == n_nodes else ends
    genotype = Genotype(pairs, concat)
    for motif in (
        pairs,
        str(pairs),
        np.array(pairs, dtype=object),
        genotype,
        Genotype(tuple(pairs), None),
        Genotype(pairs, ends[::-1]),
        f"{before}{genotype}\n",
        f"genotypes.Genotype(recurrent = {pairs},\n  concat = {ends})",
        f"Genotype({pairs}, {concat})",
        f"Genotype(recurrent={pairs})",
        dict(genotype._asdict()),
        {"recurrent": tuple(pairs)},
        f"{before}{genotype._asdict()} loss (last) 4.2",
        f"{before}{json.dumps({'concat': ends, 'recurrent': pairs})}",
        f"{before}{genotype} valid ppl [61.2], (saved)",
        f"{before}{genotype}, step 3: lr = {{'a)': 20}}",
        f"{before}Genotype(concat=sorted({ends}), recurrent=list({pairs}))",
        f"{before}Genotype(recurrent={pairs}, concat=list({concat})) # ')'",
        f"dict(recurrent={pairs}, concat=tuple({concat}))",
    ):
        np.testing.assert_array_equal(space.encode([motif]), X)


@given(seed=st.integers(0, 1000), n_nodes=st.integers(1, 12))
def test_arcs_are_cells(seed, n_nodes):
    space = RecurrentCell(n_nodes, average="loose_ends")
    X = space.sample(1, random_state=seed)
    # The activations have ENAS's order in this space.
    arc = [0, *X[0].astype(int).tolist()]
    text = " ".join(map(str, arc))
    for motif in (arc, tuple(arc), np.array(arc), torch.tensor(arc), text, str(arc)):
        np.testing.assert_array_equal(space.encode([motif]), X)
    np.testing.assert_array_equal(space.from_string([text, text[2:]]), [X[0], X[0]])
    # The mean of all nodes is that of the loose ends where node 0 alone is read.
    other = RecurrentCell(n_nodes)
    np.testing.assert_array_equal(other.from_string([text[2:]]), X)
    if not X[0, ::2].any():
        np.testing.assert_array_equal(other.from_string([text]), X)
        return
    for motif in (arc, np.array(arc), text, str(arc)):
        with pytest.raises(ValueError, match=r"^Motif 0: .* ENAS.* average='loose_ends'"):
            other.encode([motif])
    with pytest.raises(ValueError, match=r"^Cell 1: .* ENAS.* average='loose_ends'"):
        other.from_string([text[2:], text])


def test_the_published_arc_is_the_published_cell():
    space = RecurrentCell(average="loose_ends")
    np.testing.assert_array_equal(space.encode([ENAS]), space.encode([PUBLISHED_CELLS["ENAS"]]))
    # Whatever numbers the space gives to activations.
    other = RecurrentCell(activations=("relu", "elu", "tanh"), average="loose_ends")
    assert other.decode(other.encode([ENAS])) == space.decode(space.encode([ENAS]))


DARTS = list(PUBLISHED_CELLS["DARTS_V2"])


@pytest.mark.parametrize(
    ("motif", "reason"),
    [
        (DARTS[:5], "A cell has 5 nodes, the space n_nodes=8"),
        (Genotype(DARTS, range(1, 8)), r"its concat, but average='all' takes the mean of \[1, 2,"),
        (Genotype(DARTS, range(10**30)), "concat has more than"),
        (Genotype(DARTS, [1.5]), "a list of integers"),
        (Genotype(DARTS, 3), "a concat must be a list"),
        (f"Genotype(recurrent={DARTS}, concat=range(2, 9))", r"the nodes \[2, 3"),
        ("Genotype(normal=[('skip_connect', 0)], normal_concat=range(2, 6))", "no text of"),
        ("Genotype(recurrent=open('x'))", "no text of"),
        ("__import__('os').getcwd()", "no text of"),
        ("", "no text of"),
        ("(" * 10_000, "no text of"),
        ("-" * 100_000 + "1", "no text of"),
        ("[('relu', 0)", "no text of"),
        (None, "must be a list"),
        ({"recurrent": DARTS, "concat": range(1, 8)}, r"its concat, but average='all'"),
        ({"recurrent": DARTS, "normal": []}, "a dictionary of a genotype has 'recurrent'"),
        ({"concat": [1, 2]}, "a dictionary of a genotype has 'recurrent'"),
        ({"recurrent": {"relu": 0}}, "must be a list"),
        (f"{{'recurrent': {DARTS}, **x}}", "no text of"),
        (f"Genotype(recurrent={DARTS}, concat=list(open('x')))", "no text of"),
        (f"Genotype(recurrent={DARTS}, concat=list(range(10**30)))", "no text of"),
        (f"Genotype(recurrent={DARTS}, concat=list(range({10**30})))", "concat has more than"),
        (f"Genotype(recurrent={DARTS}) or Genotype(recurrent={DARTS})", "has 2 genotypes"),
        (f"INFO Genotype(recurrent={DARTS}", "no text of"),
        (bytes(17), "must be a list, got b"),
        (bytearray(17), "must be a list, got bytearray"),
        (17 * [False], r"Node 1 must be a list, got False"),
        ([("relu", False), *DARTS[1:]], r"Node 1 is \('relu', False\)"),
        ([("relu", np.False_), *DARTS[1:]], r"Node 1 is \('relu', np.False_\)"),
        ([("relu", torch.tensor(False)), *DARTS[1:]], r"Node 1 is \('relu', tensor\(False\)\)"),
        ([*DARTS[:7], ("relu", 8)], r"Node 8 is \('relu', 8\)"),
        ([*DARTS[:7], ("relu", -1)], r"Node 8 is \('relu', -1\)"),
        ([*DARTS[:7], ("relu", 0.5)], "Node 8 is"),
        ([*DARTS[:7], (0, "relu")], "Node 8 is"),
        ([*DARTS[:7], "relu"], "Node 8 is"),
        ([*DARTS[:7], None], "Node 8 must be"),
        ([*DARTS[:7], ("selu", 0)], r"Unknown activations \['selu'\]; the space has"),
        (17 * "9 ", "the numbers 0 to 3"),
        ("1" + 16 * " 0", "The activation of node 0 is relu, and in this space always tanh"),
        ("0 1" + 15 * " 0", "Node 1 is"),
        (16 * [0], "A cell has 16 numbers; with n_nodes=8 it has 17"),
        (ENAS, "A cell has 23 numbers; with n_nodes=8 it has 17"),
    ],
)
def test_what_is_no_genotype_is_refused_by_its_number(motif, reason):
    with pytest.raises(ValueError, match=f"^Motif 2: .*{reason}"):
        RecurrentCell(8).encode([DARTS, DARTS, motif])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"1 {ENAS_AFTER_ITS_ROOT}", "The activation of node 0 is relu"),
        (ENAS[:-4], "A cell has 21 numbers; with n_nodes=11 it has 22 or 23"),
        (f"{ENAS} 0", "A cell has 24 numbers"),
        (f"{ENAS[:-1]}4", "the numbers 0 to 3"),
        (f"{ENAS[:-3]}11 0", "Node 11 is"),
        ("a", "invalid literal"),
    ],
)
def test_what_is_no_arc_is_refused_by_its_number(text, reason):
    with pytest.raises(ValueError, match=f"^Cell 1: .*{reason}"):
        RecurrentCell(average="loose_ends").from_string([ENAS, text])


@pytest.mark.parametrize("name", ["banana", "linear", "scale", "sum", "batch_norm", "conv"])
def test_unknown_activations_are_refused_by_the_space(name):
    space = RecurrentCell().set_params(activations=("tanh", name))
    for call in (
        lambda: RecurrentCell(activations=("tanh", name)),
        lambda: space.sample(1),
        lambda: space.encode([DARTS]),
        space.search_space,
    ):
        with pytest.raises(
            ValueError, match=rf"Unknown activations \['{name}'\]; known are .*'elu'"
        ):
            call()


def test_activations_of_ones_own_are_known_while_they_are_registered():
    with temporary_operations(Operation("test_sinc", torch.sinc, is_activation=True)):
        space = RecurrentCell(n_nodes=2, activations=("tanh", "test_sinc"))
        assert space.blueprint([0, 1, 0, 0])
    with pytest.raises(ValueError, match="test_sinc"):
        space.sample(1)
