"""Networks one behind another."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ._blueprint import Blueprint
from ._module_network import ModuleBlueprint, NetworkSpec
from ._node import INPUT, Node, Width


def chain(parts: Mapping[str, NetworkSpec]) -> NetworkSpec:
    """Return the network of which each part reads what the part before returns.

    What one part hands to the next is ``n_hidden`` wide. A linear readout of hidden units
    is left out of all parts but the last; any other output that is ``n_outputs`` wide
    becomes ``n_hidden`` wide.

    Parameters
    ----------
    parts : mapping of str to Blueprint or ModuleBlueprint
        The networks, from the input to the output, by their names.

    Returns
    -------
    Blueprint or ModuleBlueprint
        The whole network: a graph if all parts are graphs. If one is a module, it is a
        :class:`torch.nn.Sequential` of modules, in which every part keeps its readout.

    Raises
    ------
    ValueError
        If there are no parts.

    Notes
    -----
    The initial weights of a part are those of its name and of the part itself. They do
    not depend on the other parts, so that chains which have a part in common start from the
    same weights there. Chains of blueprints in canonical form are in canonical form.

    Examples
    --------
    >>> from sk_petridish.blueprints import chain
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> steep, flat = SigmoidSlope(n_slopes=2).blueprints([[2.0, 1.0], [0.1, 0.2]])
    >>> network = chain({"first": steep, "second": flat})
    >>> [node.parameters for node in network.nodes if node.operation == "sigmoid"]
    [(2.0,), (1.0,), (0.1,), (0.2,)]
    >>> [node.operation for node in network.nodes].count("linear")
    5
    """
    if not parts:
        raise ValueError("A chain needs at least one part.")
    graphs = {name: part for name, part in parts.items() if isinstance(part, Blueprint)}
    if len(graphs) == len(parts):
        return _chained(graphs)
    return ModuleBlueprint(_ModuleChain(tuple(parts.items())), ())


def _chained(parts: Mapping[str, Blueprint]) -> Blueprint:
    *_, final = parts
    nodes, read = [Node(INPUT)], 0  # what the next part reads
    for name, part in parts.items():
        # Its node i > 0 comes to stand at start + i, and its input, 0, is what it reads.
        start, source = len(nodes) - 1, read
        own, output = part.nodes, len(part.nodes) - 1
        if name != final:
            own, output = _body(part)
        for position, node in enumerate(own[1:], start=1):
            placed = tuple(start + one if one else source for one in node.inputs)
            nodes.append(replace(_named(node, position, name), inputs=placed))
        read = start + output
    return Blueprint(tuple(nodes))


def _body(part: Blueprint) -> tuple[tuple[Node, ...], int]:
    """Return the nodes of a part that another follows, and the position of its output."""
    nodes = part.nodes
    body, output, readout = nodes[:-1], len(nodes) - 1, nodes[-1]
    is_carried = any(output in node.inputs for node in body)
    reads_hidden = part.widths()[readout.inputs[0]] == Width("n_hidden")
    if readout.operation == "linear" and reads_hidden and not is_carried:
        return body, readout.inputs[0]
    hidden = (
        replace(node, units="n_hidden") if node.units == "n_outputs" else node for node in nodes
    )
    return tuple(hidden), output


def _named(node: Node, position: int, part: str) -> Node:
    """Name initial weights by the part and what identifies them there."""
    operation = node.registered
    if operation is None or not operation.owns_weights:
        return node
    # Quoted, so that "a" with "b 1" is not "a b" with "1".
    own = position if node.weights_name is None else node.weights_name
    return replace(node, weights_name=f"{part!r} {own}")


@dataclass(frozen=True)
class _ModuleChain:
    """The factory of a chain, by value: it can be compared and pickled if its parts can."""

    parts: tuple[tuple[str, NetworkSpec], ...]

    def __call__(self, row: Any, n_inputs: int, n_hidden: int, n_outputs: int) -> nn.Module:
        """Build every part between hidden units, but for the two ends of the chain."""
        seed = int(torch.randint(2**31, ()).item())
        ends = [n_inputs, *[n_hidden] * (len(self.parts) - 1), n_outputs]
        modules: OrderedDict[str, nn.Module] = OrderedDict()
        for (name, part), n_read, n_made in zip(self.parts, ends[:-1], ends[1:], strict=True):
            # A generator of its own, so that a part starts alike whatever stands before it.
            own = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
            modules[_module_name(name)] = part.build(n_read, n_hidden, n_made, generator=own)
        return nn.Sequential(modules)


def _module_name(part: str) -> str:
    """Return a name that torch takes: no dot, and none that modules have already."""
    return "part_" + part.replace("%", "%25").replace(".", "%2E")
