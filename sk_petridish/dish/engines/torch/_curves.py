"""The reference engine: plain PyTorch, batched over dishes and motifs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sk_petridish.blueprints import Network
from sk_petridish.dish._dish import DishBatch
from sk_petridish.dish._inner_loss import align_labels
from sk_petridish.dish._statistic import Curves


def curves(network: Network, dishes: DishBatch, checkpoints: Sequence[int]) -> Curves:
    """Train every motif-network in every dish and record its losses.

    Differentiable with respect to the tensors of ``dishes``, through every inner
    step, where gradients are enabled and one of them requires its gradient. A
    motif-network whose training diverges has losses that are not finite, and
    contributes nothing to that gradient.

    Parameters
    ----------
    network : Network
        The motif-networks.
    dishes : DishBatch
        The dishes.
    checkpoints : sequence of int
        Inner steps at which to record, ascending; training ends at the last.

    Returns
    -------
    Curves
        Tensors of shape (n_dishes, n_motifs, n_checkpoints).
    """
    inner = dishes.settings.inner
    data = (dishes.x_train, dishes.y_train, dishes.x_valid, dishes.y_valid)
    learning = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in data)
    # Also where the caller disabled gradients, as skorch does to predict: the inner
    # loop cannot train without them.
    with torch.enable_grad():
        x_train, y_train, x_valid, y_valid = (_per_motif(tensor, network) for tensor in data)
        batches = list(
            zip(x_train.chunk(inner.n_batches, 2), y_train.chunk(inner.n_batches, 2), strict=True)
        )
        theta = dishes.initial_weights(network).detach().requires_grad_()
        state = inner.start(theta)
        total = torch.zeros(())
        records: list[tuple[Tensor, Tensor, Tensor]] = []
        for step in range(checkpoints[-1] + 1):
            x_batch, y_batch = batches[step % inner.n_batches]
            outputs = network.forward(theta, x_batch)
            loss = inner.loss_function(*align_labels(outputs, y_batch, network.output_shape))
            kept = loss if learning else loss.detach()
            if step in checkpoints:
                outputs = network.forward(theta if learning else theta.detach(), x_valid)
                valid = inner.loss_function(*align_labels(outputs, y_valid, network.output_shape))
                records.append((kept, valid, total / step if step else kept))
            if step == checkpoints[-1]:
                break
            # Motif-networks do not interact, so the sum's gradient is each one's own.
            (gradient,) = torch.autograd.grad(loss.sum(), theta, create_graph=learning)
            theta, state = inner.update(theta, gradient, state, step)
            if not learning:
                theta = theta.detach().requires_grad_()
            total = total + kept
        return Curves(*(torch.stack(record, dim=-1) for record in zip(*records, strict=True)))


def tape_bytes(network: Network, dishes: DishBatch) -> int:
    """Size of the tape that :func:`curves` leaves for the way back through all inner steps.

    Parameters
    ----------
    network : Network
        The motif-networks.
    dishes : DishBatch
        The dishes.

    Returns
    -------
    int
        Bytes: those that one inner step with its update leaves, times the steps, and those
        of one validation at every checkpoint of the statistic.
    """
    inner = dishes.settings.inner
    n_validations = len(dishes.settings.statistic_function.checkpoints(inner.steps))
    # n_batches divides the samples: a step's mini-batch is the first chunk.
    x, y = (_per_motif(tensor.detach(), network) for tensor in (dishes.x_train, dishes.y_train))
    x = x.chunk(inner.n_batches, 2)[0].clone().requires_grad_()
    y = y.chunk(inner.n_batches, 2)[0].clone()
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # Tensors that share their storage take its memory once.
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        theta = dishes.initial_weights(network).detach().requires_grad_()
        outputs = network.forward(theta, x)
        loss = inner.loss_function(*align_labels(outputs, y, network.output_shape))
        (gradient,) = torch.autograd.grad(loss.sum(), theta, create_graph=True)
        after = inner.update(theta, gradient, inner.start(theta), 0)
    of_a_step = _bytes(kept)
    del after
    kept.clear()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        x, y = (_per_motif(one.detach(), network) for one in (dishes.x_valid, dishes.y_valid))
        outputs = network.forward(theta, x.clone().requires_grad_())
        valid = inner.loss_function(*align_labels(outputs, y, network.output_shape))
    of_a_validation = _bytes(kept)
    del valid
    return of_a_step * inner.steps + of_a_validation * n_validations


def _bytes(tensors: Mapping[int, Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())


def _per_motif(tensor: Tensor, network: Network) -> Tensor:
    """Return every motif-network's view of a dish's data, (n_dishes, n_motifs, ...)."""
    view = tensor[:, None].expand(-1, network.n_motifs, *tensor.shape[1:])
    if view.requires_grad:
        # Before the gradient is summed over motifs: one that diverged would
        # otherwise make the others' NaN as well.
        view.register_hook(lambda gradient: torch.nan_to_num(gradient, 0.0, 0.0, 0.0))
    return view
