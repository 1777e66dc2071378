"""Curves by the kernels, differentiable: what torch's autograd sees of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sk_petridish.dish._dish import DishBatch
from sk_petridish.dish._statistic import Curves

from ._compile import Kernel
from ._losses import BCE, CROSS_ENTROPY, MSE
from ._program import FusedNetwork
from ._training import (
    Floats,
    Integers,
    Plan,
    Samples,
    differentiate,
    measure,
    room_to_differentiate,
    room_to_measure,
)
from ._vectors import n_lanes_of

_LOSSES = {"bce": BCE, "cross_entropy": CROSS_ENTROPY, "mse": MSE}
# Motif-networks whose gradients are summed before they are put beside those of others:
# a fixed number, so that sums do not depend on the number of threads.
_SUMMED = 8
# Memory for what is kept of training until the way back.
_MAX_KEPT_BYTES = 2**27

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
        If a motif is recurrent and the samples are no sequences.
    """
    if network.is_recurrent and dishes.x_train.ndim == 3:
        raise ValueError("Recurrent motifs need sequences, but samples have no time steps.")
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
        theta_init = network.initial_weights(dishes.draw_weights)
        self._train = _Packed(dishes.x_train, dishes.y_train, inner.n_batches, inner.loss)
        self._valid = _Packed(dishes.x_valid, dishes.y_valid, 1, inner.loss)
        # Room for as many rows of as many samples as there are at most, and a frame more.
        rows = int(network.programs.n_rows.max())
        frame = rows * max(len(packed.samples.share) for packed in (self._train, self._valid))
        self._plan = Plan(
            n_motifs=network.n_motifs,
            n_initial=theta_init.shape[1],
            n_inputs=dishes.settings.widths.n_inputs,
            n_outputs=dishes.settings.widths.n_outputs,
            n_time_steps=self._train.n_time_steps,
            n_scored=self._train.n_scored,
            row_train=len(self._train.samples.share),
            row_valid=len(self._valid.samples.share),
            start=frame,
            n_values=frame * (1 + self._train.n_time_steps),
            n_weights=_padded(int(np.diff(network.programs.first_weight).max()), theta_init),
            steps=int(checkpoints[-1]),
            lr=inner.lr,
            l2=inner.l2,
            adam=inner.optimizer == "adam",
            loss=_LOSSES[inner.loss],
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
            room = np.zeros(room_to_measure(self._plan), self._dtype)
            _measure(first, last, *self._common, self._checkpoints, room, self._gradients, curves)

        self._share_out(compute, self._n_dishes * n_motifs)
        return curves

    def differentiate(self, curves: NDArray[np.float64]) -> list[Floats]:
        """Carry derivatives with respect to the curves back to the data."""
        weights = self._weights(curves)
        sizes = [*self._train.sizes, *self._valid.sizes]
        n_groups = -(-self._plan.n_motifs // _SUMMED)
        sums = np.zeros((self._n_dishes * n_groups, sum(sizes)), self._dtype)

        def compute(first: int, last: int) -> None:
            room = np.zeros(room_to_differentiate(self._plan, sum(sizes)), self._dtype)
            _differentiate(
                first, last, _SUMMED, *self._common, weights, self._gradients, room, sums
            )

        self._share_out(compute, len(sums))
        summed = sums.reshape(self._n_dishes, n_groups, -1).sum(axis=1)
        n_train = sum(self._train.sizes)
        return [*self._train.unpack(summed[:, :n_train]), *self._valid.unpack(summed[:, n_train:])]

    def _weights(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn derivatives with respect to curves into those with respect to all losses.

        Returns
        -------
        ndarray of shape (n_dishes, n_motifs, steps + 1, 2)
            For training and validation loss at every step.
        """
        weights = np.zeros((*curves.shape[:2], self._plan.steps + 1, 2))
        for index, step in enumerate(self._checkpoints):
            weights[:, :, step] += curves[:, :, index, :2]
            before = slice(step) if step else slice(1)
            weights[:, :, before, 0] += curves[:, :, index, 2:] / max(step, 1)
        return weights

    def _share_out(self, compute: Callable[[int, int], None], n: int) -> None:
        """Compute n items in contiguous pieces, by as many threads as there are jobs."""
        if self._n_jobs == 1:
            compute(0, n)
            return
        # More pieces than threads, for when one of the processors is busy otherwise.
        bounds = np.unique(np.linspace(0, n, 4 * self._n_jobs + 1).astype(int)).tolist()
        with ThreadPoolExecutor(self._n_jobs) as pool:
            list(pool.map(compute, bounds[:-1], bounds[1:]))


class _Packed:
    """Data of all dishes in rows of samples, as kernels read it."""

    def __init__(self, x: Tensor, y: Tensor, n_batches: int, loss: str) -> None:
        self._shapes = x.shape, y.shape
        self._n_batches = n_batches
        # A sample without time steps is a sequence of one.
        self.n_time_steps = x.shape[2] if x.ndim == 4 else 1
        self.n_scored = y.shape[2] if y.ndim == 4 else 1
        rows_x, rows_y = self._pack(x), self._pack(y)
        self._n_samples = x.shape[1] // n_batches
        share = np.zeros(rows_x.shape[-1], rows_x.dtype)
        n_compared = self.n_scored * (1 if loss == "cross_entropy" else y.shape[-1])
        share[: self._n_samples] = 1 / (self._n_samples * n_compared)
        self.samples = Samples(rows_x.ravel(), rows_y.ravel(), share, n_batches)
        self.sizes = [rows_x[0].size, rows_y[0].size]

    def _pack(self, data: Tensor) -> Floats:
        """Lay out as (n_dishes, n_batches, time steps, units, samples), padded with zeros."""
        array = data.detach().numpy()
        n_dishes, n_samples, units = len(array), array.shape[1], array.shape[-1]
        array = array.reshape(n_dishes, self._n_batches, n_samples // self._n_batches, -1, units)
        array = np.moveaxis(array, 2, -1)
        packed = np.zeros((*array.shape[:-1], _padded(array.shape[-1], array)), array.dtype)
        packed[..., : array.shape[-1]] = array
        return packed

    def unpack(self, gradients: Floats) -> list[Floats]:
        """Bring (n_dishes, x and y) back into the shape of the data."""
        parts = np.split(gradients, [self.sizes[0]], axis=1)
        unpacked = []
        for part, shape in zip(parts, self._shapes, strict=True):
            n_units = shape[-1]
            row = len(self.samples.share)
            rows = part.reshape(shape[0], self._n_batches, -1, n_units, row)
            rows = np.moveaxis(rows[..., : self._n_samples], -1, 2)
            unpacked.append(np.ascontiguousarray(rows).reshape(shape))
        return unpacked


def _padded(n: int, array: Floats) -> int:
    """Round up to whole vectors."""
    lanes = n_lanes_of(array.itemsize)
    return -(-n // lanes) * lanes
