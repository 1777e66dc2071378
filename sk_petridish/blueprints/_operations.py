"""The registry of operations that a blueprint's nodes may name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SampleShape = tuple[int, ...]
"""Axes of a sample beside its features: none, time, or height and width."""


def _no_weights(n_in: int, n_out: int, **attributes: int) -> dict[str, tuple[int, ...]]:
    return {}


def _width_of_input(n_in: int, **attributes: int) -> int:
    return n_in


def _shape_of_input(shape: SampleShape, **attributes: int) -> SampleShape:
    return shape


class RunningStatistics(NamedTuple):
    """Statistics of batches, of which a module keeps running means to predict by.

    Parameters
    ----------
    initial : dict of str to float
        Names of the statistics, and what each is before any batch.
    measure : callable
        ``measure(x) -> tuple of Tensor of shape (width,)``, those of one batch, in
        the same order.
    """

    initial: dict[str, float]
    measure: Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Operation:
    """One kind of node: what it computes and which weights it owns.

    The same torch function serves the module at full width and the batched
    super-network, so it must work on any number of leading batch axes.

    Parameters
    ----------
    name : str
        The name by which nodes refer to the operation.
    function : callable
        ``function(*inputs, *parameters, *weights, **attributes) -> Tensor``. Inputs are
        ``(..., n_samples, width)``, or ``(..., n_samples, height, width, channels)`` of
        images; parameters are numbers, or tensors that have an axis of length one for
        each of these; weights are ``(..., *shape)`` in the order of ``weight_shapes``;
        attributes are Python integers, by name.
    arity : int or None
        The number of inputs; ``None`` is one or more.
    parameters : tuple of str
        Names of the numbers that a node of this operation carries, such as the
        slope of a sigmoid.
    weight_shapes : callable
        ``weight_shapes(n_in, n_out, **attributes) -> {role: shape}``, the trainable
        weights. A node of an operation without any is as wide as its inputs. The roles do
        not depend on the numbers.
    is_activation : bool
        Whether it is an activation: elementwise, and not linear.
    keeps_width : bool
        Whether an operation with weights must be as wide as its input.
    commutes : bool
        Whether the order of the inputs does not matter.
    attributes : tuple of str
        Names of the static integers that a node of this operation carries, such as a
        stride. All are positive.
    defaults : tuple of int
        Values of the last attributes where a node leaves them out.
    fan_in : callable
        ``fan_in(n_in, **attributes) -> int``, how many numbers one output is a weighted sum
        of, by which initial weights are scaled.
    output_shape : callable
        ``output_shape(shape, **attributes) -> shape``, how it changes height and width. An
        operation that does needs images.
    needs_images : bool
        Whether it has a meaning on images only.
    joins_products : bool
        Whether several nodes that read the same may be computed as one, with their
        weights side by side.
    running : RunningStatistics, default=None
        Statistics of the batch that ``function`` uses unless it gets them by name. A module
        gives it running ones in evaluation.
    """

    name: str
    function: Callable[..., Tensor]
    arity: int | None = 1
    parameters: tuple[str, ...] = ()
    weight_shapes: Callable[..., dict[str, tuple[int, ...]]] = _no_weights
    is_activation: bool = False
    keeps_width: bool = False
    commutes: bool = False
    attributes: tuple[str, ...] = ()
    defaults: tuple[int, ...] = ()
    fan_in: Callable[..., int] = _width_of_input
    output_shape: Callable[..., SampleShape] = _shape_of_input
    needs_images: bool = False
    joins_products: bool = False
    running: RunningStatistics | None = None

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Names of the weights, in the order in which the function takes them."""
        return tuple(self.weight_shapes(1, 1, **dict.fromkeys(self.attributes, 1)))

    @cached_property
    def owns_weights(self) -> bool:
        """Whether nodes of this operation have trainable weights."""
        return bool(self.roles)

    def completed(self, attributes: tuple[int, ...]) -> tuple[int, ...]:
        """Return a node's attributes with the defaults of those that it leaves out.

        Parameters
        ----------
        attributes : tuple of int
            The first attributes.

        Returns
        -------
        tuple of int
            All, unless one without a default is missing.
        """
        # The defaults belong to the last names.
        n_without = len(self.attributes) - len(self.defaults)
        return (*attributes, *self.defaults[max(len(attributes) - n_without, 0) :])

    def named(self, attributes: tuple[int, ...]) -> dict[str, int]:
        """Return a node's attributes by name, as the operation's functions take them.

        Parameters
        ----------
        attributes : tuple of int
            All attributes.

        Returns
        -------
        dict of str to int
            Keyword arguments.
        """
        return dict(zip(self.attributes, attributes, strict=True))


_REGISTRY: dict[str, Operation] = {}


def register_operation(operation: Operation) -> Operation:
    """Make an operation available to blueprints under its name.

    Parameters
    ----------
    operation : Operation
        The operation to register.

    Returns
    -------
    Operation
        The same operation.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if operation.name in _REGISTRY:
        raise ValueError(f"An operation named {operation.name!r} is already registered.")
    _REGISTRY[operation.name] = operation
    return operation


@contextmanager
def temporary_operations(*operations: Operation) -> Iterator[None]:
    """Register operations for the duration of a ``with`` block.

    What else is registered within the block is taken back as well.

    Parameters
    ----------
    *operations : Operation
        Operations to register.

    Yields
    ------
    None
        While they are registered.

    Raises
    ------
    ValueError
        If a name is taken.

    Examples
    --------
    >>> import torch
    >>> from sk_petridish.blueprints import Operation, get_operation, temporary_operations
    >>> with temporary_operations(Operation("sinc", torch.sinc)):
    ...     get_operation("sinc").name
    'sinc'
    """
    before = dict(_REGISTRY)
    try:
        for operation in operations:
            register_operation(operation)
        yield
    finally:
        _REGISTRY.clear()
        _REGISTRY.update(before)


def get_operation(name: str) -> Operation:
    """Look an operation up by name.

    Parameters
    ----------
    name : str
        A registered name.

    Returns
    -------
    Operation
        The operation.

    Raises
    ------
    ValueError
        If nothing of that name is registered; the message lists what is.

    Examples
    --------
    >>> from sk_petridish.blueprints import get_operation
    >>> get_operation("sigmoid").parameters
    ('slope',)
    """
    try:
        return _REGISTRY[name]
    except KeyError:
        known = ", ".join(sorted(_REGISTRY))
        raise ValueError(f"Unknown operation {name!r}; registered are: {known}.") from None


def registered_operations() -> tuple[Operation, ...]:
    """Return what blueprints may name.

    Returns
    -------
    tuple of Operation
        All that are registered now, in the order in which they were.

    Examples
    --------
    >>> from sk_petridish.blueprints import registered_operations
    >>> [one.name for one in registered_operations() if one.arity == 3]
    ['blend', 'highway']
    """
    return tuple(_REGISTRY.values())


def _times(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply the last axis by a matrix, whatever axes of positions lie before it."""
    batch = weight.ndim - 2
    if x.ndim <= batch + 2:
        return torch.matmul(x, weight)
    product: Tensor = torch.matmul(x.flatten(batch, -2), weight)
    return product.view(*product.shape[:batch], *x.shape[batch:-1], product.shape[-1])


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    # Through the axes of positions, if there are any.
    n_ones = max(x.ndim - bias.ndim + 1, 1)
    return _times(x, weight) + bias.view(*bias.shape[:-2], *(1,) * n_ones, bias.shape[-1])


def _linear_shapes(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    # The bias is a row, so that it broadcasts over samples behind any batch axes.
    return {"weight": (n_in, n_out), "bias": (1, n_out)}


def _project_shapes(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {"weight": (n_in, n_out)}


def _bias_shapes(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {"bias": (1, n_out)}


def _softplus(x: Tensor) -> Tensor:
    # Exact, as far as torch does not take it for x.
    return F.softplus(x, threshold=40.0)


def _sigmoid(x: Tensor, slope: Tensor | float) -> Tensor:
    # Section 4.1: 1 / (1 + exp(-c x)) with slope c.
    return torch.sigmoid(slope * x)


def _identity(x: Tensor) -> Tensor:
    return x


def _scale(x: Tensor, factor: Tensor | float) -> Tensor:
    return factor * x


def _shift(x: Tensor, offset: Tensor | float) -> Tensor:
    return x + offset


def _sum(*inputs: Tensor) -> Tensor:
    return sum(inputs[1:], inputs[0])


def _mean(*inputs: Tensor) -> Tensor:
    return torch.stack(inputs).mean(dim=0)


def _product(*inputs: Tensor) -> Tensor:
    return math.prod(inputs[1:], start=inputs[0])


def _blend(gate: Tensor, opened: Tensor, closed: Tensor) -> Tensor:
    return torch.lerp(closed, opened, gate)


def _highway(carry: Tensor, gate: Tensor, candidate: Tensor) -> Tensor:
    return _blend(torch.sigmoid(gate), candidate, carry)


def _padding(kernel_size: int, dilation: int) -> int:
    """Return the zeros beyond each edge that keep height and width, at stride 1."""
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
    return dilation * (kernel_size - 1) // 2


def _strided(shape: SampleShape, kernel_size: int, stride: int, dilation: int = 1) -> SampleShape:
    _padding(kernel_size, dilation)  # refuses even kernels
    # With p = d (k - 1) / 2 zeros, floor((n + 2 p - d (k - 1) - 1) / s) + 1 = ceil(n / s).
    return tuple(-(-n // stride) for n in shape)


def _channels_first(x: Tensor, batch: torch.Size) -> Tensor:
    """Bring images, (*batch, n_samples, height, width, n), to (n_samples, b * n, height, width).

    Motif-networks, the b products of the batch axes, lie side by side as channels: one call of
    torch convolves them as groups, or pools them.
    """
    n_samples, height, width, n = x.shape[len(batch) :]
    images = x.reshape(-1, n_samples, height, width, n)
    return images.permute(1, 0, 4, 2, 3).reshape(n_samples, -1, height, width)


def _channels_last(x: Tensor, batch: torch.Size, n: int) -> Tensor:
    """Undo :func:`_channels_first`, for n channels a motif-network."""
    n_samples, _, height, width = x.shape
    images = x.view(n_samples, -1, n, height, width).permute(1, 0, 3, 4, 2)
    return images.reshape(*batch, n_samples, height, width, n)


def _conv_shapes(
    n_in: int, n_out: int, kernel_size: int, stride: int, dilation: int
) -> dict[str, tuple[int, ...]]:
    return {"weight": (kernel_size**2 * n_in, n_out)}


def _conv_fan_in(n_in: int, kernel_size: int, stride: int, dilation: int) -> int:
    return kernel_size**2 * n_in


def _conv(x: Tensor, weight: Tensor, kernel_size: int, stride: int, dilation: int) -> Tensor:
    # y[o, i, j] = sum over u, v, c of weight[(u, v, c), o] x[c, s i + d u - p, s j + d v - p]
    batch, n_out = weight.shape[:-2], weight.shape[-1]
    kernels = weight.reshape(-1, kernel_size, kernel_size, x.shape[-1], n_out)
    convolved = F.conv2d(
        _channels_first(x, batch),
        kernels.permute(0, 4, 3, 1, 2).flatten(0, 1),
        stride=stride,
        padding=_padding(kernel_size, dilation),
        dilation=dilation,
        groups=len(kernels),
    )
    return _channels_last(convolved, batch, n_out)


def _depthwise_shapes(
    n_in: int, n_out: int, kernel_size: int, stride: int, dilation: int
) -> dict[str, tuple[int, ...]]:
    return {"weight": (kernel_size**2, n_out)}


def _depthwise_fan_in(n_in: int, kernel_size: int, stride: int, dilation: int) -> int:
    return kernel_size**2


def _depthwise_conv(
    x: Tensor, weight: Tensor, kernel_size: int, stride: int, dilation: int
) -> Tensor:
    # y[c, i, j] = sum over u, v of weight[(u, v), c] x[c, s i + d u - p, s j + d v - p]
    batch, n = weight.shape[:-2], weight.shape[-1]
    kernels = weight.reshape(-1, kernel_size, kernel_size, n).permute(0, 3, 1, 2)
    kernels = kernels.reshape(-1, 1, kernel_size, kernel_size)
    convolved = F.conv2d(
        _channels_first(x, batch),
        kernels,
        stride=stride,
        padding=_padding(kernel_size, dilation),
        dilation=dilation,
        groups=len(kernels),
    )
    return _channels_last(convolved, batch, n)


def _pool(function: Callable[..., Tensor], x: Tensor, kernel_size: int, stride: int) -> Tensor:
    batch, padding = x.shape[:-4], _padding(kernel_size, 1)
    pooled = function(_channels_first(x, batch), kernel_size, stride, padding)
    return _channels_last(pooled, batch, x.shape[-1])


# Of the positions that there are: zeros beyond the edge do not count.
_average_pool = partial(_pool, partial(F.avg_pool2d, count_include_pad=False))
_max_pool = partial(_pool, F.max_pool2d)


def _with_neighbours(x: Tensor, axis: int) -> Tensor:
    """Add an image and its neighbours along an axis, zero beyond the edge."""
    edge = torch.zeros_like(x.narrow(axis, 0, 1))
    size = x.shape[axis]
    padded = torch.cat([edge, x, edge], dim=axis)
    return _sum(*(padded.narrow(axis, start, size) for start in range(3)))


def _average_pool_3x3(x: Tensor) -> Tensor:
    # Of the positions that there are: the edge's zeros do not count.
    there = torch.ones_like(x[..., :1].flatten(0, -4)[0])
    total, count = (_with_neighbours(_with_neighbours(image, -3), -2) for image in (x, there))
    return total / count


# All axes but the channels'.
_OF_A_CHANNEL = (-4, -3, -2)


def _batch_norm(
    x: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None
) -> Tensor:
    # (x - E[x]) / sqrt(Var[x] + eps), per channel, and no affine parameters.
    if running_mean is None or running_var is None:
        variance, mean = torch.var_mean(x, _OF_A_CHANNEL, correction=0, keepdim=True)
    else:
        variance, mean = running_var, running_mean
    return (x - mean) * (variance + 1e-5).rsqrt()


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    # As torch: what normalises a batch is its own variance, over n; what is kept for other
    # samples estimates theirs, over n - 1.
    if x[..., 0].numel() < 2:
        raise ValueError(
            "Batch normalisation needs more than one value per channel to train on, got samples "
            f"of shape {tuple(x.shape)}. Use more samples, larger images, or eval()."
        )
    variance, mean = torch.var_mean(x, _OF_A_CHANNEL, correction=1)
    return mean, variance


def _zero(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


register_operation(Operation("linear", _linear, weight_shapes=_linear_shapes))
# Without a bias.
register_operation(Operation("project", _times, weight_shapes=_project_shapes, joins_products=True))
# The bias alone.
register_operation(Operation("bias", torch.add, weight_shapes=_bias_shapes, keeps_width=True))
register_operation(Operation("sigmoid", _sigmoid, parameters=("slope",), is_activation=True))
register_operation(Operation("tanh", torch.tanh, is_activation=True))
register_operation(Operation("relu", F.relu, is_activation=True))
register_operation(Operation("leaky_relu", F.leaky_relu, is_activation=True))
register_operation(Operation("elu", F.elu, is_activation=True))
register_operation(Operation("softplus", _softplus, is_activation=True))
register_operation(Operation("exp", torch.exp, is_activation=True))
register_operation(Operation("sqrt", torch.sqrt, is_activation=True))
register_operation(Operation("reciprocal", torch.reciprocal, is_activation=True))
register_operation(Operation("abs", torch.abs, is_activation=True))
register_operation(Operation("erf", torch.erf, is_activation=True))
register_operation(Operation("sin", torch.sin, is_activation=True))
register_operation(Operation("cos", torch.cos, is_activation=True))
register_operation(Operation("log", torch.log, is_activation=True))
register_operation(Operation("asinh", torch.asinh, is_activation=True))
register_operation(Operation("atan", torch.atan, is_activation=True))
register_operation(Operation("identity", _identity))
register_operation(Operation("zero", _zero))
register_operation(Operation("scale", _scale, parameters=("factor",)))
register_operation(Operation("shift", _shift, parameters=("offset",)))
register_operation(Operation("sum", _sum, arity=None, commutes=True))
register_operation(Operation("mean", _mean, arity=None, commutes=True))
register_operation(Operation("product", _product, arity=None, commutes=True))
register_operation(Operation("maximum", torch.maximum, arity=2, commutes=True))
register_operation(Operation("minimum", torch.minimum, arity=2, commutes=True))
# gate * opened + (1 - gate) * closed: a gate that is computed elsewhere.
register_operation(Operation("blend", _blend, arity=3))
# A highway connection: a blend of the carry and a candidate by the sigmoid of the gate.
register_operation(Operation("highway", _highway, arity=3))
_CONV_ATTRIBUTES = ("kernel_size", "stride", "dilation")
register_operation(
    Operation(
        "conv",
        _conv,
        weight_shapes=_conv_shapes,
        attributes=_CONV_ATTRIBUTES,
        defaults=(1, 1),
        fan_in=_conv_fan_in,
        output_shape=_strided,
        needs_images=True,
    )
)
register_operation(
    Operation(
        "depthwise_conv",
        _depthwise_conv,
        weight_shapes=_depthwise_shapes,
        keeps_width=True,
        attributes=_CONV_ATTRIBUTES,
        defaults=(1, 1),
        fan_in=_depthwise_fan_in,
        output_shape=_strided,
        needs_images=True,
    )
)
for _name, _function in (("average_pool", _average_pool), ("max_pool", _max_pool)):
    register_operation(
        Operation(
            _name,
            _function,
            attributes=("kernel_size", "stride"),
            defaults=(1,),
            output_shape=_strided,
            needs_images=True,
        )
    )
# The operations of NAS-Bench-201 have names of their own, which initial weights are drawn by.
register_operation(
    Operation(
        "conv_3x3",
        partial(_conv, kernel_size=3, stride=1, dilation=1),
        weight_shapes=partial(_conv_shapes, kernel_size=3, stride=1, dilation=1),
        fan_in=partial(_conv_fan_in, kernel_size=3, stride=1, dilation=1),
        needs_images=True,
    )
)
register_operation(Operation("average_pool_3x3", _average_pool_3x3, needs_images=True))
register_operation(
    Operation(
        "batch_norm",
        _batch_norm,
        needs_images=True,
        running=RunningStatistics({"running_mean": 0.0, "running_var": 1.0}, _moments),
    )
)
