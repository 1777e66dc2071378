"""Nodes of a blueprint, and their widths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, NamedTuple

from ._operations import Operation, get_operation

WidthName = Literal["n_inputs", "n_hidden", "n_outputs"]

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
        Units of every hidden layer, or of the narrowest ones.
    n_outputs : int
        Units of the readout.
    """

    n_inputs: int
    n_hidden: int
    n_outputs: int


class Width(NamedTuple):
    """The width of a node: a multiple of one of the three widths.

    Parameters
    ----------
    name : {"n_inputs", "n_hidden", "n_outputs"}
        Which of the three.
    factor : int, default=1
        How many times as wide, such as 2 behind a reduction that doubles the channels.

    Examples
    --------
    >>> from sk_petridish.blueprints import Width, Widths
    >>> Width("n_hidden", 2).units(Widths(3, 16, 10))
    32
    """

    name: WidthName
    factor: int = 1

    def __str__(self) -> str:
        """Return the name, behind the factor where there is one."""
        return self.name if self.factor == 1 else f"{self.factor} * {self.name}"

    def units(self, widths: Widths) -> int:
        """Return the number of units.

        Parameters
        ----------
        widths : Widths
            The three widths of a network.

        Returns
        -------
        int
            Units, or channels.
        """
        named: int = getattr(widths, self.name)
        return self.factor * named


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
    attributes : tuple of int, default=()
        The operation's static integers, such as a stride, in the registry's order. The last
        ones may be left out where the operation has defaults; a blueprint fills them in.
    factor : int, default=1
        How many times ``"n_hidden"`` it is wide.
    """

    operation: str
    inputs: tuple[int, ...] = ()
    parameters: tuple[float, ...] = ()
    units: WidthName | None = None
    weights_name: str | None = None
    attributes: tuple[int, ...] = ()
    factor: int = 1

    @property
    def width(self) -> Width | None:
        """The width that the node sets, if it does."""
        return None if self.units is None else Width(self.units, self.factor)

    @property
    def registered(self) -> Operation | None:
        """The registry's operation; ``None`` for the input and for what is carried."""
        return None if self.operation in (INPUT, CARRIED) else get_operation(self.operation)


def check_node(position: int, node: Node, n_nodes: int) -> None:
    """Refuse a node that is not legal at its position.

    Parameters
    ----------
    position : int
        Its position.
    node : Node
        The node.
    n_nodes : int
        Nodes of the blueprint.

    Raises
    ------
    ValueError
        If it is not legal there.
    """
    operation = node.registered
    if operation is not None:
        _check_operation(position, node, operation)
    elif node.operation == CARRIED:
        _check_carried(position, node, n_nodes)
    elif position != 0 or node != Node(INPUT):
        raise ValueError(
            f"{_where(position, node)}: only the first node is the input, and a bare one."
        )


def _where(position: int, node: Node) -> str:
    return f"Node {position} ({node.operation})"


def _check_carried(position: int, node: Node, n_nodes: int) -> None:
    if len(node.inputs) != 1 or not 0 < node.inputs[0] < n_nodes:
        raise ValueError(
            f"{_where(position, node)} reads {node.inputs}; it carries one node of the "
            "blueprint, and not the input."
        )
    if node.parameters or node.attributes or node.units not in ("n_hidden", "n_outputs"):
        raise ValueError(
            f"{_where(position, node)} has no parameters, and the units of the node that it "
            f"carries, got {node.parameters or node.attributes} and {node.units!r}."
        )
    _check_factor(position, node)


def _check_operation(position: int, node: Node, operation: Operation) -> None:
    where = _where(position, node)
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
    if len(node.attributes) != len(operation.attributes):
        raise ValueError(
            f"{where} takes the attributes {operation.attributes}, got {node.attributes}."
        )
    if not all(_is_positive_integer(value) for value in node.attributes):
        raise ValueError(f"{where} has attributes that are no positive integers: {node.attributes}")
    if operation.owns_weights != (node.units is not None):
        raise ValueError(f"{where}: a node has units exactly if its operation owns weights.")
    if node.units not in (None, "n_hidden", "n_outputs"):
        raise ValueError(f"{where}: units are 'n_hidden' or 'n_outputs', got {node.units!r}.")
    _check_factor(position, node)


def _check_factor(position: int, node: Node) -> None:
    if not _is_positive_integer(node.factor):
        raise ValueError(
            f"{_where(position, node)} has a factor that is no positive integer: {node.factor!r}."
        )
    if node.factor != 1 and node.units != "n_hidden":
        raise ValueError(
            f"{_where(position, node)}: only n_hidden has a factor, got {node.factor} * "
            f"{node.units}."
        )


def _is_positive_integer(value: object) -> bool:
    if type(value) is int:  # nearly always: an abstract class takes ten times as long
        return value >= 1
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
