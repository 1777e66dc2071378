"""Convolutional cells: the space of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from sk_petridish._compat._constraints import ChoicesOf, integers
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Blueprint, BlueprintBuilder, Node, canonical

from ._base import DataKind, Motifs
from ._discrete import DiscreteSpace
from ._graph import MotifEdge, MotifGraph
from .notation._conv_cells import EDGES, OPERATIONS, Names, read_conv_cell, write_conv_cell
from .recommended._conv_cell import CONV, CONV_BANK, CONV_ZERO_COST
from .recommended._paper import PAPER

# The weights of an operation that has some.
_CONVOLUTIONS = {"nor_conv_1x1": "project", "nor_conv_3x3": "conv_3x3"}


class ConvCell(DiscreteSpace):
    """Convolutional cells of four feature maps, as in NAS-Bench-201.

    Each of the six edges between the maps [1]_ is nothing, the identity, a convolution with
    1 x 1 or 3 x 3 weights (of the relu of its input, and followed by batch normalisation),
    or average pooling; a map is the sum of the edges that lead to it. The network is a
    convolution with batch normalisation, some cells one after another, and a linear readout
    at every position of the image.

    A row has a number for each edge, in the order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3. Its notation is
    the benchmark's: ``"|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"``.
    :meth:`encode` reads the same cells in others' notations, too: strings of
    TransNAS-Bench-101 [2]_, ``"64-41414-1_02_333"`` or ``"1_02_333"``; AutoDL's lists of
    pairs, three of them; and NASLib's six integers, ``(4, 0, 3, 1, 4, 3)``.

    Parameters
    ----------
    n_cells : int, default=3
        Cells in a network.
    operations : tuple of str, default=("none", "skip_connect", ..., "avg_pool_3x3")
        Names of the operations that rows number: some of NAS-Bench-201's five, in any
        order. All but pooling are those of TransNAS-Bench-101, which has 4,096 cells.

    Notes
    -----
    NASLib numbers operations and edges in an order of its own. Whatever six integers
    :meth:`encode` is given are read so: rows are motifs already, and are not encoded. Of a
    string of TransNAS-Bench-101, width and skeleton (``64-41414``) are not part of the cell.

    Edges that lead nowhere or come from nothing are left out of the network, and cells that
    differ only in them, or in the numbers of the maps between, are one:
    :meth:`canonical_keys` knows them. The networks of the benchmark have three stages of five
    cells, at half the resolution and twice the width each; these have one stage.

    References
    ----------
    .. [1] X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
       Architecture Search", 2020, https://arxiv.org/abs/2001.00326
    .. [2] Y. Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability
       of Cross-Task Neural Architecture Search", 2021, https://arxiv.org/abs/2105.11871

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> space = ConvCell()
    >>> cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    >>> X = space.encode([cell])
    >>> X
    array([[3., 0., 3., 1., 0., 4.]])
    >>> space.decode(X) == [cell]
    True
    >>> space.decode(space.encode([(4, 0, 3, 1, 4, 3)]))
    ['|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|']

    The cells of TransNAS-Bench-101:

    >>> names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
    >>> ConvCell(operations=names).encode(["64-41414-1_02_333"])
    array([[1., 0., 2., 3., 3., 3.]])
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {"best": CONV, "paper": PAPER}
    _bank: ClassVar[dict[str, dict[str, Any]]] = CONV_BANK
    data_kind: DataKind = "images"
    _zero_cost: ClassVar[dict[str, Any] | None] = CONV_ZERO_COST

    _parameter_constraints: ClassVar[Constraints] = {
        "n_cells": [integers(1)],
        "operations": [ChoicesOf(OPERATIONS, distinct=True)],
    }

    @validated
    def __init__(self, n_cells: int = 3, operations: tuple[str, ...] = OPERATIONS) -> None:
        self.n_cells = n_cells
        self.operations = operations

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        return (
            "A row of X is one motif: the number of the operation on each of six edges between "
            f"feature maps, {', '.join(f'{i}: {name}' for i, name in enumerate(self.operations))}."
        )

    def _columns(self) -> dict[str, int]:
        return {f"edge_{start}_{end}": len(self.operations) for start, end in EDGES}

    def _blueprint(self, row: Motifs) -> Blueprint:
        cell = _cell(self._names(row))
        network = BlueprintBuilder()
        stem = network.add("conv_3x3", network.input, units="n_hidden", weights_name="stem")
        last = network.add("batch_norm", stem)
        for number in range(self.n_cells):
            # The cell's nodes stand behind its input, position 0 of its own count.
            places = [last]
            for node in cell:
                inputs = tuple(places[source] for source in node.inputs)
                # Cells start from weights of their own, each node as in all other motifs.
                name = None if node.weights_name is None else f"cell {number} {node.weights_name}"
                places.append(network.add_node(replace(node, inputs=inputs, weights_name=name)))
            last = places[-1]
        network.add("linear", last, units="n_outputs", weights_name="readout")
        return network.build()

    def _graph(self, row: Motifs) -> MotifGraph:
        edges = [
            MotifEdge(start, end, name.removeprefix("nor_"))
            for (start, end), name in zip(EDGES, self._names(row), strict=True)
            if name != "none"
        ]
        return MotifGraph(["input", "1", "2", "output"], edges)

    def _encode(self, motif: Any) -> list[int]:
        names = read_conv_cell(motif)
        missing = [name for name in dict.fromkeys(names) if name not in self.operations]
        if missing:
            raise ValueError(f"The space has no operations {missing}, only {self.operations}.")
        return [self.operations.index(name) for name in names]

    def _decode(self, row: Motifs) -> str:
        return write_conv_cell(self._names(row))

    def _names(self, row: Motifs) -> Names:
        return [self.operations[number] for number in row.astype(int).tolist()]


def _cell(names: Names) -> tuple[Node, ...]:
    """Return a cell's nodes in canonical form; they read its input as position 0."""
    operations = dict(zip(EDGES, names, strict=True))
    network = BlueprintBuilder()
    # Stands for the cell's input, as wide as the cell. Its name is part of the canonical
    # order, and so of the names of weights and of the values that they start from.
    cell_input = network.add("project", network.input, units="n_hidden")
    relus: dict[int, int] = {}
    maps: dict[int, list[int]] = {0: [cell_input]}

    def joined(terms: Sequence[int]) -> int:
        return terms[0] if len(terms) == 1 else network.add("sum", *terms)

    def terms_of(end: int) -> list[int]:
        """Return the terms whose sum a feature map is; none where nothing leads there."""
        if end not in maps:
            maps[end] = []
            for start in range(end):
                name = operations[start, end]
                terms = [] if name == "none" else terms_of(start)
                # Identities pass terms on unsummed, so that sums of sums become one sum,
                # the same whichever map in between they went through.
                if name == "skip_connect" or not terms:
                    maps[end] += terms
                elif name == "avg_pool_3x3":
                    maps[end].append(network.add("average_pool_3x3", joined(terms)))
                else:
                    source = joined(terms)
                    if source not in relus:
                        relus[source] = network.add("relu", source)
                    convolved = network.add(_CONVOLUTIONS[name], relus[source], units="n_hidden")
                    maps[end].append(network.add("batch_norm", convolved))
        return maps[end]

    terms = terms_of(3)
    output = joined(terms) if terms else network.add("zero", cell_input)
    network.add("linear", output, units="n_outputs")
    # What stands around the cell keeps the first two places and the last.
    ordered = canonical(network.build()).nodes[2:-1]
    return tuple(
        replace(node, inputs=tuple(source - 1 for source in node.inputs)) for node in ordered
    )
