"""Curves by the kernels, differentiable: what torch's autograd sees of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from sk_petridish.dish._dish import DishBatch
from sk_petridish.dish._statistic import Curves

from ._checks import check_arguments
from ._compile import Kernel
from ._losses import BCE, CROSS_ENTROPY, MSE
from ._program import FusedNetwork
from ._structures import (
    Floats,
    Integers,
    Plan,
    Samples,
    WorkspaceLayout,
    plan_workspace,
)
from ._training import differentiate, measure
from ._vectors import n_lanes_of

_LOSSES = {"bce": BCE, "cross_entropy": CROSS_ENTROPY, "mse": MSE}
# Motif-networks whose gradients are summed before they are put beside those of others:
# a fixed number, so that sums do not depend on the number of threads.
_SUMMED = 8
# Memory for what is kept of training until the way back.
_MAX_KEPT_BYTES = 2**27
# Memory for derivatives with respect to losses, and for sums, on the way back.
_MAX_PIECE_BYTES = 2**25

# Numbers between the regions of a workspace, and what they hold: a test sets the former,
# and so finds a kernel that writes out of its region.
_N_GUARD, _GUARD = 0, 12345.0

_measure, _differentiate = Kernel(measure), Kernel(differentiate)


def curves(
    network: FusedNetwork, dishes: DishBatch, checkpoints: Sequence[int], n_jobs: int
) -> Curves:
    """Train every motif-network in every dish and record its losses.

    Parameters
    ----------
    network : FusedNetwork
        The motif-networks.
    dishes : DishBatch
        The dishes, on the CPU.
    checkpoints : sequence of int
        Inner steps at which to record, ascending; training ends at the last.
    n_jobs : int
        Threads.

    Returns
    -------
    Curves
        Tensors of shape (n_dishes, n_motifs, n_checkpoints).

    Raises
    ------
    ValueError
        If sequences and labels do not fit together, the network was built for other widths
        or another precision, or checkpoints do not ascend.
    """
    check_arguments(network, dishes, checkpoints)
    data = dishes.x_train, dishes.y_train, dishes.x_valid, dishes.y_valid
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in data)
    run = _Run(network, dishes, np.array(checkpoints, np.int64), n_jobs, keep=keep)
    measured: Tensor = _Measured.apply(run, *data)  # type: ignore[no-untyped-call]
    return Curves(*measured.unbind(-1))


class _Measured(torch.autograd.Function):
    """The curves as a function of the data."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *data: Tensor) -> Tensor:
        ctx.run = run
        return torch.from_numpy(run.measure()).to(data[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        return None, *map(torch.from_numpy, ctx.run.differentiate(gradient.double().numpy()))


class _Run:
    """One pass through the inner loop, and the way back."""

    def __init__(
        self,
        network: FusedNetwork,
        dishes: DishBatch,
        checkpoints: Integers,
        n_jobs: int,
        *,
        keep: bool,
    ) -> None:
        inner = dishes.settings.inner
        theta_init = dishes.initial_weights(network)
        self._train = _Packed(dishes.x_train, dishes.y_train, inner.n_batches, inner.loss)
        self._valid = _Packed(dishes.x_valid, dishes.y_valid, 1, inner.loss)
        # The longest frames, and one more: of zeros, carried from before the first.
        packed = self._train.samples, self._valid.samples
        frame = int(network.programs.n_rows.max()) * max(
            len(samples.sample_weight) for samples in packed
        )
        # Plain numbers: kernels are compiled for the types that they are given.
        self._plan = Plan(
            n_motifs=network.n_motifs,
            n_initial=theta_init.shape[1],
            n_inputs=int(dishes.settings.widths.n_inputs),
            n_outputs=int(dishes.settings.widths.n_outputs),
            start=frame,
            n_values=frame * (1 + max(samples.n_time_steps for samples in packed)),
            n_weights=_padded(int(np.diff(network.programs.first_weight).max()), theta_init),
            steps=int(checkpoints[-1]),
            lr=float(inner.lr),
            l2=float(inner.l2),
            adam=inner.optimizer == "adam",
            loss=_LOSSES[inner.loss],
            n_guard=_N_GUARD,
        )
        self._common = (
            network.programs,
            self._plan,
            theta_init.ravel(),
            self._train.samples,
            self._valid.samples,
        )
        self._dtype = theta_init.dtype
        self._n_dishes = len(theta_init)
        self._checkpoints = checkpoints
        self._n_jobs = n_jobs
        # Gradients of the weights at every step, for the way back: of as many
        # motif-networks as fit under the limit; the others are trained again.
        one = self._plan.steps * self._plan.n_weights
        n_networks = self._n_dishes * network.n_motifs
        n_kept = min(n_networks, _MAX_KEPT_BYTES // max(one * self._dtype.itemsize, 1))
        self._gradients = np.empty((n_kept if keep else 0, one), self._dtype)

    def measure(self) -> NDArray[np.float64]:
        """Compute the curves, (n_dishes, n_motifs, n_checkpoints, 3)."""
        n_motifs = self._plan.n_motifs
        curves = np.empty((self._n_dishes, n_motifs, len(self._checkpoints), 3))

        def compute(first: int, last: int) -> None:
            with self._workspace(plan_workspace(self._plan, 1)) as workspace:
                _measure(
                    first,
                    last,
                    *self._common,
                    self._checkpoints,
                    workspace,
                    self._gradients,
                    curves,
                )

        self._share_out(compute, self._n_dishes * n_motifs)
        return curves

    def differentiate(self, curves: NDArray[np.float64]) -> list[Floats]:
        """Carry derivatives with respect to the curves back to the data."""
        n_data, n_train = sum(self._train.sizes + self._valid.sizes), sum(self._train.sizes)
        n_groups = -(-self._plan.n_motifs // _SUMMED)
        gradients = np.zeros((self._n_dishes, n_data), self._dtype)
        # In pieces, since every group needs room for its sums and for weights of all losses.
        bytes_a_group = 8 * (n_data + 2 * _SUMMED * (self._plan.steps + 1))
        size = max(1, _MAX_PIECE_BYTES // bytes_a_group)
        for begin in range(0, self._n_dishes * n_groups, size):
            groups = np.arange(begin, min(begin + size, self._n_dishes * n_groups))
            sums = self._differentiate(groups, self._weights(curves, groups, n_groups), n_data)
            # One after the other, so that sums do not depend on the pieces.
            np.add.at(gradients, groups // n_groups, sums)
        return [
            *self._train.unpack(gradients[:, :n_train]),
            *self._valid.unpack(gradients[:, n_train:]),
        ]

    def _differentiate(self, groups: Integers, weights: NDArray[np.float64], n_data: int) -> Floats:
        """Return the gradients of groups of motif-networks, (n_groups, n_data)."""
        sums = np.zeros((len(groups), n_data), self._dtype)

        def compute(first: int, last: int) -> None:
            layout = plan_workspace(
                self._plan, self._plan.steps, differentiates=True, n_data=n_data
            )
            with self._workspace(layout) as workspace:
                _differentiate(
                    groups[first],
                    groups[last - 1] + 1,
                    _SUMMED,
                    *self._common,
                    weights[first:last],
                    self._gradients,
                    workspace,
                    sums[first:last],
                )

        self._share_out(compute, len(groups))
        return sums

    def _weights(
        self, curves: NDArray[np.float64], groups: Integers, n_groups: int
    ) -> NDArray[np.float64]:
        """Turn derivatives with respect to curves into those with respect to all losses.

        Returns
        -------
        ndarray of shape (n_groups, motifs of a group, steps + 1, 2)
            For training and validation loss at every step.
        """
        weights = np.zeros((len(groups), _SUMMED, self._plan.steps + 1, 2))
        for out, group in zip(weights, groups, strict=True):
            begin = group % n_groups * _SUMMED
            of_group = curves[group // n_groups, begin : begin + _SUMMED]
            out = out[: len(of_group)]
            out[:, self._checkpoints] = of_group[:, :, :2]
            # A mean over all steps before one: from there on down, sums from the end.
            means = np.zeros(out.shape[:2])
            last = np.maximum(self._checkpoints - 1, 0)
            np.add.at(means.T, last, (of_group[:, :, 2] / (last + 1)).T)
            out[:, :, 0] += means[:, ::-1].cumsum(axis=1)[:, ::-1]
        return weights

    @contextmanager
    def _workspace(self, layout: WorkspaceLayout) -> Iterator[Floats]:
        """Allocate a workspace, and look afterwards whether its guards are as they were."""
        workspace = np.zeros(layout.size, self._dtype)
        if not self._plan.n_guard:
            # Looking at nothing fifteen times a call would take 5 % of a small gradient.
            yield workspace
            return
        guards = [slice(end - self._plan.n_guard, end) for end in layout]
        for guard in guards:
            workspace[guard] = _GUARD
        yield workspace
        touched = [
            name
            for name, guard in zip(layout._fields, guards, strict=True)
            if (workspace[guard] != _GUARD).any()
        ]
        if touched:
            raise RuntimeError(f"A kernel wrote beyond the region in front of {touched}.")

    def _share_out(self, compute: Callable[[int, int], None], n: int) -> None:
        """Compute n items in contiguous pieces, by as many threads as there are jobs."""
        # More pieces than threads, for when one of the processors is busy otherwise; and
        # between two of them Ctrl-C is heard.
        bounds = np.unique(np.linspace(0, n, 4 * self._n_jobs + 1).astype(int)).tolist()
        if self._n_jobs == 1:
            for first, last in itertools.pairwise(bounds):
                compute(first, last)
            return
        with ThreadPoolExecutor(self._n_jobs) as pool:
            list(pool.map(compute, bounds[:-1], bounds[1:]))


class _Packed:
    """Data of all dishes in rows of samples, as kernels read it."""

    def __init__(self, x: Tensor, y: Tensor, n_batches: int, loss: str) -> None:
        self._shapes = x.shape, y.shape
        self._n_batches = n_batches
        # A sample without time steps is a sequence of one.
        n_time_steps = math.prod(x.shape[2:-1])
        n_scored = math.prod(y.shape[2:-1])
        if n_scored not in (1, n_time_steps):
            raise ValueError(
                f"Sequences have {n_time_steps} time steps, but labels {n_scored}; there is one "
                "label for every time step, or one for the last."
            )
        rows_x, rows_y = self._pack(x), self._pack(y)
        self._n_samples = x.shape[1] // n_batches
        sample_weight = np.zeros(rows_x.shape[-1], rows_x.dtype)
        n_compared = n_scored * (1 if loss == "cross_entropy" else y.shape[-1])
        sample_weight[: self._n_samples] = 1 / (self._n_samples * n_compared)
        self.samples = Samples(
            rows_x.ravel(), rows_y.ravel(), sample_weight, n_batches, n_time_steps, n_scored
        )
        self.sizes = [rows_x[0].size, rows_y[0].size]

    def _pack(self, data: Tensor) -> Floats:
        """Lay out as (n_dishes, n_batches, time steps, units, samples), padded."""
        array = data.detach().numpy()
        n_dishes, n_samples, units = len(array), array.shape[1], array.shape[-1]
        array = array.reshape(n_dishes, self._n_batches, n_samples // self._n_batches, -1, units)
        array = np.moveaxis(array, 2, -1)
        # By the last sample again: where this one is computed, so are they.
        padding = _padded(array.shape[-1], array) - array.shape[-1]
        return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, padding)], mode="edge")

    def unpack(self, gradients: Floats) -> list[Floats]:
        """Bring (n_dishes, x and y) back into the shape of the data."""
        parts = np.split(gradients, [self.sizes[0]], axis=1)
        unpacked = []
        for part, shape in zip(parts, self._shapes, strict=True):
            n_units = shape[-1]
            row = len(self.samples.sample_weight)
            rows = part.reshape(shape[0], self._n_batches, -1, n_units, row)
            rows = np.moveaxis(rows[..., : self._n_samples], -1, 2)
            unpacked.append(np.ascontiguousarray(rows).reshape(shape))
        return unpacked


def _padded(n: int, array: Floats) -> int:
    """Round up to whole vectors."""
    lanes = n_lanes_of(array.itemsize)
    return -(-n // lanes) * lanes
