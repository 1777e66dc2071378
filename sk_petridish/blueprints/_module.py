"""A blueprint as an ordinary torch module, at any width."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ._blueprint import CARRIED, Blueprint, Widths
from ._operations import get_operation


class Masks(NamedTuple):
    """What dropout multiplies the factors of matrix products with, the readout's apart.

    A mask is the same at all time steps of a sequence.

    Parameters
    ----------
    inputs : Tensor of shape (n_samples, n_inputs)
        For products with what is as wide as the input.
    hidden : Tensor of shape (n_samples, n_hidden)
        For products with what is as wide as the hidden layers.
    """

    inputs: Tensor
    hidden: Tensor


class BlueprintModule(nn.Module):
    """The network that a blueprint describes, at given widths.

    Weights start as those of :class:`torch.nn.Linear`, uniform within
    1/sqrt(fan-in).

    Parameters
    ----------
    blueprint : Blueprint
        The graph.
    widths : Widths
        Its widths.
    generator : torch.Generator, default=None
        Where initial weights come from. ``None`` is torch's global generator.

    Attributes
    ----------
    weights : torch.nn.ParameterDict
        Trainable weights under ``"<position>_<role>"``.

    Notes
    -----
    Only what the state of a recurrent network depends on is computed step by step. What
    depends on the input alone, or reads states without being part of one, such as the
    readout, is computed for all time steps at once.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        widths: Widths,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.weights = nn.ParameterDict()
        kinds = blueprint.units()
        units = self._units = [getattr(widths, unit) for unit in kinds]
        self._carried = {
            position: (node.inputs[0], units[position])
            for position, node in enumerate(blueprint.nodes)
            if node.operation == CARRIED
        }
        self._kinds = kinds
        self._before, self._within, self._after = _stages(blueprint, set(self._carried))
        for position, node in enumerate(blueprint.nodes[1:], start=1):
            if position in self._carried:
                continue
            operation, n_in = get_operation(node.operation), units[node.inputs[0]]
            shapes = operation.weight_shapes(n_in, units[position])
            for role, shape in shapes.items():
                bound = (operation.patch * n_in) ** -0.5
                start = torch.empty(shape).uniform_(-bound, bound, generator=generator)
                self.weights[f"{position}_{role}"] = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        x : Tensor of shape (n_samples[, ...], n_inputs)
            A batch of samples; of sequences, (n_samples, n_time_steps, n_inputs), as a
            recurrent blueprint needs them; or of images, (n_samples, height, width,
            n_inputs), as convolutions need them.

        Returns
        -------
        Tensor of shape (n_samples[, ...], n_outputs)
            Outputs before any link function (logits, for a classifier), at every time
            step of a sequence and every position of an image. A mean over the positions
            is what global average pooling before the readout would give.

        Raises
        ------
        ValueError
            If the blueprint is recurrent and the samples are no sequences, or it needs
            images and they are none.
        """
        read, _ = self.unroll(x)
        return self.read_out(*read)

    def unroll(
        self,
        x: Tensor,
        carried: dict[int, Tensor] | None = None,
        masks: Masks | None = None,
    ) -> tuple[list[Tensor], dict[int, Tensor]]:
        """Compute everything but the output, from a given state on.

        Parameters
        ----------
        x : Tensor of shape (n_samples[, ...], n_inputs)
            Samples, as for :meth:`forward`.
        carried : dict of int to Tensor of shape (n_samples, n_units), default=None
            What every carried node is at the first time step, by position. ``None`` is
            zero.
        masks : Masks, default=None
            Dropout. ``None`` is no dropout.

        Returns
        -------
        read : list of Tensor of shape (n_samples[, ...], n_units)
            What the last node reads.
        carried : dict of int to Tensor of shape (n_samples, n_units)
            What the carried nodes are after the last time step.

        Raises
        ------
        ValueError
            As :meth:`forward`.
        """
        self._check(x)
        readout = len(self.blueprint.nodes) - 1
        values = {0: x}
        along = None
        if masks is not None:
            places = (1,) * (x.ndim - 2)
            along = Masks(*(mask.view(len(mask), *places, -1) for mask in masks))
        self._run(self._plan(self._before - {readout}), values, along)
        if self._carried:
            if carried is None:
                carried = {
                    position: x.new_zeros(len(x), width)
                    for position, (_, width) in self._carried.items()
                }
            carried = self._step_by_step(values, carried, masks)
        self._run(self._plan(self._after - {readout}), values, along)
        return [values[source] for source in self.blueprint.nodes[-1].inputs], carried or {}

    def read_out(self, *read: Tensor) -> Tensor:
        """Compute the last node, the output, from what it reads.

        Parameters
        ----------
        *read : Tensor of shape (n_samples[, ...], n_units)
            As :meth:`unroll` gives it.

        Returns
        -------
        Tensor of shape (n_samples[, ...], n_outputs)
            Outputs before any link function.
        """
        node = self.blueprint.nodes[-1]
        weights = self._weights(len(self.blueprint.nodes) - 1)
        outputs: Tensor = get_operation(node.operation).function(*read, *node.parameters, *weights)
        return outputs

    def _check(self, x: Tensor) -> None:
        if self.blueprint.needs_images and x.ndim != 4:
            raise ValueError(
                "A convolutional network needs images, (n_samples, height, width, n_inputs), "
                f"got the shape {tuple(x.shape)}."
            )
        if self._carried and x.ndim != 3:
            raise ValueError(
                "A recurrent network needs sequences, (n_samples, n_time_steps, n_inputs), "
                f"got the shape {tuple(x.shape)}."
            )

    def _step_by_step(
        self, values: dict[int, Tensor], carried: dict[int, Tensor], masks: Masks | None
    ) -> dict[int, Tensor]:
        """Compute what is within the recurrence, and add it to the values, all times at once."""
        nodes = self.blueprint.nodes
        own = self._within | set(self._carried)
        wanted = [position for position in own if self._is_read_after(position)]
        read = {source for position in own for source in nodes[position].inputs}
        given = {source: values[source].unbind(1) for source in read - own}
        plan = self._plan(self._within)
        histories: dict[int, list[Tensor]] = {position: [] for position in wanted}
        for time in range(values[0].shape[1]):
            now = {source: parts[time] for source, parts in given.items()} | carried
            self._run(plan, now, masks)
            carried = {position: now[source] for position, (source, _) in self._carried.items()}
            for position, history in histories.items():
                history.append(now[position])
        for position, history in histories.items():
            values[position] = torch.stack(history, dim=1)
        return carried

    def _is_read_after(self, position: int) -> bool:
        nodes = self.blueprint.nodes
        readers = {*self._after, len(nodes) - 1}
        return any(position in nodes[reader].inputs for reader in readers)

    def _plan(self, positions: Iterable[int]) -> list[_Action]:
        """List what computes some nodes.

        Products with one factor are one product with their weights side by side.
        """
        # The readout is no factor's product with dropout, even where it is carried.
        readout = len(self.blueprint.nodes) - 1
        products: dict[int, list[int]] = {}
        for position in sorted(set(positions) - {readout}):
            node = self.blueprint.nodes[position]
            if node.operation == "project":
                products.setdefault(node.inputs[0], []).append(position)
        plan = []
        for position in sorted(positions):
            node = self.blueprint.nodes[position]
            operation = get_operation(node.operation)
            targets = [position]
            if node.operation == "project" and position != readout:
                targets = products[node.inputs[0]]
            if position != targets[0]:
                continue
            weights = self._weights(position)
            if len(targets) > 1:
                weights = [torch.cat([self._weights(one)[0] for one in targets], dim=-1)]
            plan.append(
                _Action(
                    tuple(targets),
                    operation.function,
                    node.inputs,
                    (*node.parameters, *weights),
                    "weight" in operation.roles and position != readout,
                )
            )
        return plan

    def _run(self, plan: list[_Action], values: dict[int, Tensor], masks: Masks | None) -> None:
        """Compute nodes from others, and add them."""
        for action in plan:
            inputs = [values[source] for source in action.inputs]
            if masks is not None and action.multiplies:
                kind = self._kinds[action.inputs[0]]
                if kind != "n_outputs":
                    inputs[0] = inputs[0] * (masks.inputs if kind == "n_inputs" else masks.hidden)
            value = action.function(*inputs, *action.arguments)
            if len(action.targets) == 1:
                values[action.targets[0]] = value
            else:
                parts = value.split([self._units[target] for target in action.targets], dim=-1)
                values.update(zip(action.targets, parts, strict=True))

    def _weights(self, position: int) -> list[Tensor]:
        roles = get_operation(self.blueprint.nodes[position].operation).roles
        return [self.weights[f"{position}_{role}"] for role in roles]


class _Action(NamedTuple):
    """The computation of a node, or of several products with one factor."""

    targets: tuple[int, ...]
    function: Callable[..., Tensor]
    inputs: tuple[int, ...]
    arguments: tuple[float | Tensor, ...]
    multiplies: bool


def _stages(blueprint: Blueprint, carried: set[int]) -> tuple[set[int], set[int], set[int]]:
    """Tell which nodes are computed before, within and after the recurrence."""
    nodes = blueprint.nodes
    depends = set(carried)
    for position, node in enumerate(nodes):
        if depends.intersection(node.inputs):
            depends.add(position)
    needed, pending = set(), [nodes[position].inputs[0] for position in carried]
    while pending:
        position = pending.pop()
        if position not in needed:
            needed.add(position)
            pending.extend(source for source in nodes[position].inputs if position not in carried)
    inside = set(range(1, len(nodes))) - carried
    return inside - depends, inside & depends & needed, (inside & depends) - needed
