"""The fused engine against the reference, on graphs and settings of any kind."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_blueprints import blueprints
from small_dishes import make_settings

from sk_petridish.blueprints import Widths
from sk_petridish.dish import DishBatch, choose_engine
from sk_petridish.dish._initial_weights import InitialWeights

DATA = ("x_train", "y_train", "x_valid", "y_valid")


def engine(name, dtype=torch.float64, n_jobs=1, motifs=()):
    return choose_engine(name, motifs, dtype=dtype, device="cpu", n_jobs=n_jobs)


def measure(engine, motifs, batch, checkpoints, weights=None):
    """Give the curves, and with weights for their sum the gradients of the data."""
    data = {name: getattr(batch, name).clone().to(engine.dtype) for name in DATA}
    for tensor in data.values():
        tensor.requires_grad_(weights is not None)
    network = engine.build(motifs, batch.settings.widths)
    curves = torch.stack(engine.curves(network, replace(batch, **data), checkpoints), -1)
    if weights is None:
        return curves
    torch.where(weights == 0, 0.0, curves * weights).sum().backward()
    return curves.detach(), {name: data[name].grad for name in DATA}


@st.composite
def dishes(draw, *, recurrent=False, max_steps=8):
    """Small dishes with any setting of the inner loop."""
    n_batches = draw(st.integers(1, 3))
    n_samples = n_batches * draw(st.sampled_from([1, 2, 5, 13, 25]))
    loss = draw(st.sampled_from(["bce", "cross_entropy", "mse"]))
    # Of a single class the cross-entropy is zero, and any gradient is rounding.
    n_outputs = draw(st.integers(2 if loss == "cross_entropy" else 1, 6))
    widths = Widths(draw(st.integers(1, 6)), draw(st.integers(1, 6)), n_outputs)
    dish_settings = make_settings(
        widths=widths,
        n_synthetic=n_samples,
        steps=draw(st.integers(0, max_steps)),
        lr=draw(st.sampled_from([0.003, 0.03])),
        l2=draw(st.sampled_from([0.0, 0.01])),
        optimizer=draw(st.sampled_from(["adam", "sgd"])),
        loss=loss,
        n_batches=n_batches,
        initial_weights=InitialWeights("fan_in", draw(st.sampled_from([0.5, 1.5]))),
    )
    n_dishes = draw(st.integers(1, 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length = (draw(st.integers(1, 4)),) if recurrent or draw(st.booleans()) else ()
    dense = length if draw(st.booleans()) else ()

    def inputs():
        shape = (n_dishes, n_samples, *length, widths.n_inputs)
        return torch.from_numpy(generator.standard_normal(shape))

    def labels():
        rows = generator.random((n_dishes, n_samples, *dense, widths.n_outputs))
        return torch.from_numpy(rows / rows.sum(-1, keepdims=True))

    seeds = tuple(range(n_dishes))
    return DishBatch(dish_settings, seeds, inputs(), labels(), inputs(), labels())


def agree(motifs, batch, checkpoints, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (len(batch.seeds), len(motifs), len(checkpoints), 3)
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)
    expected, slopes = measure(engine("torch"), motifs, batch, checkpoints, weights)
    # Products of products explode; there, nothing can be computed to so many digits.
    assume(bool((expected < 100).all()))
    measured, gradients = measure(engine("numba"), motifs, batch, checkpoints, weights)
    np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=1e-14)
    for name in DATA:
        difference, norm = (gradients[name] - slopes[name]).norm(), slopes[name].norm()
        assert difference <= 1e-9 * norm + 1e-14, name


@settings(max_examples=200)
@given(st.data())
def test_both_engines_agree_on_any_graph(data):
    recurrent = data.draw(st.booleans(), label="recurrent")
    graphs = blueprints(recurrent=recurrent)
    motifs = data.draw(st.lists(graphs, min_size=1, max_size=3), label="motifs")
    batch = data.draw(dishes(recurrent=recurrent), label="dishes")
    steps = batch.settings.inner.steps
    checkpoints = data.draw(st.sets(st.integers(0, steps)), label="checkpoints") | {steps}
    agree(motifs, batch, sorted(checkpoints), data.draw(st.integers(0, 99)))
