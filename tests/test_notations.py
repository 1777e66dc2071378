"""What every family's notation does with what it cannot read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.motifs import ActivationFunction, ConvCell, RecurrentCell, RecurrentGraph

SPACES = [
    ActivationFunction(),
    ConvCell(),
    ConvCell(operations=("nor_conv_3x3", "none")),
    RecurrentCell(3),
    RecurrentCell(3, activations=("elu", "tanh"), average="loose_ends"),
    RecurrentGraph(max_nodes=6),
]
pytestmark = pytest.mark.parametrize("space", SPACES, ids=repr)
# Of letters that notations use, and of any others.
TEXT = st.text("x()[]{}'\"|+~:,-_*/. 0123456789", max_size=30) | st.text(max_size=30)
VALUES = st.none() | st.booleans() | st.floats() | st.integers() | TEXT
NONSENSE = st.recursive(
    VALUES,
    lambda parts: (
        st.lists(parts, max_size=6)
        | st.tuples(TEXT, parts)
        | st.dictionaries(TEXT, parts, max_size=3)
    ),
    max_leaves=12,
)


@given(seed=st.integers(0, 2**20), nonsense=NONSENSE)
def test_it_reads_a_motif_or_names_the_one_that_it_cannot_read(space, seed, nonsense):
    good = space.decode(space.sample(1, random_state=seed))
    try:
        X = space.encode([*good, nonsense])
    except ValueError:
        with pytest.raises(ValueError, match=r"^Motif 1: "):
            space.encode([*good, nonsense])
        return
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)


@pytest.mark.parametrize(
    "text",
    ["(" * 10**5, "-" * 10**5, "[" * 10**6, "1" * 10**6, "x+" * 10**6, "9-" * 2 + "a" * 10**6],
    ids=["brackets", "minus", "lists", "digits", "sums", "letters"],
)
def test_long_text_is_refused_at_once(space, text):
    with pytest.raises(ValueError, match=r"^Motif 0: ") as refusal:
        space.encode([text])
    assert len(str(refusal.value)) < 3000


@given(seed=st.integers(0, 2**20))
def test_what_it_writes_it_reads_as_text_too(space, seed):
    X = space.sample(2, random_state=seed)
    if isinstance(space, RecurrentGraph):
        return
    np.testing.assert_array_equal(space.encode([str(one) for one in space.decode(X)]), X)
