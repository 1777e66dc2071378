"""Blueprints, node by node."""

from __future__ import annotations

from dataclasses import replace

from ._blueprint import Blueprint
from ._node import CARRIED, INPUT, Node, WidthName


class BlueprintBuilder:
    """A blueprint in the making, whose nodes are added one after another.

    Every method that adds a node returns its position, which later nodes read.

    Attributes
    ----------
    input : int
        Position of the network's input.

    See Also
    --------
    Blueprint : What is built.

    Examples
    --------
    A recurrent layer, which reads the input and what it was a time step before:

    >>> from sk_petridish.blueprints import BlueprintBuilder
    >>> network = BlueprintBuilder()
    >>> before = network.carry()
    >>> products = [network.add("project", x, units="n_hidden") for x in (network.input, before)]
    >>> state = network.add("tanh", network.add("sum", *products))
    >>> network.fill(before, state)
    >>> readout = network.add("linear", state, units="n_outputs")
    >>> [node.operation for node in network.build().nodes]
    ['input', 'carried', 'project', 'project', 'sum', 'tanh', 'linear']
    """

    input: int = 0

    def __init__(self) -> None:
        self._nodes = [Node(INPUT)]
        self._open: set[int] = set()  # carried nodes that carry nothing yet

    def add(
        self,
        operation: str,
        *inputs: int,
        parameters: tuple[float, ...] = (),
        units: WidthName | None = None,
        factor: int = 1,
        attributes: tuple[int, ...] = (),
        weights_name: str | None = None,
    ) -> int:
        """Add an operation.

        Parameters
        ----------
        operation : str
            Name of an operation.
        *inputs : int
            Positions of the nodes that it reads.
        parameters : tuple of float, default=()
            The operation's numbers.
        units : {"n_hidden", "n_outputs"}, default=None
            Width of an operation that owns weights.
        factor : int, default=1
            How many times ``"n_hidden"`` it is wide.
        attributes : tuple of int, default=()
            The operation's static integers, such as a stride; the last ones may be left
            out where it has defaults.
        weights_name : str, default=None
            Name of its initial weights; ``None`` stands for the position.

        Returns
        -------
        int
            Its position.
        """
        return self.add_node(
            Node(
                operation,
                inputs,
                parameters=parameters,
                units=units,
                weights_name=weights_name,
                attributes=attributes,
                factor=factor,
            )
        )

    def add_node(self, node: Node) -> int:
        """Add a node as it is, such as one of another blueprint.

        Parameters
        ----------
        node : Node
            A node whose inputs are positions in this blueprint.

        Returns
        -------
        int
            Its position.
        """
        self._nodes.append(node)
        return len(self._nodes) - 1

    def carry(self, units: WidthName = "n_hidden", factor: int = 1) -> int:
        """Add a node that carries another one from the time step before.

        Parameters
        ----------
        units : {"n_hidden", "n_outputs"}, default="n_hidden"
            Width of the node that is carried.
        factor : int, default=1
            How many times ``"n_hidden"`` that is wide.

        Returns
        -------
        int
            Its position, for :meth:`fill`.
        """
        position = self.add(CARRIED, units=units, factor=factor)
        self._open.add(position)
        return position

    def fill(self, carried: int, source: int) -> None:
        """Connect a carried node to the one that it carries, which may come after it.

        Parameters
        ----------
        carried : int
            What :meth:`carry` returned.
        source : int
            Position of the node whose value is carried to the next time step.

        Raises
        ------
        ValueError
            If that node carries something already, or does not carry.
        """
        if carried not in self._open:
            raise ValueError(f"Node {carried} is no carried node that waits for its source.")
        self._open.remove(carried)
        # Nodes are frozen, and positions stay: the node is exchanged in its place.
        self._nodes[carried] = replace(self._nodes[carried], inputs=(source,))

    def build(self) -> Blueprint:
        """Return the blueprint of the nodes so far, of which the last is the output.

        Returns
        -------
        Blueprint
            The graph.

        Raises
        ------
        ValueError
            If nodes that carry were not filled, or the nodes are no graph.
        """
        if self._open:
            raise ValueError(f"Nodes {sorted(self._open)} carry nothing: fill() them first.")
        return Blueprint(tuple(self._nodes))
