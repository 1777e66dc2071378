"""How large motif-networks are in a dish, beside the numbers that the dish consists of."""

from __future__ import annotations

import math
from typing import NamedTuple

from sk_petridish.blueprints import Blueprint, NetworkSpec

from ._dish import SAMPLES, Dish, DishSettings

# For each number of a dish. The largest of the recommended dishes, those of convolutional
# cells, have 1 weight, 30 values on the way and 200,000 operations.
_MAX_WEIGHTS, _MAX_VALUES, _MAX_OPERATIONS = 10**4, 10**4, 10**8


class TrainingSize(NamedTuple):
    """Size of one motif-network's training.

    Parameters
    ----------
    weights : int
        Its weights.
    values : int
        What its nodes compute of all samples.
    operations : int
        Multiplications of all inner steps, at most.
    """

    weights: int
    values: int
    operations: int


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
    widths = settings.widths
    if isinstance(blueprint, Blueprint):
        units = [width.units(widths) for width in blueprint.widths()]
        weights = _count_weights(blueprint, units)
    else:
        units = list(widths)
        weights = widths.n_hidden * sum(widths)
    samples = settings.n_synthetic * math.prod(settings.sample_shape)
    values = samples * sum(units)
    return TrainingSize(weights, values, settings.inner.steps * (samples * weights + values))


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
        If weights, values or operations are too many for each number of the dish.
    """
    numbers = sum(getattr(dish, name).size for name in SAMPLES)
    size = training_size(blueprint, dish.settings)
    limits = TrainingSize(_MAX_WEIGHTS, _MAX_VALUES, _MAX_OPERATIONS)
    for name, ours, limit in zip(size._fields, size, limits, strict=True):
        if ours > limit * numbers:
            raise ValueError(
                f"A motif-network in this dish has {ours:.2g} {name}, more than {limit:.0e} for "
                f"each of the dish's {numbers} numbers: {dish.settings.widths} and "
                f"{dish.settings.inner.steps} steps are out of proportion."
            )
