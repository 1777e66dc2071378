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
        shortest path from input to output, the logarithm of the number of paths, and how
        often each operation occurs, at all and on the longest and the shortest path.
    """
    blueprints = [space.blueprint(row) for row in X]
    names = sorted({node.operation for one in blueprints for node in one.nodes} - _SILENT)
    return np.array([_features(blueprint, names) for blueprint in blueprints])


def _features(blueprint: Blueprint, names: list[str]) -> list[float]:
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
    return general + [float(Counter(part)[name]) for part in counted for name in names]
