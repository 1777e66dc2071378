"""All motif-networks of all dishes as one batched computation (appendix A.2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ._blueprint import Blueprint
from ._node import Widths
from ._operations import Operation, SampleShape, get_operation
from ._schedule import Key, Member, Schedule, Slot, make_schedule
from ._shapes import data_kind


@dataclass(frozen=True)
class _Gather:
    """Which rows of earlier groups form one argument of a group."""

    groups: tuple[int, ...]
    rows: Tensor | None  # None: the only group as it is

    def __call__(self, values: Sequence[Tensor]) -> Tensor:
        if self.rows is None:
            return values[self.groups[0]]
        pool = torch.cat([values[group] for group in self.groups], dim=1)
        return pool.index_select(1, self.rows)


@dataclass(frozen=True)
class _Group:
    """Nodes of several motif-networks that one call of an operation computes."""

    operation: Operation
    arguments: tuple[_Gather, ...]
    parameters: tuple[Tensor, ...]  # each (n_rows,)
    attributes: dict[str, int]
    motifs: tuple[int, ...]  # of each row
    keys: tuple[int, ...]  # of each row's initial weights
    shapes: dict[str, tuple[int, ...]]
    fan_in: int


class Trace(NamedTuple):
    """What motif-networks compute on the way to their outputs.

    Parameters
    ----------
    outputs : Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_outputs)
        As :meth:`SuperNetwork.forward` gives them.
    hidden : list of (tuple of int, Tensor) tuples
        What activations read: for some of these nodes, the motifs that they belong to,
        and a tensor of shape (n_dishes, n_nodes, n_samples[, ...], width).
    features : list of Tensor of shape (n_dishes, 1, n_samples[, ...], width)
        For every motif, what its output's node reads.
    """

    outputs: Tensor
    hidden: list[tuple[tuple[int, ...], Tensor]]
    features: list[Tensor]


class SuperNetwork:
    """Motif-networks evaluated together, without interaction.

    The graphs are computed level by level: at each level, nodes of all
    motif-networks that share an operation, its attributes, widths and resolution form one
    group, computed by one call batched over dishes and motifs. Where the paper masks a
    dense network (appendix A.2.2), whose cost grows with the square of the number of
    motifs, this one grows linearly.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        One a motif-network. They may differ in structure.
    widths : Widths
        The widths of every motif-network.
    sample_shape : tuple of int, default=()
        Axes of a sample beside its features: ``()``, ``(n_time_steps,)`` for sequences, which
        recurrent blueprints need, or ``(height, width)`` for images, which convolutions need.
    dtype : torch.dtype, default=torch.float64
        Of the blueprints' parameters.
    device : torch.device or str, default="cpu"
        Where to compute.

    Attributes
    ----------
    n_motifs : int
        Number of motif-networks.
    output_shape : tuple of int
        Axes of an output beside its units: those of a sample, or smaller ones behind a
        reduction.

    Raises
    ------
    ValueError
        If a blueprint has no meaning on such samples, or outputs have different shapes.
    """

    def __init__(
        self,
        blueprints: Sequence[Blueprint],
        widths: Widths,
        sample_shape: SampleShape = (),
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_motifs = len(blueprints)
        self._sample_shape = tuple(sample_shape)
        self._is_sequence = data_kind(sample_shape) == "sequences"
        self._dtype = dtype
        self._device = torch.device(device)
        schedule = make_schedule(blueprints, widths, sample_shape)
        self.output_shape = schedule.output_shape
        self._n_rows = schedule.n_rows
        keys = [blueprint.weight_keys() for blueprint in blueprints]
        self._groups = [
            self._group(key, members, blueprints, keys, schedule)
            for key, members in schedule.computed
        ]
        self._readout = self._gather([slot[max(slot)] for slot in schedule.slots])
        # One by one, since they may differ in width.
        self._features = [
            self._gather([schedule.slots[motif][blueprint.nodes[-1].inputs[0]]])
            for motif, blueprint in enumerate(blueprints)
        ]
        self._carried_widths = list(schedule.carried)
        # What each carried node will be at the next time step.
        self._carry = [
            self._gather(_read(0, members, blueprints, schedule))
            for members in schedule.carried.values()
        ]
        # How the flat weights fall into the groups' tensors; every forward needs it.
        self._block_sizes = [
            len(group.keys) * math.prod(shape)
            for group in self._groups
            for shape in group.shapes.values()
        ]

    def _group(
        self,
        key: Key,
        members: Sequence[Member],
        blueprints: Sequence[Blueprint],
        keys: Sequence[tuple[int, ...]],
        schedule: Schedule,
    ) -> _Group:
        operation = get_operation(key.operation)
        attributes = operation.named(key.attributes)
        parameters = torch.tensor(
            [blueprints[motif].nodes[position].parameters for motif, position in members],
            dtype=self._dtype,
            device=self._device,
        )
        return _Group(
            operation=operation,
            arguments=tuple(
                self._gather(_read(argument, members, blueprints, schedule))
                for argument in range(key.n_inputs)
            ),
            parameters=tuple(parameters.T),
            attributes=attributes,
            motifs=tuple(motif for motif, _ in members),
            keys=tuple(keys[motif][position] for motif, position in members),
            shapes=operation.weight_shapes(key.n_in, key.n_out, **attributes),
            fan_in=operation.fan_in(key.n_in, **attributes),
        )

    def _gather(self, slots: Sequence[Slot]) -> _Gather:
        """Find the cheapest way to bring the values at these slots together."""
        groups = sorted({slot.group for slot in slots})
        # Groups are put one below the other: row r of group g is row offset[g] + r of the pool.
        offsets, total = {}, 0
        for group in groups:
            offsets[group] = total
            total += self._n_rows[group]
        rows = [offsets[slot.group] + slot.row for slot in slots]
        if len(groups) == 1 and rows == list(range(total)):
            return _Gather(tuple(groups), None)
        return _Gather(tuple(groups), torch.tensor(rows, device=self._device))

    def initial_weights(self, draw: Callable[[int, str, tuple[int, ...], int], Tensor]) -> Tensor:
        """Lay out theta_init for every motif-network.

        Parameters
        ----------
        draw : callable
            ``draw(key, role, shape, fan_in) -> Tensor`` of shape
            ``(n_dishes, *shape)``: the initial values of one weight in every dish.
            It knows nothing of the motif, so motif-networks share what they have
            in common (section 3.1).

        Returns
        -------
        Tensor of shape (n_dishes, n_weights)
            The weights of all motif-networks, flat, as :meth:`forward` takes them.
        """
        blocks = []
        for group in self._groups:
            for role, shape in group.shapes.items():
                drawn = {
                    key: draw(key, role, shape, group.fan_in) for key in sorted(set(group.keys))
                }
                block = torch.stack([drawn[key] for key in group.keys], dim=1)
                blocks.append(block.flatten(1))
        return torch.cat(blocks, dim=1)

    def forward(self, weights: Tensor, x: Tensor) -> Tensor:
        """Compute the outputs of every motif-network in every dish.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples, *sample_shape, n_inputs)
            Synthetic inputs.

        Returns
        -------
        Tensor of shape (n_dishes, n_motifs, n_samples, *output_shape, n_outputs)
            Outputs before any link function, at every time step or position.

        Raises
        ------
        ValueError
            If samples have another shape than the network was built for.
        """
        own = self._split_weights(weights)
        if not self._is_sequence:
            return self._readout(self._forward_static(x, own))
        steps = self._forward_sequence(x, own)
        return torch.stack([self._readout(values) for values in steps], dim=-2)

    def trace(self, weights: Tensor, x: Tensor) -> Trace:
        """Compute the outputs, and keep what is computed on the way.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples, *sample_shape, n_inputs)
            Synthetic inputs.

        Returns
        -------
        Trace
            Outputs, hidden values and features.

        Raises
        ------
        ValueError
            As :meth:`forward`.
        """
        own = self._split_weights(weights)
        if self._is_sequence:
            steps = list(self._forward_sequence(x, own))
        else:
            steps = [self._forward_static(x, own)]

        def collect(gather: _Gather) -> Tensor:
            values = [gather(step) for step in steps]
            return torch.stack(values, dim=-2) if self._is_sequence else values[0]

        hidden = [
            (group.motifs, collect(group.arguments[0]))
            for group in self._groups
            if group.operation.is_activation
        ]
        return Trace(collect(self._readout), hidden, [collect(one) for one in self._features])

    @property
    def motif_of_weight(self) -> Tensor:
        """The motif of each weight, of shape (n_weights,)."""
        blocks = [
            torch.tensor(group.motifs).repeat_interleave(math.prod(shape))
            for group in self._groups
            for shape in group.shapes.values()
        ]
        return torch.cat(blocks).to(self._device)

    def _split_weights(self, weights: Tensor) -> list[list[Tensor]]:
        """Cut flat weights, (n_dishes, n_weights), into (n_dishes, n_rows, *shape) of groups."""
        blocks = iter(torch.split(weights, self._block_sizes, dim=1))
        return [
            [
                next(blocks).unflatten(1, (len(group.keys), *shape))
                for shape in group.shapes.values()
            ]
            for group in self._groups
        ]

    def _forward_static(self, x: Tensor, own: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Compute every group for samples without time."""
        self._check(x)
        return self._step([x], own)

    def _forward_sequence(
        self, x: Tensor, own: Sequence[Sequence[Tensor]]
    ) -> Iterator[list[Tensor]]:
        """Compute every group, time step by time step."""
        self._check(x)
        # Before the first time step: zero.
        carried = [
            x.new_zeros(x.shape[0], self._n_rows[group], x.shape[2], width)
            for group, width in enumerate(self._carried_widths, start=1)
        ]
        for at_one_time in x.unbind(-2):
            values = self._step([at_one_time, *carried], own)
            carried = [gather(values) for gather in self._carry]
            yield values

    def _check(self, x: Tensor) -> None:
        # Behind dishes, motifs and samples, and before features.
        if (shape := tuple(x.shape[3:-1])) != self._sample_shape:
            raise ValueError(
                f"The network was built for samples of the shape {self._sample_shape}, got {shape}."
            )

    def _step(self, values: list[Tensor], weights: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Compute every group, at one time step."""
        for group, own in zip(self._groups, weights, strict=True):
            inputs = [gather(values) for gather in group.arguments]
            # One number a row, (n_rows, 1, ..., 1), against (n_dishes, n_rows, n_samples, ...).
            ones = (1,) * (inputs[0].ndim - 2)
            parameters = (parameter.view(-1, *ones) for parameter in group.parameters)
            values.append(group.operation.function(*inputs, *parameters, *own, **group.attributes))
        return values


def _read(
    argument: int, members: Sequence[Member], blueprints: Sequence[Blueprint], schedule: Schedule
) -> list[Slot]:
    """Return where each of some nodes finds one of its arguments."""
    return [
        schedule.slots[motif][blueprints[motif].nodes[position].inputs[argument]]
        for motif, position in members
    ]
