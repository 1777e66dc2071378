"""The registry of operations that a blueprint's nodes may name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WeightShapes = Callable[[int, int], dict[str, tuple[int, ...]]]


def _no_weights(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {}


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
        ``function(*inputs, *parameters, *weights) -> Tensor``. Inputs are
        ``(..., n_samples, width)``, or ``(..., n_samples, height, width, channels)`` of
        images; parameters are numbers, or tensors that have an axis of length one for
        each of these; weights are ``(..., *shape)`` in the order of ``weight_shapes``.
    arity : int or None
        The number of inputs; ``None`` is one or more.
    parameters : tuple of str
        Names of the numbers that a node of this operation carries, such as the
        slope of a sigmoid.
    weight_shapes : callable
        ``weight_shapes(n_in, n_out) -> {role: shape}``, the trainable weights. A
        node of an operation without any is as wide as its inputs.
    is_activation : bool
        Whether it is an activation: elementwise, and not linear.
    keeps_width : bool
        Whether an operation with weights must be as wide as its input.
    commutes : bool
        Whether the order of the inputs does not matter.
    patch : int
        Positions of an image that one output reads. The fan-in of its weights is as many
        times the width of its input.
    needs_images : bool
        Whether it has a meaning on images only.
    """

    name: str
    function: Callable[..., Tensor]
    arity: int | None = 1
    parameters: tuple[str, ...] = ()
    weight_shapes: WeightShapes = _no_weights
    is_activation: bool = False
    keeps_width: bool = False
    commutes: bool = False
    patch: int = 1
    needs_images: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the weights, in the order in which the function takes them."""
        return tuple(self.weight_shapes(1, 1))

    @property
    def owns_weights(self) -> bool:
        """Whether nodes of this operation have trainable weights."""
        return bool(self.roles)


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


def _with_neighbours(x: Tensor, axis: int) -> Tensor:
    """Add an image and its neighbours along an axis, zero beyond the edge."""
    edge = torch.zeros_like(x.narrow(axis, 0, 1))
    size = x.shape[axis]
    padded = torch.cat([edge, x, edge], dim=axis)
    return _sum(*(padded.narrow(axis, start, size) for start in range(3)))


def _conv_3x3_shapes(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {"weight": (9 * n_in, n_out)}


def _conv_3x3(x: Tensor, weight: Tensor) -> Tensor:
    # Motif-networks are groups of one convolution, whose channels torch wants first.
    batch, n_out = weight.shape[:-2], weight.shape[-1]
    n_samples, height, width, n_in = x.shape[len(batch) :]
    images = x.flatten(0, len(batch) - 1) if batch else x[None]
    n_groups = len(images)
    images = images.permute(1, 0, 4, 2, 3).reshape(n_samples, n_groups * n_in, height, width)
    kernels = weight.reshape(n_groups, 3, 3, n_in, n_out).permute(0, 4, 3, 1, 2)
    convolved = F.conv2d(images, kernels.flatten(0, 1), padding=1, groups=n_groups)
    convolved = convolved.view(n_samples, n_groups, n_out, height, width)
    return convolved.permute(1, 0, 3, 4, 2).reshape(*batch, n_samples, height, width, n_out)


def _average_pool_3x3(x: Tensor) -> Tensor:
    # Of the positions that there are: the edge's zeros do not count.
    there = torch.ones_like(x[..., :1].flatten(0, -4)[0])
    total, count = (_with_neighbours(_with_neighbours(image, -3), -2) for image in (x, there))
    return total / count


def _batch_norm(x: Tensor) -> Tensor:
    # Statistics of the batch, per channel, and no affine parameters.
    axes = (-4, -3, -2)
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) * (variance + 1e-5).rsqrt()


def _zero(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


register_operation(Operation("linear", _linear, weight_shapes=_linear_shapes))
# Without a bias.
register_operation(Operation("project", _times, weight_shapes=_project_shapes))
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
register_operation(
    Operation("conv_3x3", _conv_3x3, weight_shapes=_conv_3x3_shapes, patch=9, needs_images=True)
)
register_operation(Operation("average_pool_3x3", _average_pool_3x3, needs_images=True))
register_operation(Operation("batch_norm", _batch_norm, needs_images=True))
