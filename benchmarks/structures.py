"""What a blueprint's graph looks like, in numbers: features that run nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from sk_petridish.blueprints import Blueprint
from sk_petridish.motifs import MotifSpace

# No nodes of the graph itself, or without a meaning of their own.
_SILENT = {"input", "carried"}


def structural_features(space: MotifSpace, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count operations, depths and paths of motifs.

    Parameters
    ----------
    space : MotifSpace
        What rows mean.
    X : ndarray of shape (n_motifs, n_features)
        Motifs.

    Returns
    -------
    ndarray of shape (n_motifs, n_structural)
        For each motif the number of nodes, of states and of edges, the longest and the
        shortest path from input to output, the logarithm of the number of paths, how
        often each operation occurs, at all and on the longest and the shortest path, and
        how often one reads another.
    """
    blueprints = [space.blueprint(row) for row in X]
    names = sorted({node.operation for one in blueprints for node in one.nodes} - _SILENT)
    pairs = sorted({pair for blueprint in blueprints for pair in _pairs(blueprint)})
    return np.array([_features(blueprint, names, pairs) for blueprint in blueprints])


def _pairs(blueprint: Blueprint) -> list[tuple[str, str]]:
    """Return the operations at both ends of every edge."""
    nodes = blueprint.nodes
    return [(nodes[source].operation, node.operation) for node in nodes for source in node.inputs]


def _features(blueprint: Blueprint, names: list[str], pairs: list[tuple[str, str]]) -> list[float]:
    nodes = blueprint.nodes
    longest: list[tuple[str, ...]] = []
    shortest: list[tuple[str, ...]] = []
    n_paths: list[float] = []
    for node in nodes:
        if node.operation in _SILENT:
            longest.append(())
            shortest.append(())
            n_paths.append(1.0)
            continue
        longest.append((*max((longest[i] for i in node.inputs), key=len), node.operation))
        shortest.append((*min((shortest[i] for i in node.inputs), key=len), node.operation))
        n_paths.append(sum(n_paths[i] for i in node.inputs))
    general = [
        len(nodes),
        sum(node.operation == "carried" for node in nodes),
        sum(len(node.inputs) for node in nodes),
        len(longest[-1]),
        len(shortest[-1]),
        float(np.log(n_paths[-1])),
    ]
    counted = (
        [node.operation for node in nodes],
        longest[-1],
        shortest[-1],
    )
    operations = [float(Counter(part)[name]) for part in counted for name in names]
    edges = Counter(_pairs(blueprint))
    return general + operations + [float(edges[pair]) for pair in pairs]
