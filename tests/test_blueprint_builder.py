"""Blueprints, node by node."""

import pytest

from sk_petridish.blueprints import CARRIED, Blueprint, BlueprintBuilder, Node


def test_it_builds_what_is_written_by_hand():
    network = BlueprintBuilder()
    before = network.carry()
    first = network.add("linear", network.input, units="n_hidden", weights_name="first")
    gate = network.add("sigmoid", first, parameters=(2.0,))
    state = network.add_node(Node("product", (gate, before)))
    network.fill(before, state)
    assert network.add("linear", state, units="n_outputs") == 5
    assert network.build() == Blueprint(
        (
            Node("input"),
            Node(CARRIED, (4,), units="n_hidden"),
            Node("linear", (0,), units="n_hidden", weights_name="first"),
            Node("sigmoid", (2,), (2.0,)),
            Node("product", (3, 1)),
            Node("linear", (4,), units="n_outputs"),
        )
    )


def test_what_is_carried_is_said_exactly_once():
    network = BlueprintBuilder()
    before = network.carry()
    hidden = network.add("linear", before, units="n_hidden")
    with pytest.raises(ValueError, match=r"Nodes \[1\] carry nothing"):
        network.build()
    with pytest.raises(ValueError, match="Node 2 is no carried node"):
        network.fill(hidden, before)
    network.fill(before, hidden)
    with pytest.raises(ValueError, match="Node 1 is no carried node"):
        network.fill(before, hidden)


def test_two_builders_share_nothing():
    BlueprintBuilder().carry()
    network = BlueprintBuilder()
    network.add("linear", network.input, units="n_outputs")
    assert len(network.build().nodes) == 2
