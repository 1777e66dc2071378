"""Convolutional cells."""

import csv
import math
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.blueprints import SuperNetwork, Widths
from sk_petridish.motifs import ConvCell

NONE, SKIP, CONV_1, CONV_3, POOL = range(5)
NAMES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
FOUR = NAMES[:4]


def table():
    folder = os.environ.get("SK_PETRIDISH_DATA")
    path = Path(folder or "", "nasbench201.csv")
    if not folder or not path.exists():
        pytest.skip("needs nasbench201.csv in the folder SK_PETRIDISH_DATA")
    return list(csv.DictReader(path.read_text().splitlines()))


def test_published_strings_survive():
    space, rows = ConvCell(), table()
    cells = [row["arch"] for row in rows]
    assert space.decode(space.encode(cells)) == cells


def normalised(text):
    """Read a class's string: its terms, without those that come from nothing, sorted."""
    terms, depth, start = [], 0, 0
    for place, character in enumerate(f"{text}+"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "+" and depth == 0:
            terms.append(text[start:place])
            start = place + 1
    kept = []
    for term in terms:
        inner, _, operation = term.rpartition(")@")
        below = normalised(inner[1:]) if operation and inner else ()
        if term == "0" or below:
            kept.append((operation, below) if below else ("input", ()))
    return tuple(sorted(kept))


def terms_of(name):
    """Go through all terms of a normalised class."""
    for operation, below in name:
        yield operation, below
        yield from terms_of(below)


def test_our_forms_are_the_published_classes_as_far_as_these_tell_networks_apart():
    """Strings of the classes differ where only the order of terms does, or what comes from
    nothing; and they do not tell two convolutions of a map from one that is read twice."""
    space, rows = ConvCell(), table()
    keys = space.canonical_keys(space.encode([row["arch"] for row in rows]))
    ours, theirs = defaultdict(set), defaultdict(set)
    for key, row in zip(keys, rows, strict=True):
        name = normalised(row["isomorphism_class"])
        ours[key].add(name)
        theirs[name].add(key)
    assert all(len(names) == 1 for names in ours.values())
    for name, networks in theirs.items():
        written = [term for term in terms_of(name) if term[0].startswith("nor_conv")]
        assert len(networks) == 1 or len(set(written)) < len(written)
    assert len(ours) == 2899
    assert sum(len(networks) == 1 for networks in theirs.values()) > 0.9 * len(theirs)


@given(row=st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_exchanging_the_maps_between_changes_nothing(row):
    a01, a02, _, a03, a13, a23 = row
    space = ConvCell()
    first, second = space.canonical_keys(
        [[a01, a02, 0, a03, a13, a23], [a02, a01, 0, a03, a23, a13]]
    )
    assert first == second


@pytest.mark.parametrize(
    ("one", "same"),
    [
        # What leads nowhere, or comes from nothing.
        ([CONV_3, 0, 0, SKIP, 0, 0], [0, 0, 0, SKIP, 0, 0]),
        ([0, 0, CONV_3, SKIP, CONV_1, POOL], [0, 0, 0, SKIP, 0, 0]),
        # A map that is another one.
        ([SKIP, 0, CONV_3, 0, 0, SKIP], [0, CONV_3, 0, 0, 0, SKIP]),
        ([0, 0, 0, CONV_3, 0, 0], [SKIP, 0, SKIP, 0, 0, CONV_3]),
        # Pooling the same twice is reading it twice.
        ([POOL, POOL, 0, 0, SKIP, SKIP], [POOL, SKIP, 0, 0, SKIP, POOL]),
        ([0] * 6, [CONV_3, 0, CONV_3, 0, 0, 0]),
    ],
)
def test_one_network_has_one_form(one, same):
    first, second = ConvCell().canonical_keys([one, same])
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0, 0, 0, CONV_3, 0, 0], [0, 0, 0, CONV_1, 0, 0]),
        ([0, 0, 0, SKIP, 0, 0], [SKIP, 0, 0, SKIP, SKIP, 0]),  # twice the input
        # Two convolutions of one map, or two of the same map.
        ([CONV_3, 0, CONV_3, 0, CONV_3, SKIP], [CONV_3, CONV_3, 0, 0, CONV_3, CONV_3]),
    ],
)
def test_different_networks_have_different_forms(one, other):
    first, second = ConvCell().canonical_keys([one, other])
    assert first != second


def in_plain_torch(numbers, network, blueprint, x):
    """Compute the cell edge by edge; convolutions take their weights in order of need."""
    weights = iter(
        network.weights[f"{position}_weight"]
        for position, node in enumerate(blueprint.nodes)
        if node.weights_name and node.weights_name.startswith("cell")
    )

    def convolve(x, size):
        weight = next(weights)
        kernel = weight.view(size, size, -1, weight.shape[-1]).permute(3, 2, 0, 1)
        x = F.conv2d(F.relu(x), kernel, padding=size // 2)
        return F.batch_norm(x, None, None, training=True)

    maps = [x]
    edges = iter(numbers)
    for end in range(1, 4):
        terms = [torch.zeros_like(x)]
        for start in range(end):
            match next(edges):
                case 1:
                    terms.append(maps[start])
                case 2:
                    terms.append(convolve(maps[start], 1))
                case 3:
                    terms.append(convolve(maps[start], 3))
                case 4:
                    pooled = F.avg_pool2d(maps[start], 3, 1, 1, count_include_pad=False)
                    terms.append(pooled)
        maps.append(sum(terms))
    return maps[3]


@pytest.mark.parametrize(
    "numbers",
    [
        [POOL, SKIP, POOL, SKIP, POOL, SKIP],
        [CONV_3, NONE, CONV_1, SKIP, NONE, CONV_3],
        [SKIP, POOL, CONV_3, SKIP, NONE, POOL],
        [CONV_1, NONE, CONV_3, POOL, SKIP, SKIP],
        [NONE, NONE, NONE, POOL, NONE, NONE],
    ],
)
def test_cells_compute_what_the_benchmark_does(numbers):
    blueprint = ConvCell(n_cells=1).blueprint(numbers)
    network = blueprint.build(3, 5, 2).double()
    images = torch.randn(4, 6, 7, 3, dtype=torch.float64)
    stem = network.weights["1_weight"].view(3, 3, 3, 5).permute(3, 2, 0, 1)
    x = F.conv2d(images.permute(0, 3, 1, 2), stem, padding=1)
    x = F.batch_norm(x, None, None, training=True)
    cell = in_plain_torch(numbers, network, blueprint, x).permute(0, 2, 3, 1)
    last = len(blueprint.nodes) - 1
    expected = cell @ network.weights[f"{last}_weight"] + network.weights[f"{last}_bias"]
    torch.testing.assert_close(network(images), expected)


def test_motif_networks_have_batch_statistics_of_their_own():
    space = ConvCell(n_cells=2)
    blueprints = [space.blueprint(row) for row in space.sample(5, random_state=0)]
    widths = Widths(3, 4, 2)
    together, alone = (
        SuperNetwork(blueprints, widths, (4, 4)),
        [SuperNetwork([b], widths, (4, 4)) for b in blueprints],
    )
    generator = torch.Generator().manual_seed(0)
    drawn = {}

    def draw(key, role, shape, fan_in):
        if (key, role) not in drawn:
            drawn[key, role] = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        return drawn[key, role]

    x = torch.randn(1, 1, 3, 4, 4, 3, generator=generator, dtype=torch.float64)
    outputs = together.forward(together.initial_weights(draw), x.expand(1, 5, -1, -1, -1, -1))
    for motif, network in enumerate(alone):
        single = network.forward(network.initial_weights(draw), x)
        torch.testing.assert_close(outputs[:, motif], single[:, 0])


def test_what_needs_images_says_so():
    blueprint = ConvCell().blueprint([3] * 6)
    with pytest.raises(ValueError, match="needs images"):
        blueprint.build(3, 4, 2)(torch.zeros(5, 3))
    for sample_shape in ((), (6,)):
        with pytest.raises(ValueError, match="needs images"):
            SuperNetwork([blueprint], Widths(3, 4, 2), sample_shape)


class Structure:
    """What AutoDL holds a cell in."""

    def __init__(self, text):
        self.text = text

    def tostr(self):
        return self.text

    def __str__(self):
        return f"Structure(4 nodes with {self.text})"


ROWS = st.lists(st.integers(0, 4), min_size=6, max_size=6)


@given(row=ROWS)
def test_neighbours_write_the_same_cell(row):
    space = ConvCell()
    names = [NAMES[number] for number in row]
    (text,) = space.decode([row])
    lists = [[(names[0], 0)], list(zip(names[1:3], (0, 1), strict=True)),
             list(zip(names[3:], (0, 1, 2), strict=True))]  # fmt: skip
    # Edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3, each by NASLib's own number.
    of_naslib = (NAMES[1], NAMES[0], NAMES[3], NAMES[2], NAMES[4])
    integers = tuple(of_naslib.index(names[i]) for i in (0, 1, 3, 2, 4, 5))
    for motif in (
        text, f" {text}\n", text.replace("+", "\n + "), text.replace("|", " | "),
        Structure(text), str(Structure(text)), lists, str(lists),
        tuple(map(tuple, lists)), [lists[0], lists[1], lists[2][::-1]], integers,
        list(integers), np.array(integers), torch.tensor(integers), str(integers),
        str(list(integers)), str(np.array(integers)), f"[ {' '.join(map(str, integers))}\n]",
        [[(name, np.int64(start)) for name, start in pairs] for pairs in lists],
    ):  # fmt: skip
        np.testing.assert_array_equal(space.encode([motif]), [row])


def test_integers_of_naslib_are_its_cells():
    (cell,) = ConvCell().decode(ConvCell().encode([(4, 0, 3, 1, 4, 3)]))
    assert cell == (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    )


@given(row=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_strings_of_transnas_bench_are_rows(row):
    digits = "".join(map(str, row))
    text = f"64-41414-{digits[0]}_{digits[1:3]}_{digits[3:]}"
    for space in (ConvCell(), ConvCell(operations=FOUR)):
        np.testing.assert_array_equal(space.encode([text]), [row])
        # The skeleton is no part of the cell.
        for same in (text.replace("41414", "111"), text.removeprefix("64-41414-")):
            np.testing.assert_array_equal(space.encode([same]), [row])


@given(row=ROWS, order=st.permutations(range(5)))
def test_operations_number_rows_and_nothing_else(row, order):
    space = ConvCell(n_cells=1, operations=tuple(NAMES[number] for number in order))
    (cell,) = ConvCell().decode([row])
    (other,) = space.encode([cell])
    assert space.decode([other]) == [cell]
    assert space.blueprint(other) == ConvCell(n_cells=1).blueprint(row)
    assert space.graph(other) == ConvCell(n_cells=1).graph(row)


def test_the_cells_without_pooling():
    space = ConvCell(operations=FOUR)
    assert math.prod(len(one.choices) for one in space.search_space().values()) == 4096
    X = space.sample(500, random_state=0)
    assert not any("pool" in cell for cell in space.decode(X))
    assert space.mutate(X, 0.5, random_state=0).max() == 3
    assert space.repair([[9.0] * 6]).max() == 3
    with pytest.raises(ValueError, match="edge_2_3=4, which must be a whole number from 0 to 3"):
        space.validate([[0, 0, 0, 0, 0, 4]])
    with pytest.raises(ValueError, match=r"Motif 1: .* has no operations \['avg_pool_3x3'\]"):
        space.encode([space.decode(X)[0], (4, 0, 3, 1, 4, 3)])
    assert repr(ConvCell()) == "ConvCell()"
    for names in (("none", "none"), ()):
        with pytest.raises(ValueError, match="non-empty sequence of different elements"):
            ConvCell(operations=names)
    with pytest.raises(ValueError, match=r"'operations' parameter .* Got .*'max_pool_3x3'"):
        ConvCell(operations=("none", "max_pool_3x3"))


CELL = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
PAIRS = [[("none", start) for start in range(end)] for end in (1, 2, 3)]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "no cell of NAS-Bench-201"),
        ("|none~0|", "no cell of NAS-Bench-201"),
        ("|swoosh~0|+|none~0|none~1|+|none~0|none~1|none~2|", "no cell of NAS-Bench-201"),
        ("64-12414-basic", "macro network of TransNAS-Bench-101"),
        ("64-1234-basic", "macro network of TransNAS-Bench-101"),
        ("64-41414-1_02_334", "other digits than 0 to 3"),
        ("64-41414-1_02_33", "no cell of NAS-Bench-201"),
        ("64-41414-102333", "no cell of NAS-Bench-201"),
        ((4, 0, 3, 1, 4), "no cell of NAS-Bench-201"),
        ((5, 0, 3, 1, 4, 3), "other numbers than 0 to 4"),
        ((-1, 0, 3, 1, 4, 3), "other numbers than 0 to 4"),
        ("(4, 0, 3, 1, 4, 9)", "other numbers than 0 to 4"),
        (np.array([4.0, 0, 3, 1, 4, 3]), "Rows of X are motifs already"),
        (range(10**12), "no cell of NAS-Bench-201"),
        (5, "no cell of NAS-Bench-201"),
        (None, "no cell of NAS-Bench-201"),
        ("'none'", "no cell of NAS-Bench-201"),
        ("(" * 10_000, "no cell of NAS-Bench-201"),
        ("__import__('os')", "no cell of NAS-Bench-201"),
        ([[("none", 0)], [("none", 0)], [("none", 0)]], "no cell of NAS-Bench-201"),
        ([[("none", 0)], [("none", 0)] * 2, [("none", i) for i in range(3)]], "no cell of"),
        ([[("none", 1)], [("none", 0)] * 2, [("none", i) for i in range(3)]], "no cell of"),
        ([("none", 0), [("none", 0)] * 2, 3], "no cell of NAS-Bench-201"),
        ([[("none", 0)], [("none", False), ("none", True)], PAIRS[2]], "no cell of NAS-Bench-201"),
        ("1_0_2", "'1_0_2' is no cell"),
        ("1_02_334", "'1_02_334' has other digits"),
        ("1_02_3333", "'1_02_3333' is no cell"),
        ("[4 0 3 1 4 5]", "other numbers than 0 to 4"),
        ("[4 0 3 1 4]", "no cell of NAS-Bench-201"),
        ("[4 0 3 1 4 3) ", "no cell of NAS-Bench-201"),
        ("[4. 0. 3. 1. 4. 3.]", "no cell of NAS-Bench-201"),
        ((True, False, True, True, False, True), "are not the integers"),
        ((4, 0, 3, 1, 4, True), "are not the integers"),
        (np.ones(6, dtype=bool), "are not the integers"),
        (torch.ones(6, dtype=torch.bool), "are not the integers"),
        ("[True, False, True, True, False, True]", "are not the integers"),
        (b"\x04\0\x03\x01\x04\x03", "got bytes b"),
        (bytearray(6), "got bytearray"),
        (CELL.encode(), "got bytes b"),
        (repr(CELL.encode()), "no cell of NAS-Bench-201"),
        (f"garbage {CELL}", "'garbage .*no cell of NAS-Bench-201"),
        (f"{CELL} more text", "no cell of NAS-Bench-201"),
        (f"{CELL}+", "no cell of NAS-Bench-201"),
        (CELL.replace("+", ""), "no cell of NAS-Bench-201"),
        (CELL.replace("|+|", "|"), "no cell of NAS-Bench-201"),
        (CELL.replace("+", "-"), "no cell of NAS-Bench-201"),
        (CELL.replace("|none~2|", ""), "no cell of NAS-Bench-201"),
        (f"Structure(4 nodes with {CELL}", "no cell of NAS-Bench-201"),
        (f"Structure(5 nodes with {CELL})", "no cell of NAS-Bench-201"),
    ],
)
def test_what_is_no_cell_is_refused_by_its_number(cell, reason):
    with pytest.raises(ValueError, match=f"(?s)^Motif 1: .*{reason}"):
        ConvCell().encode([(0, 0, 0, 0, 0, 0), cell])


def test_rows_are_numbers_of_operations():
    np.testing.assert_array_equal(
        ConvCell().repair([[7, -1, 2.4, 2.6, 0, 4]]), [[4, 0, 2, 3, 0, 4]]
    )
    with pytest.raises(ValueError, match="edge_0_2=5"):
        ConvCell().validate([[0, 5, 0, 0, 0, 0]])
