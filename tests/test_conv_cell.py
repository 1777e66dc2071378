"""Convolutional cells."""

import csv
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


@pytest.mark.parametrize(
    "cell", ["", "|none~0|", "|swoosh~0|+|none~0|none~1|+|none~0|none~1|none~2|"]
)
def test_what_is_no_cell_is_refused(cell):
    with pytest.raises(ValueError, match=r"no cell of NAS-Bench-201"):
        ConvCell().encode([cell])


def test_rows_are_numbers_of_operations():
    np.testing.assert_array_equal(
        ConvCell().repair([[7, -1, 2.4, 2.6, 0, 4]]), [[4, 0, 2, 3, 0, 4]]
    )
    with pytest.raises(ValueError, match="edge_0_2=5"):
        ConvCell().validate([[0, 5, 0, 0, 0, 0]])
