"""Random blueprints."""

from hypothesis import strategies as st

from sk_petridish.blueprints import Blueprint, Node, get_operation

FEED_FORWARD = (
    "linear",
    "project",
    "bias",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "identity",
    "sum",
    "mean",
    "product",
    "blend",
    "highway",
    "elu",
    "softplus",
    "abs",
    "scale",
    "shift",
    "maximum",
    "minimum",
)


@st.composite
def operations(draw, sources, names):
    """One node that reads some of these."""
    name = draw(st.sampled_from(names))
    operation = get_operation(name)
    arity = draw(st.integers(1, 3)) if operation.arity is None else operation.arity
    read = tuple(draw(st.sampled_from(sources)) for _ in range(arity))
    parameters = tuple(draw(st.floats(-2, 2)) for _ in operation.parameters)
    return Node(name, read, parameters, "n_hidden" if operation.owns_weights else None)


@st.composite
def blueprints(draw, max_nodes=6, *, recurrent=False):
    """Graphs of any shape over hidden units: layers, skips, branches, dead ends joined.

    Recurrent ones carry up to three nodes, which may be any.
    """
    n_carried = draw(st.integers(1, 3)) if recurrent else 0
    # What is carried is decided when all nodes are there.
    nodes = [Node("input")] + n_carried * [None]
    # The input itself, and what is made of it without weights.
    wide = [0]
    for _ in range(draw(st.integers(0, 2))):
        nodes.append(draw(operations(wide, FEED_FORWARD[3:])))
        wide.append(len(nodes) - 1)
    hidden = list(range(1, n_carried + 1))
    for source in wide:
        nodes.append(Node("linear", (source,), units="n_hidden"))
        hidden.append(len(nodes) - 1)
    for _ in range(draw(st.integers(0, max_nodes))):
        nodes.append(draw(operations(hidden, FEED_FORWARD)))
        hidden.append(len(nodes) - 1)
    for position in range(1, n_carried + 1):
        nodes[position] = Node("carried", (draw(st.sampled_from(hidden)),), units="n_hidden")
    read = {source for node in nodes if node.operation != "carried" for source in node.inputs}
    loose = tuple(position for position in hidden if position not in read)
    nodes.append(Node("sum", loose))
    nodes.append(Node("linear", (len(nodes) - 1,), units="n_outputs"))
    return Blueprint(tuple(nodes))
