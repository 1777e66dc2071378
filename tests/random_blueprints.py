"""Random blueprints."""

from hypothesis import strategies as st

from sk_petridish.blueprints import Blueprint, Node, get_operation

ELEMENTWISE = ("sigmoid", "tanh", "relu", "sum", "product")


@st.composite
def blueprints(draw, max_nodes=6):
    """Graphs of any shape over hidden units: layers, skips, branches, dead ends joined."""
    nodes = [Node("input"), Node("linear", (0,), units="n_hidden")]
    for _ in range(draw(st.integers(0, max_nodes))):
        name = draw(st.sampled_from(("linear", *ELEMENTWISE)))
        operation = get_operation(name)
        arity = draw(st.integers(1, 3)) if operation.arity is None else operation.arity
        sources = tuple(draw(st.integers(1, len(nodes) - 1)) for _ in range(arity))
        parameters = tuple(draw(st.floats(-2, 2)) for _ in operation.parameters)
        units = "n_hidden" if operation.owns_weights else None
        nodes.append(Node(name, sources, parameters, units))
    read = {source for node in nodes for source in node.inputs}
    loose = tuple(position for position in range(1, len(nodes)) if position not in read)
    nodes.append(Node("sum", loose))
    nodes.append(Node("linear", (len(nodes) - 1,), units="n_outputs"))
    return Blueprint(tuple(nodes))
