"""A blueprint as an ordinary torch module, at any width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ._node import CARRIED, Widths
from ._operations import Operation, RunningStatistics
from ._recurrence import Call, MaskName, compile_stages
from ._shapes import node_shapes

if TYPE_CHECKING:
    from ._blueprint import Blueprint

# What a batch contributes to running statistics, as in torch.
_MOMENTUM = 0.1


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
    1/sqrt(fan-in). Batch normalisation keeps running statistics as
    :class:`torch.nn.BatchNorm2d` does: in evaluation, predictions do not depend on the batch.

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
    statistics : torch.nn.Module
        Running statistics, buffers under ``"<position>_<name>"``.

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
        self.statistics = nn.Module()
        self._units = [width.units(widths) for width in blueprint.widths()]
        self._carried = {
            position: node.inputs[0]
            for position, node in enumerate(blueprint.nodes)
            if node.operation == CARRIED
        }
        self._stages = compile_stages(blueprint.nodes)
        for position, node in enumerate(blueprint.nodes):
            if (operation := node.registered) is not None:
                self._add_weights(position, operation, generator)
                self._add_statistics(position, operation)

    def _add_weights(
        self, position: int, operation: Operation, generator: torch.Generator | None
    ) -> None:
        node = self.blueprint.nodes[position]
        n_in, attributes = self._units[node.inputs[0]], operation.named(node.attributes)
        bound = operation.fan_in(n_in, **attributes) ** -0.5
        shapes = operation.weight_shapes(n_in, self._units[position], **attributes)
        for role, shape in shapes.items():
            start = torch.empty(shape).uniform_(-bound, bound, generator=generator)
            self.weights[f"{position}_{role}"] = nn.Parameter(start)

    def _add_statistics(self, position: int, operation: Operation) -> None:
        if operation.running is not None:
            for name, value in operation.running.initial.items():
                start = torch.full((self._units[position],), value)
                self.statistics.register_buffer(f"{position}_{name}", start)

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
            As :meth:`forward`; or if there are masks, and layers that are wider than these.
        """
        # Samples come first and features last.
        sample_shape = tuple(x.shape[1:-1])
        node_shapes(self.blueprint.nodes, sample_shape)
        values = {0: x}
        along = None
        if masks is not None:
            self._check_masks()
            ones = (1,) * len(sample_shape)
            along = Masks(*(mask.view(len(mask), *ones, -1) for mask in masks))
        self._run(self._bound(self._stages.before), values, along)
        if self._carried:
            if carried is None:
                carried = {
                    position: x.new_zeros(len(x), self._units[position])
                    for position in self._carried
                }
            carried = self._step_by_step(values, carried, masks)
        self._run(self._bound(self._stages.after), values, along)
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
        readout = len(self.blueprint.nodes) - 1
        outputs: Tensor = self._function(readout)(*read)
        return outputs

    def _check_masks(self) -> None:
        """Refuse masks where some layers are wider than the masks."""
        if any(node.factor != 1 for node in self.blueprint.nodes):
            raise ValueError(
                "Masks are as wide as the input or the hidden layers, but this network has layers "
                "that are several times as wide."
            )

    def _step_by_step(
        self, values: dict[int, Tensor], carried: dict[int, Tensor], masks: Masks | None
    ) -> dict[int, Tensor]:
        """Compute what is within the recurrence, and add it to the values, all times at once."""
        within = self._stages.within
        own = {target for call in within for target in call.targets} | set(self._carried)
        read = {source for call in within for source in call.inputs}
        read.update(self._carried.values())
        # Split into time steps once; what is made within is there from the step itself.
        given = {source: values[source].unbind(1) for source in read - own}
        # Weights side by side once, for all time steps.
        actions = self._bound(within)
        histories: dict[int, list[Tensor]] = {position: [] for position in own & self._read_after()}
        for time in range(values[0].shape[1]):
            # state[t] = f(x[t], state[t - 1])
            now = {source: parts[time] for source, parts in given.items()} | carried
            self._run(actions, now, masks)
            carried = {position: now[source] for position, source in self._carried.items()}
            for position, history in histories.items():
                history.append(now[position])
        for position, history in histories.items():
            values[position] = torch.stack(history, dim=1)
        return carried

    def _read_after(self) -> set[int]:
        """Return the nodes that are read after the recurrence."""
        read = {source for call in self._stages.after for source in call.inputs}
        return read.union(self.blueprint.nodes[-1].inputs)

    def _bound(self, calls: Sequence[Call]) -> list[_Action]:
        """Bring calls and the weights of now together."""
        return [
            _Action(call.targets, self._function(*call.targets), call.inputs, call.mask)
            for call in calls
        ]

    def _run(self, actions: list[_Action], values: dict[int, Tensor], masks: Masks | None) -> None:
        """Compute nodes from others, and add them."""
        for action in actions:
            inputs = [values[source] for source in action.inputs]
            if masks is not None and action.mask is not None:
                inputs[0] = inputs[0] * getattr(masks, action.mask)
            value = action.function(*inputs)
            if len(action.targets) == 1:
                values[action.targets[0]] = value
            else:
                parts = value.split([self._units[target] for target in action.targets], dim=-1)
                values.update(zip(action.targets, parts, strict=True))

    def _function(self, *targets: int) -> Callable[..., Tensor]:
        """Return what computes a node, or several products with one factor, from the inputs."""
        node = self.blueprint.nodes[targets[0]]
        operation = node.registered
        assert operation is not None
        weights = [self._weight(role, targets) for role in operation.roles]
        attributes = operation.named(node.attributes)

        def compute(*inputs: Tensor, **statistics: Tensor) -> Tensor:
            value: Tensor = operation.function(
                *inputs, *node.parameters, *weights, **attributes, **statistics
            )
            return value

        if operation.running is None:
            return compute
        return partial(self._normalised, targets[0], operation.running, compute)

    def _weight(self, role: str, targets: Sequence[int]) -> Tensor:
        """Return a weight of a node; of several products [A B], for x @ [A B] = [x @ A, x @ B]."""
        weights = [self.weights[f"{target}_{role}"] for target in targets]
        return weights[0] if len(weights) == 1 else torch.cat(weights, dim=-1)

    def _normalised(
        self,
        position: int,
        running: RunningStatistics,
        compute: Callable[..., Tensor],
        x: Tensor,
    ) -> Tensor:
        """Compute a node by the statistics of the batch in training, or by running ones."""
        kept = {name: self.statistics.get_buffer(f"{position}_{name}") for name in running.initial}
        if not self.training:
            return compute(x, **kept)
        with torch.no_grad():
            for buffer, of_batch in zip(kept.values(), running.measure(x), strict=True):
                # kept <- 0.9 kept + 0.1 of the batch
                buffer.lerp_(of_batch.to(buffer), _MOMENTUM)
        return compute(x)


class _Action(NamedTuple):
    """A call with its function, weights and all."""

    targets: tuple[int, ...]
    function: Callable[..., Tensor]
    inputs: tuple[int, ...]
    mask: MaskName | None
