"""The description of a network that knows no width."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Literal, NamedTuple

from ._operations import get_operation

if TYPE_CHECKING:
    import torch

    from ._module import BlueprintModule

Units = Literal["n_inputs", "n_hidden", "n_outputs"]

INPUT = "input"
"""Operation of a node that reads the network's input."""
CARRIED = "carried"
"""Operation of a node that reads what a node of the time step before gave."""


class Widths(NamedTuple):
    """The three widths that turn a blueprint into a network.

    Parameters
    ----------
    n_inputs : int
        Features of one sample.
    n_hidden : int
        Units of every hidden layer.
    n_outputs : int
        Units of the readout.
    """

    n_inputs: int
    n_hidden: int
    n_outputs: int


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a blueprint.

    Parameters
    ----------
    operation : str
        A name of the operation registry; ``"input"`` for the network's input; or
        ``"carried"`` for what the node that it reads was at the time step before,
        zero at the first.
    inputs : tuple of int
        Positions of the nodes that it reads. Each comes before it, except that a
        carried node may read any node but the input.
    parameters : tuple of float
        The operation's numbers, such as a slope, in the registry's order.
    units : {"n_hidden", "n_outputs"} or None
        The width of a node that owns weights, or is carried; ``None`` for the
        others, which are as wide as what they read.
    weights_name : str, default=None
        Names the initial weights: nodes of the same name start from the same values in
        all motif-networks. ``None`` stands for the node's position.
    """

    operation: str
    inputs: tuple[int, ...] = ()
    parameters: tuple[float, ...] = ()
    units: Units | None = None
    weights_name: str | None = None


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
    >>> blueprint.units()
    ('n_inputs', 'n_hidden', 'n_hidden', 'n_outputs')

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

    def __post_init__(self) -> None:
        """Refuse what is not a graph."""
        if not self.nodes or self.nodes[0].operation != INPUT:
            raise ValueError("The first node of a blueprint must be its input.")
        for position, node in enumerate(self.nodes):
            if node.operation == CARRIED:
                _check_carried(position, node, len(self.nodes))
            else:
                _check_node(position, node)
        if self.units()[-1] != "n_outputs":
            raise ValueError("The last node of a blueprint must be n_outputs wide.")
        unused = set(range(len(self.nodes))) - self._used()
        if unused:
            raise ValueError(f"The output does not depend on nodes {sorted(unused)}.")

    @property
    def is_recurrent(self) -> bool:
        """Whether it is computed along a sequence: whether a node is carried."""
        return any(node.operation == CARRIED for node in self.nodes)

    @property
    def needs_images(self) -> bool:
        """Whether an operation has a meaning on images only."""
        inside = (node for node in self.nodes if node.operation not in (INPUT, CARRIED))
        return any(get_operation(node.operation).needs_images for node in inside)

    def weight_keys(self) -> tuple[int, ...]:
        """Give a number for the initial weights of every node.

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

    def units(self) -> tuple[Units, ...]:
        """Tell which of the three widths every node has.

        Returns
        -------
        tuple of {"n_inputs", "n_hidden", "n_outputs"}
            One entry a node.

        Raises
        ------
        ValueError
            If a node reads inputs of different widths.
        """
        units: list[Units] = ["n_inputs"]
        for position, node in enumerate(self.nodes[1:], start=1):
            sources = {units[source] for source in node.inputs if source < position}
            if node.operation != CARRIED and len(sources) > 1:
                raise ValueError(
                    f"Node {position} ({node.operation}) reads inputs of different "
                    f"widths: {sorted(sources)}."
                )
            units.append(node.units or min(sources))
            if (
                node.operation != CARRIED
                and get_operation(node.operation).keeps_width
                and sources != {units[-1]}
            ):
                raise ValueError(
                    f"Node {position} ({node.operation}) is {units[-1]} wide, but must be as wide "
                    f"as what it reads: {sorted(sources)}."
                )
        for position, node in enumerate(self.nodes):
            if node.operation == CARRIED and units[node.inputs[0]] != node.units:
                raise ValueError(
                    f"Node {position} (carried) has the width {node.units}, but node "
                    f"{node.inputs[0]}, which it carries, has {units[node.inputs[0]]}."
                )
        return tuple(units)

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
        # Here, since the module builder reads blueprints.
        from ._module import BlueprintModule

        widths = Widths(n_inputs, n_hidden, n_outputs)
        for name, width in widths._asdict().items():
            if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
                raise ValueError(f"{name} must be a positive integer, got {width!r}.")
        return BlueprintModule(self, widths, generator)


def _check_carried(position: int, node: Node, n_nodes: int) -> None:
    """Raise ValueError unless the node may carry what it reads."""
    if position == 0:
        raise ValueError("The first node of a blueprint must be its input.")
    if len(node.inputs) != 1 or not 0 < node.inputs[0] < n_nodes:
        raise ValueError(
            f"Node {position} (carried) reads {node.inputs}; it carries one node of the "
            "blueprint, and not the input."
        )
    if node.parameters or node.units not in ("n_hidden", "n_outputs"):
        raise ValueError(
            f"Node {position} (carried) has no parameters, and the units of the node that it "
            f"carries, got {node.parameters} and {node.units!r}."
        )


def _check_node(position: int, node: Node) -> None:
    """Raise ValueError unless the node is legal at its position."""
    where = f"Node {position} ({node.operation})"
    if node.operation == INPUT:
        if position != 0 or node != Node(INPUT):
            raise ValueError(f"{where}: only the first node is the input, and a bare one.")
        return
    operation = get_operation(node.operation)
    if not node.inputs or operation.arity not in (None, len(node.inputs)):
        wanted = "at least one input" if operation.arity is None else f"{operation.arity} input(s)"
        raise ValueError(f"{where} needs {wanted}, got {len(node.inputs)}.")
    if not all(0 <= source < position for source in node.inputs):
        raise ValueError(
            f"{where} reads {node.inputs}; a node reads only nodes before it, "
            "so that the graph has no cycle."
        )
    if len(node.parameters) != len(operation.parameters):
        raise ValueError(
            f"{where} takes the parameters {operation.parameters}, got {node.parameters}."
        )
    if not all(math.isfinite(value) for value in node.parameters):
        raise ValueError(f"{where} has a parameter that is not finite: {node.parameters}.")
    if operation.owns_weights != (node.units is not None):
        raise ValueError(f"{where}: a node has units exactly if its operation owns weights.")
    if node.units not in (None, "n_hidden", "n_outputs"):
        raise ValueError(f"{where}: units are 'n_hidden' or 'n_outputs', got {node.units!r}.")
