"""All motif-networks of all dishes as one batched computation (appendix A.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ._blueprint import INPUT, Blueprint, Widths
from ._operations import Operation, get_operation


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
    parameters: tuple[Tensor, ...]  # each (n_rows, 1, 1)
    positions: tuple[int, ...]  # of each row's node in its blueprint
    shapes: dict[str, tuple[int, ...]]
    fan_in: int


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
        self._dtype = dtype
        self._device = torch.device(device)
        self._groups: list[_Group] = []
        # Group 0 holds the input of every motif-network.
        slots = [{0: _Slot(0, motif)} for motif in range(self.n_motifs)]
        for level in _levels(blueprints, widths):
            for key, members in level.items():
                self._groups.append(self._group(key, members, blueprints, slots))
                for row, (motif, position) in enumerate(members):
                    slots[motif][position] = _Slot(len(self._groups), row)
        self._readout = self._gather([slot[max(slot)] for slot in slots])
        # How the flat weights fall into the groups' tensors; every forward needs it.
        self._block_sizes = [
            len(group.positions) * torch.Size(shape).numel()
            for group in self._groups
            for shape in group.shapes.values()
        ]

    def _group(
        self,
        key: _Key,
        members: Sequence[tuple[int, int]],
        blueprints: Sequence[Blueprint],
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
            parameters=tuple(parameters.T[:, :, None, None]),
            positions=tuple(position for _, position in members),
            shapes=operation.weight_shapes(key.n_in, key.n_out),
            fan_in=key.n_in,
        )

    def _gather(self, slots: Sequence[_Slot]) -> _Gather:
        """Find the cheapest way to bring the values at these slots together."""
        groups = sorted({slot.group for slot in slots})
        sizes = {
            group: self.n_motifs if group == 0 else len(self._groups[group - 1].positions)
            for group in groups
        }
        offsets, total = {}, 0
        for group in groups:
            offsets[group] = total
            total += sizes[group]
        rows = [offsets[slot.group] + slot.row for slot in slots]
        if len(groups) == 1 and rows == list(range(total)):
            return _Gather(tuple(groups), None)
        return _Gather(tuple(groups), torch.tensor(rows, device=self._device))

    def initial_weights(self, draw: Callable[[int, str, tuple[int, ...], int], Tensor]) -> Tensor:
        """Lay out theta_init for every motif-network.

        Parameters
        ----------
        draw : callable
            ``draw(position, role, shape, fan_in) -> Tensor`` of shape
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
                    position: draw(position, role, shape, group.fan_in)
                    for position in sorted(set(group.positions))
                }
                block = torch.stack([drawn[position] for position in group.positions], dim=1)
                blocks.append(block.flatten(1))
        return torch.cat(blocks, dim=1)

    def forward(self, weights: Tensor, x: Tensor) -> Tensor:
        """Compute the outputs of every motif-network in every dish.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples, n_inputs)
            Synthetic inputs.

        Returns
        -------
        Tensor of shape (n_dishes, n_motifs, n_samples, n_outputs)
            Outputs before any link function.
        """
        blocks = iter(torch.split(weights, self._block_sizes, dim=1))
        values = [x]
        for group in self._groups:
            own = [
                next(blocks).unflatten(1, (len(group.positions), *shape))
                for shape in group.shapes.values()
            ]
            inputs = (gather(values) for gather in group.arguments)
            values.append(group.operation.function(*inputs, *group.parameters, *own))
        return self._readout(values)


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
            depths.append(1 + max((depths[source] for source in node.inputs), default=-1))
            if node.operation == INPUT:
                continue
            if len(levels) < depths[-1]:
                levels.append({})
            key = _Key(node.operation, len(node.inputs), units[node.inputs[0]], units[position])
            levels[depths[-1] - 1].setdefault(key, []).append((motif, position))
    return levels
