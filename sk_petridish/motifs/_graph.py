"""Motifs as graphs to look at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sk_petridish.blueprints import CARRIED, Blueprint, get_operation


class MotifEdge(NamedTuple):
    """An arrow of a drawn motif.

    Parameters
    ----------
    source, target : int
        Nodes that it leads from and to.
    label : str
        What happens on it; empty where the nodes say it.
    carried : bool
        Whether it leads to the next time step.
    """

    source: int
    target: int
    label: str = ""
    carried: bool = False


class MotifGraph(NamedTuple):
    """The picture of a motif.

    Parameters
    ----------
    labels : list of str
        One a node; the first is the input.
    edges : list of MotifEdge
        Arrows between nodes.
    """

    labels: list[str]
    edges: list[MotifEdge]


def graph_of(blueprint: Blueprint) -> MotifGraph:
    """Draw every node of a blueprint.

    Parameters
    ----------
    blueprint : Blueprint
        Any graph.

    Returns
    -------
    MotifGraph
        Its operations, with their parameters.
    """
    labels = [
        " ".join([node.operation, *(f"{value:g}" for value in node.parameters)])
        for node in blueprint.nodes
    ]
    edges = [
        MotifEdge(source, target, carried=node.operation == CARRIED)
        for target, node in enumerate(blueprint.nodes)
        for source in node.inputs
    ]
    return MotifGraph(labels, edges)


def activation_of(blueprint: Blueprint, x: ArrayLike) -> NDArray[np.float64]:
    """Compute what stands between the first layer with weights and the next.

    Parameters
    ----------
    blueprint : Blueprint
        A multilayer perceptron.
    x : array-like
        Outputs of its first layer.

    Returns
    -------
    ndarray
        Inputs of its second layer, in the shape of ``x``.
    """
    values: dict[int, Tensor] = {}
    for position, node in enumerate(blueprint.nodes[1:], start=1):
        operation = get_operation(node.operation)
        if operation.owns_weights:
            # The second layer with weights reads what the activation gave.
            if values:
                return values[node.inputs[0]].numpy()
            values[position] = torch.as_tensor(np.asarray(x, dtype=np.float64))
        else:
            inputs = (values[source] for source in node.inputs)
            values[position] = operation.function(*inputs, *node.parameters)
    raise ValueError("The blueprint has no two layers with weights.")
