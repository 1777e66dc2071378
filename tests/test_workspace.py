"""Kernels write through pointers: nothing but these tests sees one that leaves its region."""

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


def run(motifs, dtype, **changes):
    """Train and differentiate, with guards of a vector's length between all regions."""
    settings_ = make_settings(learn_labels=True, **changes)
    batch = DishBatch.stack([draw_dish(settings_, seed) for seed in range(2)], dtype, "cpu")
    batch.x_train.requires_grad_()
    batch.x_valid.requires_grad_()
    engine = choose_engine("numba", motifs, dtype=dtype, device="cpu", n_jobs=1)
    curves = engine.curves(engine.build(motifs, settings_), batch, [0, settings_.inner.steps])
    (curves.train.sum() + curves.valid.sum() + curves.mean_train.sum()).backward()
    return curves


@pytest.fixture(autouse=True)
def guards(monkeypatch):
    monkeypatch.setattr(_engine, "_N_GUARD", 24)


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
    run(motifs, dtype, **changes, **(SEQUENCES if recurrent else {}))


@pytest.mark.parametrize("kept", [0, 2**27], ids=["trained again", "gradients kept"])
def test_so_they_do_where_training_is_repeated(kept, monkeypatch):
    monkeypatch.setattr(_engine, "_MAX_KEPT_BYTES", kept)
    layer = (Node("input"), Node("linear", (0,), units="n_hidden"), Node("tanh", (1,)))
    run([Blueprint((*layer, Node("linear", (2,), units="n_outputs")))], torch.float64)


@pytest.mark.parametrize("field", ["n_values", "n_weights"])
def test_a_region_that_is_too_small_is_found(field, monkeypatch):
    # What a slip in the sizes would do, planted between the plan and its layout.
    def slip(plan, *arguments, **options):
        smaller = plan._replace(**{field: getattr(plan, field) - 12})
        layout = lay_out(smaller, *arguments, **options)
        return layout._replace(size=lay_out(plan, *arguments, **options).size)

    lay_out = _engine.plan_workspace
    layer = (Node("input"), Node("linear", (0,), units="n_hidden"), Node("tanh", (1,)))
    monkeypatch.setattr(_engine, "plan_workspace", slip)
    with pytest.raises(RuntimeError, match="A kernel wrote beyond the region in front of"):
        run([Blueprint((*layer, Node("linear", (2,), units="n_outputs")))], torch.float64)


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
