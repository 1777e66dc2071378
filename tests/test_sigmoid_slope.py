"""Slopes of sigmoids."""

from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.motifs import SigmoidSlope


@given(slopes=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4))
def test_each_hidden_layer_has_its_slope(slopes):
    nodes = SigmoidSlope(len(slopes)).blueprint(slopes).nodes
    found = [node.parameters[0] for node in nodes if node.operation == "sigmoid"]
    assert found == (slopes * 2 if len(slopes) == 1 else slopes)
