"""One order of nodes for all descriptions of the same network."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ._blueprint import Blueprint
from ._node import CARRIED, Node


def canonical(blueprint: Blueprint) -> Blueprint:
    """Return the blueprint that stands for all those of the same network.

    Nodes without weights that compute the same of the same are joined, inputs of
    operations that commute are sorted, and the nodes are put into an order that depends on
    how they are connected, not on how they were listed.

    Parameters
    ----------
    blueprint : Blueprint
        Any graph.

    Returns
    -------
    Blueprint
        The same network.

    Notes
    -----
    The order comes from refining a colouring of the nodes by their neighbours' colours;
    where colours tie, one node is singled out. On graphs so regular that tied nodes are
    not interchangeable, two listings of one network may keep two forms; two different
    networks never share one.

    Examples
    --------
    >>> from sk_petridish.blueprints import Blueprint, Node, canonical
    >>> start = (Node("input"), Node("linear", (0,), units="n_hidden"))
    >>> end = (Node("sum", (3, 2)), Node("linear", (4,), units="n_outputs"))
    >>> one = Blueprint((*start, Node("tanh", (1,)), Node("relu", (1,)), *end))
    >>> other = Blueprint((*start, Node("relu", (1,)), Node("tanh", (1,)), *end))
    >>> one == other, canonical(one) == canonical(other)
    (False, True)
    """
    nodes = _joined(list(blueprint.nodes))
    return Blueprint(tuple(_named(_ordered(nodes, _colours(nodes)))))


def _named(nodes: Sequence[Node]) -> Iterator[Node]:
    """Name weights by operation and number: another node in between shall not matter."""
    counts: Counter[str] = Counter()
    for node in nodes:
        if not _owns_weights(node):
            yield node
            continue
        # Of equal shapes, as far as the blueprint knows; what has no attributes and no factor
        # is named by operation and width alone.
        kind = " ".join(map(str, (node.operation, node.width, *node.attributes)))
        yield replace(node, weights_name=f"{kind} {counts[kind]}")
        counts[kind] += 1


def _owns_weights(node: Node) -> bool:
    operation = node.registered
    return operation is not None and operation.owns_weights


def _commutes(node: Node) -> bool:
    operation = node.registered
    return operation is not None and operation.commutes


def _joined(nodes: list[Node]) -> list[Node]:
    """Join nodes that compute the same, until there are none."""
    while True:
        first: dict[Node, int] = {}
        places: list[int] = []
        for position, node in enumerate(nodes):
            # What is carried may stand behind and not have its place yet.
            if node.operation != CARRIED:
                inputs = tuple(places[source] for source in node.inputs)
                node = replace(node, inputs=tuple(sorted(inputs)) if _commutes(node) else inputs)
            # Equal weights at the start do not stay equal: only what has none is joined.
            unique = _owns_weights(node)
            places.append(position if unique else first.setdefault(node, position))
        kept = sorted(set(places))
        if len(kept) == len(nodes):
            return nodes
        renamed = {old: new for new, old in enumerate(kept)}
        nodes = [
            replace(
                nodes[old], inputs=tuple(renamed[places[source]] for source in nodes[old].inputs)
            )
            for old in kept
        ]


def _colours(nodes: Sequence[Node]) -> list[int]:
    """Colour nodes by how they are connected, all of them differently in the end."""
    colours = _ranks(
        [
            (
                node.operation,
                node.parameters,
                node.units or "",
                position == len(nodes) - 1,
                node.attributes,
                node.factor,
            )
            for position, node in enumerate(nodes)
        ]
    )
    while True:
        refined = _refined(nodes, colours)
        if len(set(refined)) == len(nodes):
            return refined
        if len(set(refined)) == len(set(colours)):
            # Nothing tells them apart any more: single one out.
            tied = min(colour for colour in refined if refined.count(colour) > 1)
            chosen = refined.index(tied)
            refined = _ranks([(colour, i != chosen) for i, colour in enumerate(refined)])
        colours = refined


def _refined(nodes: Sequence[Node], colours: Sequence[int]) -> list[int]:
    """Colour every node by its own colour and those of its neighbours."""
    readers: list[list[tuple[int, int]]] = [[] for _ in nodes]
    above: list[tuple[int, ...]] = []
    for reader, node in enumerate(nodes):
        commutes = _commutes(node)
        for place, source in enumerate(node.inputs):
            readers[source].append((colours[reader], 0 if commutes else place))
        read = [colours[source] for source in node.inputs]
        above.append(tuple(sorted(read) if commutes else read))
    return _ranks(
        [
            (colour, inputs, tuple(sorted(outputs)))
            for colour, inputs, outputs in zip(colours, above, readers, strict=True)
        ]
    )


def _ranks(keys: Sequence[Any]) -> list[int]:
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


def _ordered(nodes: Sequence[Node], colours: Sequence[int]) -> list[Node]:
    """List nodes after those that they read, by colour where there is a choice."""
    last = len(nodes) - 1
    missing = [0 if node.operation == CARRIED else len(set(node.inputs)) for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for reader, node in enumerate(nodes):
        if node.operation != CARRIED:
            for source in set(node.inputs):
                readers[source].append(reader)
    # The input first, then what is carried, and the output last.
    ready = [
        ((position != 0, nodes[position].operation != CARRIED, colours[position]), position)
        for position in range(last)
        if not missing[position]
    ]
    heapq.heapify(ready)
    order = []
    while ready:
        _, position = heapq.heappop(ready)
        order.append(position)
        for reader in readers[position]:
            missing[reader] -= 1
            if not missing[reader] and reader != last:
                heapq.heappush(ready, ((True, True, colours[reader]), reader))
    order.append(last)
    places = {old: new for new, old in enumerate(order)}
    ordered = []
    for old in order:
        inputs = tuple(places[source] for source in nodes[old].inputs)
        commutes = _commutes(nodes[old])
        ordered.append(replace(nodes[old], inputs=tuple(sorted(inputs)) if commutes else inputs))
    return ordered
