"""All motif-networks of all dishes as one batched computation (appendix A.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ._blueprint import CARRIED, INPUT, Blueprint, Widths
from ._operations import Operation, get_operation

# Axes of samples: dishes, motifs, samples, and then time, or height and width, and units.
_SEQUENCES, _IMAGES = 5, 6


class _Slot(NamedTuple):
    """Where a node's value lies: a row of a group's output."""

    group: int
    row: int


class _Key(NamedTuple):
    """What nodes have in common that are computed in one call."""

    operation: str
    n_inputs: int
    n_in: int
    n_out: int


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
    motif-networks that share an operation and widths form one group, computed by
    one call batched over dishes and motifs. Where the paper masks a dense network
    (appendix A.2.2), whose cost grows with the square of the number of motifs,
    this one grows linearly.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        One a motif-network. They may differ in structure.
    widths : Widths
        The widths of every motif-network.
    dtype : torch.dtype, default=torch.float64
        Of the blueprints' parameters.
    device : torch.device or str, default="cpu"
        Where to compute.

    Attributes
    ----------
    n_motifs : int
        Number of motif-networks.
    """

    def __init__(
        self,
        blueprints: Sequence[Blueprint],
        widths: Widths,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_motifs = len(blueprints)
        self._needs_images = any(blueprint.needs_images for blueprint in blueprints)
        self._dtype = dtype
        self._device = torch.device(device)
        # How many rows each group of values has: first the inputs of all motif-networks,
        # then what is carried, then what operations compute.
        self._n_rows = [self.n_motifs]
        slots = [{0: _Slot(0, motif)} for motif in range(self.n_motifs)]
        carried = _carried(blueprints, widths)
        self._carried_widths = list(carried)
        for members in carried.values():
            self._add_group(members, slots)
        keys = [blueprint.weight_keys() for blueprint in blueprints]
        self._groups: list[_Group] = []
        for level in _levels(blueprints, widths):
            for key, members in level.items():
                self._groups.append(self._group(key, members, blueprints, keys, slots))
                self._add_group(members, slots)
        self._readout = self._gather([slot[max(slot)] for slot in slots])
        # One by one, since they may differ in width.
        self._features = [
            self._gather([slots[motif][blueprint.nodes[-1].inputs[0]]])
            for motif, blueprint in enumerate(blueprints)
        ]
        self._carry = [
            self._gather(
                [
                    slots[motif][blueprints[motif].nodes[position].inputs[0]]
                    for motif, position in members
                ]
            )
            for members in carried.values()
        ]
        # How the flat weights fall into the groups' tensors; every forward needs it.
        self._block_sizes = [
            len(group.keys) * torch.Size(shape).numel()
            for group in self._groups
            for shape in group.shapes.values()
        ]

    def _add_group(
        self, members: Sequence[tuple[int, int]], slots: Sequence[dict[int, _Slot]]
    ) -> None:
        """Note where the values of these nodes will lie."""
        for row, (motif, position) in enumerate(members):
            slots[motif][position] = _Slot(len(self._n_rows), row)
        self._n_rows.append(len(members))

    def _group(
        self,
        key: _Key,
        members: Sequence[tuple[int, int]],
        blueprints: Sequence[Blueprint],
        keys: Sequence[tuple[int, ...]],
        slots: Sequence[dict[int, _Slot]],
    ) -> _Group:
        operation = get_operation(key.operation)
        nodes = [blueprints[motif].nodes[position] for motif, position in members]
        parameters = torch.tensor(
            [node.parameters for node in nodes], dtype=self._dtype, device=self._device
        )
        return _Group(
            operation=operation,
            arguments=tuple(
                self._gather(
                    [
                        slots[motif][node.inputs[argument]]
                        for (motif, _), node in zip(members, nodes, strict=True)
                    ]
                )
                for argument in range(key.n_inputs)
            ),
            parameters=tuple(parameters.T),
            motifs=tuple(motif for motif, _ in members),
            keys=tuple(keys[motif][position] for motif, position in members),
            shapes=operation.weight_shapes(key.n_in, key.n_out),
            fan_in=operation.patch * key.n_in,
        )

    def _gather(self, slots: Sequence[_Slot]) -> _Gather:
        """Find the cheapest way to bring the values at these slots together."""
        groups = sorted({slot.group for slot in slots})
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
        x : Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_inputs)
            Synthetic inputs, with an axis of time steps for sequences, which recurrent
            blueprints need, and with height and width for images, which convolutions need.

        Returns
        -------
        Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_outputs)
            Outputs before any link function, at every time step or position.

        Raises
        ------
        ValueError
            If a blueprint is recurrent and the samples are no sequences, or needs images
            and they are none.
        """
        own = self._own(weights)
        if x.ndim != _SEQUENCES:
            return self._readout(self._at_once(x, own))
        return torch.stack([self._readout(values) for values in self._in_time(x, own)], dim=-2)

    def trace(self, weights: Tensor, x: Tensor) -> Trace:
        """Compute the outputs, and keep what is computed on the way.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_inputs)
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
        own = self._own(weights)
        steps = list(self._in_time(x, own)) if x.ndim == _SEQUENCES else [self._at_once(x, own)]

        def collect(gather: _Gather) -> Tensor:
            values = [gather(step) for step in steps]
            return torch.stack(values, dim=-2) if x.ndim == _SEQUENCES else values[0]

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
            torch.tensor(group.motifs).repeat_interleave(torch.Size(shape).numel())
            for group in self._groups
            for shape in group.shapes.values()
        ]
        return torch.cat(blocks).to(self._device)

    def _own(self, weights: Tensor) -> list[list[Tensor]]:
        """Give every group its weights."""
        blocks = iter(torch.split(weights, self._block_sizes, dim=1))
        return [
            [
                next(blocks).unflatten(1, (len(group.keys), *shape))
                for shape in group.shapes.values()
            ]
            for group in self._groups
        ]

    def _at_once(self, x: Tensor, own: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Compute every group for samples without time."""
        if self._carry:
            raise ValueError("Recurrent motifs need sequences, but samples have no time steps.")
        if self._needs_images and x.ndim != _IMAGES:
            raise ValueError("Convolutional motifs need images, but samples are none.")
        return self._step([x], own)

    def _in_time(self, x: Tensor, own: Sequence[Sequence[Tensor]]) -> Iterator[list[Tensor]]:
        """Compute every group, time step by time step."""
        if self._needs_images:
            raise ValueError("Convolutional motifs need images, but samples are sequences.")
        carried = [
            x.new_zeros(x.shape[0], self._n_rows[group], x.shape[2], width)
            for group, width in enumerate(self._carried_widths, start=1)
        ]
        for at_one_time in x.unbind(-2):
            values = self._step([at_one_time, *carried], own)
            carried = [gather(values) for gather in self._carry]
            yield values

    def _step(self, values: list[Tensor], weights: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Compute every group, at one time step."""
        for group, own in zip(self._groups, weights, strict=True):
            inputs = [gather(values) for gather in group.arguments]
            axes = (1,) * (inputs[0].ndim - 2)
            parameters = (parameter.view(-1, *axes) for parameter in group.parameters)
            values.append(group.operation.function(*inputs, *parameters, *own))
        return values


def _carried(blueprints: Sequence[Blueprint], widths: Widths) -> dict[int, list[tuple[int, int]]]:
    """Sort the carried nodes of all blueprints by width.

    Returns
    -------
    dict
        The (motif, position) pairs under each width.
    """
    carried: dict[int, list[tuple[int, int]]] = {}
    for motif, blueprint in enumerate(blueprints):
        for position, node in enumerate(blueprint.nodes):
            if node.operation == CARRIED:
                width = getattr(widths, str(node.units))
                carried.setdefault(width, []).append((motif, position))
    return carried


def _levels(
    blueprints: Sequence[Blueprint], widths: Widths
) -> list[dict[_Key, list[tuple[int, int]]]]:
    """Sort the nodes of all blueprints by depth and, within a depth, by kind.

    Returns
    -------
    list of dict
        For each depth from 1 on, the (motif, position) pairs under each key.
    """
    levels: list[dict[_Key, list[tuple[int, int]]]] = []
    for motif, blueprint in enumerate(blueprints):
        units = [getattr(widths, unit) for unit in blueprint.units()]
        depths: list[int] = []
        for position, node in enumerate(blueprint.nodes):
            if node.operation in (INPUT, CARRIED):
                depths.append(0)
                continue
            depths.append(1 + max(depths[source] for source in node.inputs))
            if len(levels) < depths[-1]:
                levels.append({})
            key = _Key(node.operation, len(node.inputs), units[node.inputs[0]], units[position])
            levels[depths[-1] - 1].setdefault(key, []).append((motif, position))
    return levels
