"""The registry of operations that a blueprint's nodes may name."""

from __future__ import annotations

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
        ``(..., n_samples, width)``; parameters are numbers or tensors of shape
        ``(..., 1, 1)``; weights are ``(..., *shape)`` in the order of
        ``weight_shapes``.
    arity : int or None
        The number of inputs; ``None`` is one or more.
    parameters : tuple of str
        Names of the numbers that a node of this operation carries, such as the
        slope of a sigmoid.
    weight_shapes : callable
        ``weight_shapes(n_in, n_out) -> {role: shape}``, the trainable weights. A
        node of an operation without any is as wide as its inputs.
    """

    name: str
    function: Callable[..., Tensor]
    arity: int | None = 1
    parameters: tuple[str, ...] = ()
    weight_shapes: WeightShapes = _no_weights

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


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ weight + bias


def _linear_shapes(n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    # The bias is a row, so that it broadcasts over samples behind any batch axes.
    return {"weight": (n_in, n_out), "bias": (1, n_out)}


def _sigmoid(x: Tensor, slope: Tensor | float) -> Tensor:
    # Section 4.1: 1 / (1 + exp(-c x)) with slope c.
    return torch.sigmoid(slope * x)


def _identity(x: Tensor) -> Tensor:
    return x


def _sum(*inputs: Tensor) -> Tensor:
    return torch.stack(inputs).sum(0)


def _mean(*inputs: Tensor) -> Tensor:
    return torch.stack(inputs).mean(0)


def _product(*inputs: Tensor) -> Tensor:
    return torch.stack(inputs).prod(0)


def _blend(gate: Tensor, opened: Tensor, closed: Tensor) -> Tensor:
    return closed + gate * (opened - closed)


def _highway(carry: Tensor, gate: Tensor, candidate: Tensor) -> Tensor:
    return _blend(torch.sigmoid(gate), candidate, carry)


register_operation(Operation("linear", _linear, weight_shapes=_linear_shapes))
register_operation(Operation("sigmoid", _sigmoid, parameters=("slope",)))
register_operation(Operation("tanh", torch.tanh))
register_operation(Operation("relu", F.relu))
register_operation(Operation("leaky_relu", F.leaky_relu))
register_operation(Operation("identity", _identity))
register_operation(Operation("sum", _sum, arity=None))
register_operation(Operation("mean", _mean, arity=None))
register_operation(Operation("product", _product, arity=None))
# gate * opened + (1 - gate) * closed: a gate that is computed elsewhere.
register_operation(Operation("blend", _blend, arity=3))
# A highway connection: a blend of the carry and a candidate by the sigmoid of the gate.
register_operation(Operation("highway", _highway, arity=3))
