"""The description of a network that knows no width."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from numbers import Integral

import torch

from ._module import BlueprintModule
from ._node import CARRIED, INPUT, Node, Width, Widths, check_node
from ._operations import SampleShape
from ._shapes import node_shapes, node_widths


@dataclass(frozen=True, slots=True)
class Blueprint:
    """An immutable directed acyclic graph of operations, independent of width.

    A graph with carried nodes is computed once for every time step of a sequence;
    within a step it has no cycle either.

    Nodes stand in the order in which they are computed; node 0 is the input and
    the last node is the output. A node's position also identifies its initial
    weights, unless it names them: two blueprints that own weights at the same position
    start from the same values there, so a motif space emits its nodes in a canonical
    order.

    Parameters
    ----------
    nodes : tuple of Node
        The graph.

    Raises
    ------
    ValueError
        If the graph is not one: no input first, a node that is not carried and
        reads a later node, a wrong number of inputs or parameters, a parameter that is not finite,
        inputs of different widths, an output that is not ``n_outputs`` wide, or a
        node that the output does not depend on.

    Examples
    --------
    A linear readout of one sigmoid layer with slope 0.5:

    >>> from sk_petridish.blueprints import Blueprint, Node
    >>> blueprint = Blueprint((
    ...     Node("input"),
    ...     Node("linear", (0,), units="n_hidden"),
    ...     Node("sigmoid", (1,), (0.5,)),
    ...     Node("linear", (2,), units="n_outputs"),
    ... ))
    >>> [str(width) for width in blueprint.widths()]
    ['n_inputs', 'n_hidden', 'n_hidden', 'n_outputs']

    A recurrent network, whose hidden layer reads what it was a time step before:

    >>> recurrent = Blueprint((
    ...     Node("input"),
    ...     Node("carried", (5,), units="n_hidden"),
    ...     Node("linear", (0,), units="n_hidden"),
    ...     Node("linear", (1,), units="n_hidden"),
    ...     Node("sum", (2, 3)),
    ...     Node("tanh", (4,)),
    ...     Node("linear", (5,), units="n_outputs"),
    ... ))
    >>> recurrent.is_recurrent
    True
    """

    nodes: tuple[Node, ...]
    # Kept once it is known, since searches look blueprints up in sets of thousands.
    _hash: int | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is not a graph."""
        if not self.nodes or self.nodes[0].operation != INPUT:
            raise ValueError("The first node of a blueprint must be its input.")
        # Equal networks are equal blueprints, whether defaults are written or not.
        object.__setattr__(self, "nodes", tuple(map(_completed, self.nodes)))
        for position, node in enumerate(self.nodes):
            check_node(position, node, len(self.nodes))
        if self.widths()[-1] != Width("n_outputs"):
            raise ValueError("The last node of a blueprint must be n_outputs wide.")
        unused = set(range(len(self.nodes))) - self._used()
        if unused:
            raise ValueError(f"The output does not depend on nodes {sorted(unused)}.")

    def __hash__(self) -> int:
        """Return the hash of the nodes."""
        if self._hash is None:
            object.__setattr__(self, "_hash", hash(self.nodes))
        assert self._hash is not None
        return self._hash

    def __reduce__(self) -> tuple[type[Blueprint], tuple[tuple[Node, ...]]]:
        """Leave the hash out of pickles: strings have another one in every process."""
        return Blueprint, (self.nodes,)

    @property
    def is_recurrent(self) -> bool:
        """Whether it is computed along a sequence: whether a node is carried."""
        return any(node.operation == CARRIED for node in self.nodes)

    @property
    def needs_images(self) -> bool:
        """Whether an operation has a meaning on images only."""
        operations = [node.registered for node in self.nodes]
        return any(one is not None and one.needs_images for one in operations)

    def weight_keys(self) -> tuple[int, ...]:
        """Return a number for the initial weights of every node.

        Returns
        -------
        tuple of int
            The position of a node that does not name them, else a number made of the
            name.
        """
        return tuple(
            position if node.weights_name is None else zlib.crc32(node.weights_name.encode())
            for position, node in enumerate(self.nodes)
        )

    def _used(self) -> set[int]:
        """Find the nodes that the output depends on, at any time step."""
        used, pending = set(), [len(self.nodes) - 1]
        while pending:
            position = pending.pop()
            if position not in used:
                used.add(position)
                pending.extend(self.nodes[position].inputs)
        return used

    def widths(self) -> tuple[Width, ...]:
        """Return the width of every node.

        Returns
        -------
        tuple of Width
            One a node.

        Raises
        ------
        ValueError
            If a node reads inputs of different widths.
        """
        return node_widths(self.nodes)

    def shapes(self, sample_shape: SampleShape) -> tuple[SampleShape, ...]:
        """Return the axes beside the features, such as height and width, of every node.

        Parameters
        ----------
        sample_shape : tuple of int
            Those of a sample: ``()``, ``(n_time_steps,)`` or ``(height, width)``.

        Returns
        -------
        tuple of tuple of int
            One a node; the last is that of the output.

        Raises
        ------
        ValueError
            If the graph has no meaning on such samples, or a node reads inputs of
            different shapes.

        Examples
        --------
        A reduction that halves height and width and doubles the channels:

        >>> from sk_petridish.blueprints import Blueprint, Node
        >>> blueprint = Blueprint((
        ...     Node("input"),
        ...     Node("conv", (0,), attributes=(3, 2), units="n_hidden", factor=2),
        ...     Node("linear", (1,), units="n_outputs"),
        ... ))
        >>> blueprint.shapes((7, 8))
        ((7, 8), (4, 4), (4, 4))
        """
        return node_shapes(self.nodes, sample_shape)

    def build(
        self,
        n_inputs: int,
        n_hidden: int,
        n_outputs: int,
        *,
        generator: torch.Generator | None = None,
    ) -> BlueprintModule:
        """Build the network at any width.

        Parameters
        ----------
        n_inputs, n_hidden, n_outputs : int
            Its widths, each at least 1.
        generator : torch.Generator, default=None
            Where initial weights come from. ``None`` is torch's global generator.

        Returns
        -------
        BlueprintModule
            A trainable torch module.

        Raises
        ------
        ValueError
            If a width is not a positive integer.

        Examples
        --------
        The motif-network of section 4.1 (10 -> 1 -> 1 -> 10) and the network that
        it stands for. The paper counts 22 parameters in the motif-network; with
        the biases of its three layers there are 33.

        >>> from sk_petridish.motifs import SigmoidSlope
        >>> blueprint = SigmoidSlope().blueprint([0.23])
        >>> sum(weight.numel() for weight in blueprint.build(10, 1, 10).parameters())
        33
        >>> sum(weight.numel() for weight in blueprint.build(784, 100, 10).parameters())
        89610
        """
        widths = Widths(n_inputs, n_hidden, n_outputs)
        for name, width in widths._asdict().items():
            if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
                raise ValueError(f"{name} must be a positive integer, got {width!r}.")
        return BlueprintModule(self, widths, generator)


def _completed(node: Node) -> Node:
    """Return the node with the attributes that it leaves to the operation's defaults."""
    if (operation := node.registered) is None:
        return node
    attributes = operation.completed(node.attributes)
    return node if attributes == node.attributes else replace(node, attributes=attributes)
