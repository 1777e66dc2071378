"""Which nodes of several blueprints are computed together, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ._blueprint import Blueprint
from ._node import CARRIED, INPUT, Node, Widths
from ._operations import SampleShape

Member = tuple[int, int]
"""A node: its motif, and its position in the motif's blueprint."""


class Slot(NamedTuple):
    """Where a node's value lies: a row of a group's output.

    Parameters
    ----------
    group, row : int
        The group of nodes, and the row within it.
    """

    group: int
    row: int


class Key(NamedTuple):
    """What nodes have in common that are computed in one call.

    Parameters
    ----------
    operation : str
        Name of the operation.
    n_inputs : int
        How many nodes each reads.
    n_in, n_out : int
        Widths of what it reads and of itself.
    attributes : tuple of int
        Static integers, such as a stride.
    shape : tuple of int
        Resolution of what it reads: maps of different sizes do not fit into one tensor.
    """

    operation: str
    n_inputs: int
    n_in: int
    n_out: int
    attributes: tuple[int, ...]
    shape: SampleShape


class Schedule(NamedTuple):
    """Groups of values in the order in which they are computed.

    Group 0 are the inputs of all motif-networks, one row each. Then come groups of
    carried nodes, one a width, and then those that operations compute, level by level.

    Parameters
    ----------
    slots : list of dict of int to Slot
        For every motif, where the value of each node lies.
    n_rows : list of int
        How many rows each group has.
    carried : dict of int to list of (int, int)
        Carried nodes under each width.
    computed : list of (Key, list of (int, int)) tuples
        The other groups: what their nodes have in common, and the nodes.
    output_shape : tuple of int
        Axes of an output beside its units, the same for all motifs.
    """

    slots: list[dict[int, Slot]]
    n_rows: list[int]
    carried: dict[int, list[Member]]
    computed: list[tuple[Key, list[Member]]]
    output_shape: SampleShape


def make_schedule(
    blueprints: Sequence[Blueprint], widths: Widths, sample_shape: SampleShape
) -> Schedule:
    """Put nodes into groups, so that each group reads earlier ones only.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        One a motif-network.
    widths : Widths
        The widths of every motif-network.
    sample_shape : tuple of int
        Axes of a sample beside its features.

    Returns
    -------
    Schedule
        The groups.

    Raises
    ------
    ValueError
        If a blueprint has no meaning on such samples, or outputs have different shapes.
    """
    shapes = [blueprint.shapes(sample_shape) for blueprint in blueprints]
    carried = _carried(blueprints, widths)
    computed = [group for level in _levels(blueprints, widths, shapes) for group in level.items()]
    members = [*carried.values(), *(nodes for _, nodes in computed)]
    slots = [{0: Slot(0, motif)} for motif in range(len(blueprints))]
    for group, nodes in enumerate(members, start=1):
        for row, (motif, position) in enumerate(nodes):
            slots[motif][position] = Slot(group, row)
    n_rows = [len(blueprints), *map(len, members)]
    return Schedule(slots, n_rows, carried, computed, _output_shape(shapes))


def _carried(blueprints: Sequence[Blueprint], widths: Widths) -> dict[int, list[Member]]:
    """Sort the carried nodes of all blueprints by width."""
    carried: dict[int, list[Member]] = {}
    for motif, blueprint in enumerate(blueprints):
        for position, node in enumerate(blueprint.nodes):
            if node.operation == CARRIED and node.width is not None:
                carried.setdefault(node.width.units(widths), []).append((motif, position))
    return carried


def _levels(
    blueprints: Sequence[Blueprint],
    widths: Widths,
    shapes: Sequence[Sequence[SampleShape]],
) -> list[dict[Key, list[Member]]]:
    """Sort the nodes of all blueprints by depth and, within a depth, by kind."""
    levels: list[dict[Key, list[Member]]] = []
    for motif, blueprint in enumerate(blueprints):
        units = [width.units(widths) for width in blueprint.widths()]
        for position, depth in enumerate(_depths(blueprint.nodes)):
            if depth == 0:
                continue
            if len(levels) < depth:
                levels.append({})
            node = blueprint.nodes[position]
            source = node.inputs[0]
            key = Key(
                node.operation,
                len(node.inputs),
                units[source],
                units[position],
                node.attributes,
                shapes[motif][source],
            )
            levels[depth - 1].setdefault(key, []).append((motif, position))
    return levels


def _depths(nodes: Sequence[Node]) -> list[int]:
    """Return the longest path to each node: depth = 1 + the largest depth of its inputs.

    The input has none, nor has what is carried, which is there before a time step begins.
    """
    depths: list[int] = []
    for node in nodes:
        at_start = node.operation in (INPUT, CARRIED)
        depths.append(0 if at_start else 1 + max(depths[source] for source in node.inputs))
    return depths


def _output_shape(shapes: Sequence[Sequence[SampleShape]]) -> SampleShape:
    outputs = {of_motif[-1] for of_motif in shapes}
    if len(outputs) != 1:
        raise ValueError(
            "Motif-networks have one set of labels, but their outputs have different shapes: "
            f"{sorted(outputs)}."
        )
    (shape,) = outputs
    return shape
