"""Motifs themselves: graphs of cells and curves of activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish._compat._constraints import ArrayOfNumbers, SequenceOf, reals
from sk_petridish._compat._validation import validate_params
from sk_petridish.motifs import MotifGraph, MotifSpace

from ._axes import AXES, get_axes

_BOX = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "tab:blue"}


class MotifDisplay:
    """A motif to look at: the graph of a cell, or the curve of an activation function.

    Make one with :meth:`from_motif`.

    Parameters
    ----------
    graph : MotifGraph, default=None
        The nodes and arrows to draw.
    curve : tuple of two ndarray of shape (n_points,), default=None
        Arguments and values to draw in place of a graph.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    ParameterDisplay : Predictions along a motif with one parameter.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic Petri
       Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020, Figure 5.

    Examples
    --------
    >>> from sk_petridish.inspection import MotifDisplay
    >>> from sk_petridish.motifs import PUBLISHED_CELLS, RecurrentCell
    >>> space = RecurrentCell()
    >>> row = space.encode([PUBLISHED_CELLS["NAO"]])[0]
    >>> [box.get_text() for box in MotifDisplay.from_motif(space, row).ax_.texts[-3:]]
    ['10: relu', '11: identity', 'mean: h']
    """

    def __init__(
        self,
        *,
        graph: MotifGraph | None = None,
        curve: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> None:
        self.graph = graph
        self.curve = curve

    @classmethod
    @validate_params(
        motif_space=[MotifSpace],
        row=[ArrayOfNumbers()],
        x_range=[SequenceOf(reals(), length=2)],
        ax=AXES,
    )
    def from_motif(
        cls,
        motif_space: MotifSpace,
        row: ArrayLike,
        *,
        x_range: tuple[float, float] = (-4.0, 4.0),
        ax: Any = None,
    ) -> MotifDisplay:
        """Draw a motif.

        Parameters
        ----------
        motif_space : MotifSpace
            What the row means.
        row : array-like of shape (n_features,)
            The motif.
        x_range : tuple of two floats, default=(-4.0, 4.0)
            From where to where an activation function is drawn.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.

        Returns
        -------
        MotifDisplay
            The display.

        Raises
        ------
        ValueError
            If the row is no motif, or its network is a module.
        """
        activation = getattr(motif_space, "activation", None)
        if activation is None:
            return cls(graph=motif_space.graph(row)).plot(ax=ax)
        x = np.linspace(*x_range, 201)
        return cls(curve=(x, activation(row, x))).plot(ax=ax)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> MotifDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`, of a curve.

        Returns
        -------
        MotifDisplay
            The display.
        """
        ax = get_axes(type(self), ax)
        if self.curve is not None:
            ax.plot(*self.curve, **kwargs)
            ax.axhline(0.0, color="grey", linewidth=0.5)
            ax.axvline(0.0, color="grey", linewidth=0.5)
            ax.set(xlabel="x", ylabel="activation")
        if self.graph is not None:
            self._draw_graph(self.graph, ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_graph(self, graph: MotifGraph, ax: Any) -> None:
        places = _layout(graph)
        columns, layers = np.array(places).T
        ax.set(xlim=(columns.min() - 0.7, columns.max() + 0.7))
        ax.set(ylim=(layers.max() + 0.5, layers.min() - 0.5))
        ax.set_axis_off()
        # More where there is something to write onto arrows.
        curvature = 0.6 if any(edge.label for edge in graph.edges) else 0.2
        side = 1
        for edge in graph.edges:
            start, end = places[edge.source], places[edge.target]
            # Bent where an arrow would run through the layers in between.
            span = end[1] - start[1]
            bend = 0.0 if span == 1 else side * curvature * min(max(span, 2), 3) / 2
            side = side if span == 1 else -side
            style = {
                "arrowstyle": "-|>",
                "color": "0.4",
                "linestyle": "--" if edge.carried else "-",
                "connectionstyle": f"arc3,rad={bend}",
                "shrinkA": 12,
                "shrinkB": 12,
            }
            ax.annotate("", xy=end, xytext=start, arrowprops=style)
            if edge.label:
                self._label(edge.label, start, end, bend, ax)
        for label, (x, y) in zip(graph.labels, places, strict=True):
            ax.text(x, y, label, ha="center", va="center", bbox=_BOX)

    @staticmethod
    def _label(
        text: str, start: tuple[float, float], end: tuple[float, float], bend: float, ax: Any
    ) -> None:
        """Write onto the middle of an arrow, which is bent on the screen and not in data."""
        (x0, y0), (x1, y1) = ax.transData.transform([start, end])
        middle = ((x0 + x1 + bend * (y1 - y0)) / 2, (y0 + y1 - bend * (x1 - x0)) / 2)
        style = {"fontsize": "small", "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}
        x, y = ax.transData.inverted().transform(middle)
        ax.text(x, y, text, ha="center", va="center", **style)


def _layout(graph: MotifGraph) -> list[tuple[float, float]]:
    """Place nodes in layers below what they read, side by side under what they read."""
    n_nodes = len(graph.labels)
    above: list[list[int]] = [[] for _ in range(n_nodes)]
    for edge in graph.edges:
        if not edge.carried:
            above[edge.target].append(edge.source)
    layers = [0] * n_nodes
    for _ in range(n_nodes):  # until nothing moves, whatever the order of nodes
        for node, sources in enumerate(above):
            layers[node] = max((layers[source] + 1 for source in sources), default=0)
    places = [(0.0, 0.0)] * n_nodes
    for layer in range(max(layers) + 1):
        nodes = [node for node in range(n_nodes) if layers[node] == layer]
        wish = {
            node: float(np.mean([places[source][0] for source in above[node]] or [node]))
            for node in nodes
        }
        nodes.sort(key=lambda node: wish[node])
        centre = np.mean([wish[node] for node in nodes]) if layer else 0.0
        for number, node in enumerate(nodes):
            places[node] = (float(centre + number - (len(nodes) - 1) / 2), float(layer))
    return places
