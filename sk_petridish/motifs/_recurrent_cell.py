"""Recurrent cells of the NAO, ENAS and DARTS family (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish._compat._constraints import ArrayOfNumbers, SequenceOf, integers
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, validate_params, validated
from sk_petridish.blueprints import (
    Blueprint,
    BlueprintBuilder,
    Operation,
    registered_operations,
)

from ._base import DataKind, Motifs, map_numbered
from ._discrete import DiscreteSpace
from ._graph import MotifEdge, MotifGraph
from .notation._genotypes import Genotype, read_arc, read_cell
from .recommended._paper import RECURRENT_PAPER
from .recommended._recurrent import RECURRENT, RECURRENT_BANK

Pairs = Sequence[tuple[str, int]]
Table = Literal["nao", "nao_ws"]

# Two published tables number the same activations differently: NAO without weight sharing
# and ENAS; NAO with weight sharing.
_TABLES: dict[str, tuple[str, ...]] = {
    "nao": ("tanh", "relu", "identity", "sigmoid"),
    "nao_ws": ("tanh", "relu", "sigmoid", "identity"),
}
_PARAMETERS = {"sigmoid": (1.0,)}
# A cell node's activation with those of its children, theirs, and so on.
_Form = tuple[str, tuple["_Form", ...]]

PUBLISHED_CELLS: dict[str, tuple[tuple[str, int], ...]] = {
    "NAO": (
        ("relu", 0), ("relu", 0), ("relu", 1), ("tanh", 3), ("relu", 4), ("relu", 4),
        ("relu", 5), ("relu", 1), ("relu", 7), ("relu", 1), ("identity", 1),
    ),
    "NAO-WS": (
        ("relu", 0), ("relu", 1), ("sigmoid", 2), ("sigmoid", 1), ("relu", 4), ("relu", 4),
        ("relu", 4), ("relu", 7), ("sigmoid", 8), ("tanh", 1), ("relu", 4),
    ),
    "DARTS_V1": (
        ("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3), ("relu", 4), ("identity", 1),
        ("relu", 5), ("relu", 1),
    ),
    "DARTS_V2": (
        ("sigmoid", 0), ("relu", 1), ("relu", 1), ("identity", 1), ("tanh", 2),
        ("sigmoid", 5), ("tanh", 3), ("relu", 5),
    ),
    "ENAS": (
        ("tanh", 0), ("relu", 1), ("relu", 2), ("tanh", 2), ("tanh", 2), ("relu", 5),
        ("tanh", 1), ("relu", 6), ("relu", 8), ("relu", 8), ("relu", 8),
    ),
}  # fmt: skip
"""Published cells, as :meth:`RecurrentCell.encode` takes them: the activation and the
previous node of nodes 1, 2 and so on. ENAS averages loose ends."""


_TABLE = StrOptions(set(_TABLES))


class RecurrentCell(DiscreteSpace):
    """Recurrent cells in which every node reads one other.

    Node 0 reads the input and the state before, and its activation is tanh. Each of the
    others reads one node before it, through an activation. In a gated cell the result is
    blended with what was read, by a sigmoid gate (a highway connection). The new state is
    the mean of the nodes but node 0. There are no biases.

    A row has two numbers a node: the node that it reads, and its activation. Every row in
    range is legal, so that changing positions or exchanging parts of rows always gives
    cells. Its notation is that of published genotypes: the activation and the previous node
    of every node, in a list of tuples. :meth:`encode` reads genotypes of DARTS too, objects
    or dictionaries with ``recurrent`` and ``concat``; arcs of ENAS, ``2 * n_nodes + 1``
    integers, of which the first is the activation of node 0; and the text of all of these.

    Parameters
    ----------
    n_nodes : int, default=11
        Nodes besides node 0: 11 in NAO and ENAS, 8 in DARTS.
    gated : bool, default=True
        Whether nodes are highway connections.
    activations : tuple of str, default=("tanh", "relu", "identity", "sigmoid")
        Names of the activations that rows number, in NAO's order: operations of one input
        without weights.
    average : {"all", "loose_ends"}, default="all"
        Whether the state is the mean of all nodes but node 0, or, as in ENAS, of those that
        no other node reads.

    See Also
    --------
    RecurrentGraph : General recurrent graphs with several states.

    Notes
    -----
    Renumbering nodes does not change the cell: :meth:`canonical_keys` gives one key for all
    numberings. There are 1.67e14 rows of 11 nodes, which mean 8.24e9 different cells.

    The ``concat`` of a genotype must be the nodes of which ``average`` takes the mean. ENAS
    averages loose ends: its arcs are refused where ``average="all"`` would take the mean of
    others. An arc whose node 0 has another activation than tanh is no cell of this space.

    References
    ----------
    .. [1] R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, "Neural Architecture
       Optimization", 2018, https://arxiv.org/abs/1808.07233
    .. [2] H. Liu, K. Simonyan and Y. Yang, "DARTS: Differentiable Architecture Search",
       2019, https://arxiv.org/abs/1806.09055
    .. [3] H. Pham, M. Guan, B. Zoph, Q. Le and J. Dean, "Efficient Neural Architecture
       Search via Parameter Sharing", 2018, https://arxiv.org/abs/1802.03268

    Examples
    --------
    >>> from sk_petridish.motifs import PUBLISHED_CELLS, RecurrentCell
    >>> space = RecurrentCell()
    >>> row = space.encode([PUBLISHED_CELLS["NAO"]])[0]
    >>> row[:6]
    array([0., 1., 0., 1., 1., 1.])

    A genotype, as the log of a search shows it:

    >>> text = "Genotype(recurrent=[('relu', 0), ('tanh', 1)], concat=range(1, 3))"
    >>> small = RecurrentCell(n_nodes=2)
    >>> small.decode(small.encode([text]))
    [[('relu', 0), ('tanh', 1)]]

    The language model of the paper, 27 million parameters without its embedding, which is
    tied to the readout:

    >>> network = space.blueprint(row).build(850, 850, 10_000)
    >>> sum(weight.numel() for weight in network.parameters())
    27295000
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {
        "best": RECURRENT,
        "paper": RECURRENT_PAPER,
    }
    _bank: ClassVar[dict[str, dict[str, Any]]] = RECURRENT_BANK
    data_kind: DataKind = "sequences"

    _parameter_constraints: ClassVar[Constraints] = {
        "n_nodes": [integers(1)],
        "gated": ["boolean"],
        "activations": [SequenceOf(str, distinct=True)],
        "average": [StrOptions({"all", "loose_ends"})],
    }

    @validated
    def __init__(
        self,
        n_nodes: int = 11,
        gated: bool = True,
        activations: tuple[str, ...] = _TABLES["nao"],
        average: Literal["all", "loose_ends"] = "all",
    ) -> None:
        self.n_nodes = n_nodes
        self.gated = gated
        self.activations = activations
        self.average = average

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        return (
            f"A row of X is one motif: for each of the {self.n_nodes} nodes of a recurrent cell, "
            "the number of the node that it reads (0 to one less than its own) and the number of "
            f"its activation in {self.activations}."
        )

    def _check_space(self) -> None:
        operations = {one.name: one for one in registered_operations()}
        unknown = [
            name
            for name in self.activations
            if name not in operations or not _is_offered(operations[name])
        ]
        if unknown:
            known = [name for name, one in operations.items() if _is_offered(one)]
            raise ValueError(f"Unknown activations {unknown}; known are {known}.")

    def _columns(self) -> dict[str, int]:
        columns = {}
        for node in range(1, self.n_nodes + 1):
            columns[f"previous_{node}"] = node
            columns[f"activation_{node}"] = len(self.activations)
        return columns

    def _blueprint(self, row: Motifs) -> Blueprint:
        # Listed by what the cell is, whatever numbers its nodes had: positions name weights.
        pairs = _listed(_form(self._decode(row)))
        network = BlueprintBuilder()
        before = network.carry()

        def product(*sources: int) -> int:
            # [x | h] W as x W_x + h W_h, a product of its own for each source.
            products = [network.add("project", source, units="n_hidden") for source in sources]
            return network.add("sum", *products) if len(products) > 1 else products[0]

        def cell_node(activation: str, carry: int, *sources: int) -> int:
            # Of the weights W of the cell's node, [c | h] = q W: the gate's columns c come
            # first, those of the candidate h after them.
            gate = product(*sources) if self.gated else None
            candidate = product(*sources)
            output = network.add(activation, candidate, parameters=_PARAMETERS.get(activation, ()))
            return output if gate is None else network.add("highway", carry, gate, output)

        state = [cell_node("tanh", before, network.input, before)]
        for activation, previous in pairs:
            state.append(cell_node(activation, state[previous], state[previous]))
        mean = network.add("mean", *(state[node] for node in self._ends(pairs)))
        network.fill(before, mean)
        network.add("linear", mean, units="n_outputs")
        return network.build()

    def _graph(self, row: Motifs) -> MotifGraph:
        pairs = self._decode(row)
        # Cell node i is drawn as node i + 2, behind the input and the state before.
        labels = ["x", "h before", "0: tanh"]
        edges = [MotifEdge(0, 2), MotifEdge(1, 2)]
        for node, (activation, previous) in enumerate(pairs, start=1):
            labels.append(f"{node}: {activation}")
            edges.append(MotifEdge(previous + 2, node + 2))
        edges += [MotifEdge(node + 2, len(labels)) for node in self._ends(pairs)]
        return MotifGraph([*labels, "mean: h"], edges)

    def _ends(self, pairs: Pairs) -> list[int]:
        """Return the nodes of which the new state is the mean."""
        return _loose_ends(pairs) if self.average == "loose_ends" else _nodes(pairs)

    def _encode(self, motif: Any) -> list[int]:
        match read_cell(motif):
            case Genotype(recurrent=pairs, concat=concat):
                row = self._row(pairs)
                ends = self._ends(pairs)
                if concat is not None and sorted(concat) != ends:
                    raise ValueError(
                        f"The state is the mean of the nodes {concat}, its concat, but "
                        f"average={self.average!r} takes the mean of {ends}."
                    )
                return row
            case numbers:
                # ENAS numbers activations as NAO does.
                return self._row_of_arc(numbers, "nao", (2 * self.n_nodes + 1,))

    def _row_of_arc(
        self, numbers: Sequence[int], table: Table, lengths: Sequence[int]
    ) -> list[int]:
        if len(numbers) not in lengths:
            raise ValueError(
                f"A cell has {len(numbers)} numbers; with n_nodes={self.n_nodes} it has "
                f"{' or '.join(map(str, lengths))}: 2 a node, and one for the activation of "
                "node 0 in front, as ENAS has it."
            )
        pairs = read_arc(numbers, _TABLES[table])
        row = self._row(pairs)
        loose = _loose_ends(pairs)
        if len(numbers) % 2 and self._ends(pairs) != loose:
            raise ValueError(
                f"An arc of ENAS, {len(numbers)} numbers, takes the mean of the loose ends, here "
                f"{loose}, which average={self.average!r} does not: it is a cell of the space with "
                "average='loose_ends'."
            )
        return row

    def _row(self, pairs: Pairs) -> list[int]:
        numbers = {name: number for number, name in enumerate(self.activations)}
        unknown = {name for name, _ in pairs} - set(numbers)
        if unknown:
            raise ValueError(
                f"Unknown activations {sorted(unknown)}; the space has {self.activations}."
            )
        if len(pairs) != self.n_nodes:
            raise ValueError(
                f"A cell has {len(pairs)} nodes, the space n_nodes={self.n_nodes}.\n"
                f"{self.row_description}"
            )
        return [x for name, previous in pairs for x in (previous, numbers[name])]

    def _decode(self, row: Motifs) -> list[tuple[str, int]]:
        numbers = row.astype(int).tolist()
        return [
            (self.activations[number], previous)
            for previous, number in zip(numbers[::2], numbers[1::2], strict=True)
        ]

    @validate_params(table=[_TABLE])
    def to_tokens(self, X: ArrayLike, table: Table = "nao") -> NDArray[np.int64]:
        """Write cells as the tokens that NAO's encoder reads.

        Parameters
        ----------
        X : array-like of shape (n_motifs, 2 * n_nodes)
            Motifs.
        table : {"nao", "nao_ws"}, default="nao"
            Which of the two published tables numbers the activations.

        Returns
        -------
        ndarray of shape (n_motifs, 2 * n_nodes), int64
            In turn, the previous node plus 1, and the activation's number plus
            ``n_nodes + 1``.

        Raises
        ------
        ValueError
            If the table has no number for an activation.

        Examples
        --------
        >>> from sk_petridish.motifs import PUBLISHED_CELLS, RecurrentCell
        >>> space = RecurrentCell()
        >>> space.to_tokens(space.encode([PUBLISHED_CELLS["NAO"]]))[0, :8]
        array([ 1, 13,  1, 13,  2, 13,  4, 12])
        """
        tokens = self.validate(X).astype(np.int64)
        numbers = np.array([_number(name, table) for name in self.activations])
        tokens[:, 1::2] = numbers[tokens[:, 1::2]] + self.n_nodes + 1
        tokens[:, ::2] += 1
        return tokens

    @validate_params(tokens=[ArrayOfNumbers()], table=[_TABLE])
    def from_tokens(self, tokens: ArrayLike, table: Table = "nao") -> Motifs:
        """Read cells that were written as tokens.

        Parameters
        ----------
        tokens : array-like of shape (n_motifs, 2 * n_nodes), int
            As :meth:`to_tokens` writes them.
        table : {"nao", "nao_ws"}, default="nao"
            Which of the two published tables numbers the activations.

        Returns
        -------
        ndarray of shape (n_motifs, 2 * n_nodes)
            Motifs.

        Raises
        ------
        ValueError
            If a token is illegal at its position.
        """
        self._check_params()
        # NAO's token 0 begins a sequence; those of nodes and then of activations follow.
        rows = np.array(tokens, dtype=np.int64)
        if rows.ndim != 2 or (rows != np.asarray(tokens)).any():
            raise ValueError("tokens must be whole numbers, a row for each cell.")
        rows[:, ::2] -= 1
        rows[:, 1::2] -= self.n_nodes + 1

        def read(row: NDArray[np.int64]) -> list[int]:
            return self._row_of_arc(row.tolist(), table, (2 * self.n_nodes,))

        return self.validate(map_numbered("Cell", read, rows))

    @validate_params(cells=[SequenceOf(str, min_length=0)], table=[_TABLE])
    def from_string(self, cells: Sequence[str], table: Table = "nao") -> Motifs:
        """Read cells as published: previous node and activation, node by node.

        Parameters
        ----------
        cells : sequence of str
            Numbers with spaces between them, such as ``"0 1 0 1 1 1 3 0"``. In front of
            them may be the number of node 0's activation, as in arcs of ENAS.
        table : {"nao", "nao_ws"}, default="nao"
            Which of the two published tables numbers the activations.

        Returns
        -------
        ndarray of shape (n_motifs, 2 * n_nodes)
            Motifs.

        Raises
        ------
        ValueError
            If there are too few or too many numbers, one is illegal at its position, or
            the activation of node 0 is not tanh; or if a cell has the form of an arc of ENAS
            and ``average`` takes the mean of other nodes than the loose ends. The message
            says in which cell.
        """
        self._check_params()
        lengths = (2 * self.n_nodes, 2 * self.n_nodes + 1)

        def read(cell: str) -> list[int]:
            return self._row_of_arc([int(number) for number in cell.split()], table, lengths)

        return self.validate(map_numbered("Cell", read, cells))


def _is_offered(operation: Operation) -> bool:
    """Return whether nodes of a cell may have an operation as their activation."""
    n_given = len(_PARAMETERS.get(operation.name, ()))
    return (
        operation.arity == 1
        and not operation.owns_weights
        and not operation.needs_images
        and len(operation.parameters) == n_given
    )


def _nodes(pairs: Pairs) -> list[int]:
    """Return the numbers of all nodes but node 0."""
    return list(range(1, len(pairs) + 1))


def _loose_ends(pairs: Pairs) -> list[int]:
    """Return the nodes that no other node reads."""
    read = {previous for _, previous in pairs}
    return [node for node in _nodes(pairs) if node not in read]


def _number(name: str, table: str) -> int:
    if name not in _TABLES[table]:
        raise ValueError(f"The table {table!r} has no number for {name!r}: {_TABLES[table]}.")
    return _TABLES[table].index(name)


def _form(pairs: Pairs) -> tuple[_Form, ...]:
    """Return node 0's children, whatever their numbers are: the tree, sorted."""
    # Children have higher numbers than their parents: all of a node's are known before it.
    children: list[list[_Form]] = [[] for _ in range(len(pairs) + 1)]
    for node in range(len(pairs), 0, -1):
        activation, previous = pairs[node - 1]
        children[previous].append((activation, tuple(sorted(children[node]))))
    return tuple(sorted(children[0]))


def _listed(form: tuple[_Form, ...]) -> list[tuple[str, int]]:
    """List the nodes of a tree, children after their parents."""
    pairs: list[tuple[str, int]] = []
    pending = [(0, form)]
    while pending:
        previous, children = pending.pop(0)
        for activation, below in children:
            pairs.append((activation, previous))
            pending.append((len(pairs), below))
    return pairs
