"""Zero-cost measures: motif-networks judged before any training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sk_petridish.blueprints import Network, NetworkSpec, SampleShape, Trace, data_kind

from ._dish import Array, Dish, DishBatch
from ._inner_loss import align_labels
from ._measure import in_chunks
from .engines import TorchEngine

ZERO_COST = (
    "grad_norm",
    "snip",
    "input_grad_norm",
    "jacob_cov",
    "naswot",
    "feature_rank",
    "output_std",
    "receptive_field",
)
"""Names of the measures: logarithms of the norm of the loss's gradient with respect to the
weights, of the sum of its products with the weights (SNIP), and of its norm with respect to
the inputs; how alike the outputs' gradients of different samples are; how alike the signs of
hidden units are for them, as the logarithm of a determinant; the effective rank of the
features; the logarithm of the outputs' standard deviation; and from how many positions of a
sample its middle is reached."""

# Added to eigenvalues, or to what a logarithm is taken of.
_LITTLE = 1e-5
_TINY = 1e-12
# Fewer in one call than where only losses are kept: all values on the way are.
_MAX_NETWORKS = 256


def zero_cost(
    blueprints: Sequence[NetworkSpec],
    dishes: Sequence[Dish],
    *,
    dtype: torch.dtype,
    device: str,
) -> Array:
    """Measure motif-networks at their initial weights.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        The motifs.
    dishes : sequence of Dish
        Where initial weights and samples come from.
    dtype : torch.dtype
        Precision.
    device : str
        Torch device.

    Returns
    -------
    ndarray of shape (n_dishes, n_motifs, 8)
        The measures of ``ZERO_COST``; those that have no value are 0.

    References
    ----------
    .. [1] M. Abdelfattah, A. Mehrotra, L. Dudziak and N. Lane, "Zero-Cost Proxies for
       Lightweight NAS", 2021, https://arxiv.org/abs/2101.08134
    .. [2] J. Mellor, J. Turner, A. Storkey and E. Crowley, "Neural Architecture Search
       without Training", 2021, https://arxiv.org/abs/2006.04647
    """
    batch = DishBatch.stack(dishes, dtype, device)
    engine = TorchEngine(dtype, device)
    measured = in_chunks(
        blueprints, batch, engine, lambda network: _measures(network, batch), _MAX_NETWORKS
    )
    return np.where(np.isfinite(measured), measured, 0.0)


@torch.enable_grad()
def _measures(network: Network, batch: DishBatch) -> Tensor:
    theta = batch.initial_weights(network).detach().requires_grad_()
    shape = (-1, network.n_motifs, *batch.x_train.shape[1:])
    x = batch.x_train[:, None].expand(shape).clone().requires_grad_()
    y = batch.y_train[:, None].expand(-1, network.n_motifs, *batch.y_train.shape[1:])
    trace = network.trace(theta, x)
    losses = batch.settings.inner.loss_function(
        *align_labels(trace.outputs, y, network.output_shape)
    )
    by_theta, by_x = torch.autograd.grad(losses.sum(), (theta, x), retain_graph=True)
    (jacobian,) = torch.autograd.grad(_projected(trace.outputs), x, retain_graph=True)
    return torch.stack(
        [
            _log(_per_motif(by_theta.square(), network)) / 2,
            _log(_per_motif((by_theta * theta).abs(), network)),
            _log(by_x.flatten(2).norm(dim=-1)),
            _jacob_cov(jacobian.flatten(3)),
            _naswot(trace, network.n_motifs),
            torch.cat([_rank(features.flatten(2, -2)) for features in trace.features], dim=1),
            _log(trace.outputs.flatten(2).std(dim=-1)),
            _receptive_field(trace.outputs, x, network.output_shape),
        ],
        dim=-1,
    )


def _projected(outputs: Tensor) -> Tensor:
    """Return a weighted sum of outputs; behind batch normalisation a plain one is constant."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(outputs.shape[3:], generator=generator, dtype=torch.float64)
    return (outputs * weights.to(outputs)).sum()


def _log(x: Tensor) -> Tensor:
    return (x + _TINY).log()


def _per_motif(weights: Tensor, network: Network) -> Tensor:
    """Add up numbers for weights, (n_dishes, n_weights), by motif."""
    sums = weights.new_zeros(len(weights), network.n_motifs)
    return sums.index_add(1, network.motif_of_weight, weights)


def _jacob_cov(jacobian: Tensor) -> Tensor:
    """Score the correlations between rows, (n_dishes, n_motifs, n_samples, n)."""
    centred = jacobian - jacobian.mean(-1, keepdim=True)
    rows = centred / (centred.norm(dim=-1, keepdim=True) + _TINY)
    spectra = _where_finite(torch.linalg.eigvalsh, rows @ rows.mT)
    eigenvalues = spectra.clamp(min=0) + _LITTLE
    scores: Tensor = eigenvalues.log() + 1 / eigenvalues
    return scores.mean(-1).log1p()


def _where_finite(decompose: Callable[[Tensor], Tensor], matrices: Tensor) -> Tensor:
    """Decompose matrices; NaN where networks overflow: one such matrix ends LAPACK for all."""
    finite = matrices.isfinite().all(dim=-1).all(dim=-1)
    spectra = decompose(torch.where(finite[..., None, None], matrices, 0.0))
    return torch.where(finite[..., None], spectra, torch.nan)


def _naswot(trace: Trace, n_motifs: int) -> Tensor:
    """Compare the samples' patterns of signs of hidden units."""
    n_dishes, _, n_samples = trace.outputs.shape[:3]
    agreeing = trace.outputs.new_zeros(n_dishes, n_motifs, n_samples, n_samples)
    counted = trace.outputs.new_zeros(n_motifs)
    for motifs, values in trace.hidden:
        on = (values > 0).to(values.dtype).flatten(3)
        off = 1 - on
        index = torch.tensor(motifs, device=values.device)
        agreeing = agreeing.index_add(1, index, on @ on.mT + off @ off.mT)
        counted = counted.index_add(0, index, values.new_full((len(motifs),), on.shape[-1]))
    counted = counted.clamp(min=1)
    kernel = agreeing / counted[:, None, None]
    ridge = _LITTLE * torch.eye(n_samples, dtype=kernel.dtype, device=kernel.device)
    determinants: Tensor = torch.linalg.slogdet(kernel + ridge).logabsdet
    return determinants / n_samples + counted.log()


def _rank(features: Tensor) -> Tensor:
    """Return the effective rank of features, (n_dishes, n_motifs, n, width)."""
    centred = features - features.mean(-2, keepdim=True)
    return _effective_number(_where_finite(torch.linalg.svdvals, centred))


def _receptive_field(outputs: Tensor, x: Tensor, output_shape: SampleShape) -> Tensor:
    """Count the positions of a sample that its last output, or its middle one, depends on."""
    kind = data_kind(output_shape)
    if kind == "vectors":
        return x.new_zeros(x.shape[:2])
    place = tuple(n - 1 if kind == "sequences" else n // 2 for n in output_shape)
    here = outputs.movedim((0, 1, 2), (-3, -2, -1))[place].movedim((-3, -2, -1), (0, 1, 2))
    (gradient,) = torch.autograd.grad(_projected(here), x)
    return _effective_number(gradient.abs().sum(-1).flatten(3).sum(2))


def _effective_number(amounts: Tensor) -> Tensor:
    """Return the number of amounts, were they equal: exp of their shares' entropy."""
    shares = amounts / (amounts.sum(-1, keepdim=True) + _TINY)
    return (-(shares * _log(shares)).sum(-1)).exp()
