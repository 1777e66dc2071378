"""Width and resolution of every node, inferred from those of the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ._node import CARRIED, Node, Width
from ._operations import SampleShape

DataKind = Literal["vectors", "sequences", "images"]
"""What one sample is: features alone, or features at every time step or position."""

_KINDS: tuple[DataKind, ...] = ("vectors", "sequences", "images")


def data_kind(sample_shape: SampleShape) -> DataKind:
    """Return what samples of a shape are.

    Parameters
    ----------
    sample_shape : tuple of int
        Axes of a sample beside its features: ``()`` of vectors, ``(n_time_steps,)`` of
        sequences, ``(height, width)`` of images.

    Returns
    -------
    {"vectors", "sequences", "images"}
        The kind of data.

    Raises
    ------
    ValueError
        If there are more axes.

    Examples
    --------
    >>> from sk_petridish.blueprints import data_kind
    >>> data_kind((8, 8))
    'images'
    """
    if len(sample_shape) >= len(_KINDS):
        raise ValueError(
            "A sample is a vector (), a sequence (n_time_steps,) or an image (height, width) of "
            f"features, got the shape {tuple(sample_shape)}."
        )
    return _KINDS[len(sample_shape)]


def node_widths(nodes: Sequence[Node]) -> tuple[Width, ...]:
    """Return the width of every node.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes of a blueprint.

    Returns
    -------
    tuple of Width
        One a node.

    Raises
    ------
    ValueError
        If a node reads inputs of different widths, or is not as wide as it must be.
    """
    widths = [Width("n_inputs")]
    for position, node in enumerate(nodes[1:], start=1):
        widths.append(_width(position, node, widths))
    for position, node in enumerate(nodes):
        if node.operation == CARRIED and widths[node.inputs[0]] != widths[position]:
            raise ValueError(
                f"Node {position} (carried) has the width {widths[position]}, but node "
                f"{node.inputs[0]}, which it carries, has {widths[node.inputs[0]]}."
            )
    return tuple(widths)


def _width(position: int, node: Node, widths: Sequence[Width]) -> Width:
    """Return the width of a node from those of the nodes before it."""
    operation = node.registered
    if operation is None:  # carried: what it reads may stand behind it
        assert node.width is not None
        return node.width
    sources = {widths[source] for source in node.inputs}
    if len(sources) > 1:
        raise ValueError(
            f"Node {position} ({node.operation}) reads inputs of different widths: "
            f"{sorted(map(str, sources))}."
        )
    (read,) = sources
    width = node.width or read
    if operation.keeps_width and width != read:
        raise ValueError(
            f"Node {position} ({node.operation}) is {width} wide, but must be as wide "
            f"as what it reads: {read}."
        )
    return width


def node_shapes(nodes: Sequence[Node], sample_shape: SampleShape) -> tuple[SampleShape, ...]:
    """Return the axes beside the features, such as height and width, of every node.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes of a blueprint.
    sample_shape : tuple of int
        Axes of a sample beside its features.

    Returns
    -------
    tuple of tuple of int
        One a node. Of sequences all are ``(n_time_steps,)``.

    Raises
    ------
    ValueError
        If the graph has no meaning on such samples, or a node reads inputs of
        different shapes.
    """
    _check_kind(nodes, sample_shape)
    shapes = [tuple(sample_shape)]
    for position, node in enumerate(nodes[1:], start=1):
        operation = node.registered
        if operation is None:  # carried from one time step to the next
            shapes.append(tuple(sample_shape))
            continue
        sources = {shapes[source] for source in node.inputs}
        if len(sources) > 1:
            raise ValueError(
                f"Node {position} ({node.operation}) reads inputs of different shapes: "
                f"{sorted(sources)}."
            )
        (read,) = sources
        shapes.append(operation.output_shape(read, **operation.named(node.attributes)))
    return tuple(shapes)


def _check_kind(nodes: Sequence[Node], sample_shape: SampleShape) -> None:
    """Raise ValueError if an operation has no meaning on such samples."""
    kind = data_kind(sample_shape)
    operations = [node.registered for node in nodes[1:]]
    if kind != "images" and any(one is not None and one.needs_images for one in operations):
        raise ValueError(
            "A convolutional network needs images, (height, width), as samples, got "
            f"{kind} of the shape {tuple(sample_shape)}."
        )
    if kind != "sequences" and any(node.operation == CARRIED for node in nodes):
        raise ValueError(
            "A recurrent network needs sequences, (n_time_steps,), as samples, got "
            f"{kind} of the shape {tuple(sample_shape)}."
        )
