"""In which order the nodes of a recurrent network are computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from ._node import CARRIED, Node, Width
from ._shapes import node_widths

MaskName = Literal["inputs", "hidden"]

_MASKS: dict[Width, MaskName] = {Width("n_inputs"): "inputs", Width("n_hidden"): "hidden"}


class Call(NamedTuple):
    """The computation of a node, or of several products with one factor.

    Parameters
    ----------
    targets : tuple of int
        Positions of the nodes that it computes.
    inputs : tuple of int
        Positions of the nodes that it reads.
    mask : {"inputs", "hidden"} or None
        Which dropout its first input takes.
    """

    targets: tuple[int, ...]
    inputs: tuple[int, ...]
    mask: MaskName | None


class Stages(NamedTuple):
    """A network's calls before, within and after its recurrence, without the readout.

    Only ``within`` runs step by step; the other two take all time steps at once::

        x[1] ... x[T]          the input
          |       |
        before                 depends on no carried node
          |       |
        within -> within -> .. depends on a carried node, and one depends on it
          |       |
        after                  depends on a carried node, but none on it
          |       |
        readout

    Parameters
    ----------
    before, within, after : tuple of Call
        Calls in an order in which each reads only what is there. Without a carried node
        all are ``before``.
    """

    before: tuple[Call, ...]
    within: tuple[Call, ...]
    after: tuple[Call, ...]


def compile_stages(nodes: Sequence[Node]) -> Stages:
    """Sort nodes by whether they are part of the recurrence, and join their products.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes of a blueprint.

    Returns
    -------
    Stages
        What to call, and when. The last node is only there where it is carried.
    """
    carried = {position for position, node in enumerate(nodes) if node.operation == CARRIED}
    # A node depends on its inputs; what is carried closes the circle and comes first.
    depends = set(carried)
    for position, node in enumerate(nodes):
        if depends.intersection(node.inputs):
            depends.add(position)
    needed = _needed({nodes[position].inputs[0] for position in carried}, nodes)
    readout = len(nodes) - 1
    inside = set(range(1, len(nodes))) - carried
    return Stages(
        before=_calls(nodes, inside - depends - {readout}),
        within=_calls(nodes, inside & depends & needed),
        after=_calls(nodes, (inside & depends) - needed - {readout}),
    )


def _needed(starts: Collection[int], nodes: Sequence[Node]) -> set[int]:
    """Return the nodes that some depend on within a time step."""
    needed: set[int] = set()
    pending = list(starts)
    while pending:
        position = pending.pop()
        if position not in needed:
            needed.add(position)
            if nodes[position].operation != CARRIED:
                pending.extend(nodes[position].inputs)
    return needed


def _calls(nodes: Sequence[Node], positions: Collection[int]) -> tuple[Call, ...]:
    readout, widths = len(nodes) - 1, node_widths(nodes)
    # Dropout stands before every product but the readout's, even where that is carried.
    return tuple(
        Call(
            targets,
            nodes[targets[0]].inputs,
            _mask(nodes[targets[0]], widths) if targets[0] != readout else None,
        )
        for targets in fuse_products(nodes, positions)
    )


def _mask(node: Node, widths: Sequence[Width]) -> MaskName | None:
    operation = node.registered
    if operation is None or "weight" not in operation.roles:
        return None
    return _MASKS.get(widths[node.inputs[0]])


def fuse_products(nodes: Sequence[Node], positions: Collection[int]) -> list[tuple[int, ...]]:
    """Join products with one factor, which are one product with their weights side by side.

    ``x @ A`` and ``x @ B`` are the two halves of ``x @ [A B]``: one large product is faster
    than two small ones. The last node, the readout, stays alone.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes of a blueprint.
    positions : collection of int
        Positions of those that are to be computed.

    Returns
    -------
    list of tuple of int
        The positions, ascending by the first of each tuple.

    Examples
    --------
    >>> from sk_petridish.blueprints import Node
    >>> from sk_petridish.blueprints._recurrence import fuse_products
    >>> left, right = (Node("project", (0,), units="n_hidden") for _ in range(2))
    >>> nodes = [Node("input"), left, Node("tanh", (1,)), right, Node("sum", (2, 3))]
    >>> fuse_products(nodes, [1, 2, 3])
    [(1, 3), (2,)]
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for position in sorted(positions):
        node = nodes[position]
        operation = node.registered
        joins = operation is not None and operation.joins_products and position != len(nodes) - 1
        # Side by side they are computed in one call, with the numbers of the first.
        kind = (node.operation, node.inputs, node.parameters, node.attributes)
        key = kind if joins else (position,)
        groups.setdefault(key, []).append(position)
    return [tuple(group) for group in groups.values()]
