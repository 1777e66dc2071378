"""Kernels write through pointers: nothing but these tests sees one that leaves its region."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_blueprints import blueprints
from small_dishes import make_settings

from sk_petridish.blueprints import Blueprint, Node, Widths
from sk_petridish.dish import DishBatch, choose_engine, draw_dish
from sk_petridish.dish.engines.fused import _engine
from sk_petridish.tasks import GaussianTask

SEQUENCES = {"task": GaussianTask(), "sample_shape": (3,)}


# Two vectors in float64, one in float32.
N_GUARD = 24


def run(motifs, dtype, *, n_guard=N_GUARD, **changes):
    """Train and differentiate with guards between all regions; return losses and gradients."""
    with patch.object(_engine, "_N_GUARD", n_guard):
        return train_and_differentiate(motifs, dtype, **changes)


def train_and_differentiate(motifs, dtype, **changes):
    settings_ = make_settings(learn_labels=True, **changes)
    batch = DishBatch.stack([draw_dish(settings_, seed) for seed in range(2)], dtype, "cpu")
    batch.x_train.requires_grad_()
    batch.x_valid.requires_grad_()
    engine = choose_engine("numba", motifs, dtype=dtype, device="cpu", n_jobs=1)
    curves = engine.curves(engine.build(motifs, settings_), batch, [0, settings_.inner.steps])
    (curves.train.sum() + curves.valid.sum() + curves.mean_train.sum()).backward()
    return [*(one.detach() for one in curves), batch.x_train.grad, batch.x_valid.grad]


def same(one, other):
    """Assert that results are the same to the last bit."""
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def layers():
    layer = (Node("input"), Node("linear", (0,), units="n_hidden"), Node("tanh", (1,)))
    return [Blueprint((*layer, Node("linear", (2,), units="n_outputs")))]


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@given(data=st.data())
@settings(max_examples=25)
def test_kernels_stay_in_their_regions(recurrent, dtype, data):
    changes = {
        "loss": data.draw(st.sampled_from(["bce", "cross_entropy", "mse"])),
        "optimizer": data.draw(st.sampled_from(["adam", "sgd"])),
        "widths": Widths(*(data.draw(st.integers(1, 5)) for _ in range(3))),
        "n_synthetic": 2 * data.draw(st.sampled_from([1, 5, 13, 25])),
        "n_batches": data.draw(st.sampled_from([1, 2])),
    }
    motifs = data.draw(st.lists(blueprints(recurrent=recurrent), min_size=1, max_size=3))
    changes |= SEQUENCES if recurrent else {}
    # No guard was written to, and none was read: it would have changed a result.
    same(run(motifs, dtype, **changes), run(motifs, dtype, n_guard=0, **changes))


@pytest.mark.parametrize("kept", [0, 2**27], ids=["trained again", "gradients kept"])
def test_so_they_do_where_training_is_repeated(kept, monkeypatch):
    monkeypatch.setattr(_engine, "_MAX_KEPT_BYTES", kept)
    same(run(layers(), torch.float64), run(layers(), torch.float64, n_guard=0))


@pytest.mark.parametrize("field", ["n_values", "n_weights"])
def test_a_region_that_is_too_small_is_found(field, monkeypatch):
    # The kernels get the slip, too, and do write a vector beyond their regions.
    def slip(**sizes):
        return plan(**(sizes | {field: sizes[field] - 12}))

    plan = _engine.Plan
    monkeypatch.setattr(_engine, "Plan", slip)
    # Kept gradients lie elsewhere, where no guards are.
    monkeypatch.setattr(_engine, "_MAX_KEPT_BYTES", 0)
    with pytest.raises(RuntimeError, match="A kernel wrote beyond the region in front of"):
        run(layers(), torch.float64)


def test_what_is_counted_is_what_is_laid_out():
    plan = _engine.Plan(
        n_motifs=1, n_initial=12, n_inputs=1, n_outputs=1, start=24, n_values=120, n_weights=12,
        steps=5, lr=0.1, l2=0.0, adam=True, loss=0, n_guard=0,
    )  # fmt: skip
    measuring = _engine.plan_workspace(plan, 1)
    assert measuring.size == (4 + 4) * 12 + 2 * 120
    learning = _engine.plan_workspace(plan, 5, differentiates=True, n_data=60)
    assert learning.size == (8 + 4 * 5) * 12 + 4 * 120 + 60
    assert list(learning) == sorted(learning)
    np.testing.assert_array_equal(np.diff(learning)[:3], 12)
