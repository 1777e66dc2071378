"""How large motif-networks are in a dish, beside the numbers that the dish consists of."""

from __future__ import annotations

import math
from typing import NamedTuple

from sk_petridish.blueprints import Blueprint, NetworkSpec

from ._dish import SAMPLES, Dish, DishSettings

# Of a motif-network; the largest that is recommended has some two hundred.
_MAX_NODES = 1000


class TrainingSize(NamedTuple):
    """Size of one motif-network's training.

    Parameters
    ----------
    calls : int
        Nodes that are computed, one after the other, at all time steps of all inner steps.
    weights : int
        Its weights.
    values : int
        What its nodes compute of all samples.
    operations : int
        Multiplications of all inner steps, at most.
    """

    calls: int
    weights: int
    values: int
    operations: int


# For each number of a dish. Recommended dishes have up to 5 calls, a weight, 30 values on the
# way and 200,000 operations.
_LIMITS = TrainingSize(calls=10**2, weights=10**4, values=10**4, operations=10**8)


def training_size(blueprint: NetworkSpec, settings: DishSettings) -> TrainingSize:
    """Return how large a motif-network's training is, without building it.

    Parameters
    ----------
    blueprint : Blueprint or ModuleBlueprint
        The motif. Of a module only the widths are known; it counts as three layers.
    settings : DishSettings
        Those of the dish.

    Returns
    -------
    TrainingSize
        Its size.
    """
    widths, steps = settings.widths, settings.inner.steps
    if isinstance(blueprint, Blueprint):
        units = [width.units(widths) for width in blueprint.widths()]
        weights = _count_weights(blueprint, units)
    else:
        units = list(widths)
        weights = widths.n_hidden * sum(widths)
    samples = settings.n_synthetic * math.prod(settings.sample_shape)
    values = samples * sum(units)
    n_time_steps = math.prod(settings.sample_shape) if len(settings.sample_shape) == 1 else 1
    calls = len(units) * n_time_steps * (steps + 1)
    return TrainingSize(calls, weights, values, steps * (samples * weights + values))


def _count_weights(blueprint: Blueprint, units: list[int]) -> int:
    """Add up the weights of all nodes."""
    count = 0
    for width, node in zip(units, blueprint.nodes, strict=True):
        if (operation := node.registered) is not None:
            attributes = operation.named(node.attributes)
            shapes = operation.weight_shapes(units[node.inputs[0]], width, **attributes)
            count += sum(map(math.prod, shapes.values()))
    return count


def check_proportion(blueprint: NetworkSpec, dish: Dish) -> None:
    """Raise ValueError where a motif-network is out of proportion to its dish.

    The widths of inputs and outputs, the samples and their positions are those of the
    dish's arrays; hidden units, inner steps and nodes are nothing but numbers. A file of some
    kilobytes must not ask for gigabytes, or for days.

    Parameters
    ----------
    blueprint : Blueprint or ModuleBlueprint
        A motif.
    dish : Dish
        The dish that is to train it.

    Raises
    ------
    ValueError
        If there are more than 1,000 nodes, or calls, weights, values or operations are too
        many for each number of the dish.
    """
    numbers = sum(getattr(dish, name).size for name in SAMPLES)
    size = training_size(blueprint, dish.settings)
    if isinstance(blueprint, Blueprint) and len(blueprint.nodes) > _MAX_NODES:
        raise ValueError(
            f"A motif-network has {len(blueprint.nodes)} nodes, more than {_MAX_NODES}."
        )
    for name, ours, limit in zip(size._fields, size, _LIMITS, strict=True):
        if ours > limit * numbers:
            raise ValueError(
                f"A motif-network in this dish has {ours:.2g} {name}, more than {limit} for "
                f"each of the dish's {numbers} numbers: {dish.settings.widths} and "
                f"{dish.settings.inner.steps} steps are out of proportion."
            )
