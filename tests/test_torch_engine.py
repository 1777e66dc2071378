"""The super-network and the reference engine against networks trained one at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from random_blueprints import blueprints
from small_dishes import make_settings

from sk_petridish.blueprints import SuperNetwork, Widths
from sk_petridish.dish import OUTER_LOSSES, STATISTICS, DishBatch, InitialWeights, draw_dish
from sk_petridish.dish.engines.torch._curves import curves
from sk_petridish.motifs import SigmoidSlope

LOSSES = {
    "bce": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
}


def train_alone(blueprint, dish, checkpoints):
    """Train one motif-network in one dish as a torch user would, with torch's optimisers."""
    inner = dish.settings.inner
    module = blueprint.build(*dish.settings.widths).double()
    for key, weight in module.weights.items():
        position, role = key.split("_")
        # A bias alone is as wide as its input.
        own = f"{position}_weight"
        fan_in = module.weights[own].shape[0] if own in module.weights else weight.shape[-1]
        start = dish.settings.initial_weights.draw(
            dish.seed, int(position), role, tuple(weight.shape), fan_in
        )
        weight.data = torch.from_numpy(start)
    optimizer_class = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[inner.optimizer]
    optimizer = optimizer_class(module.parameters(), lr=inner.lr, weight_decay=inner.l2)
    x, y, x_valid, y_valid = map(
        torch.from_numpy, (dish.x_train, dish.y_train, dish.x_valid, dish.y_valid)
    )
    size = len(x) // inner.n_batches
    before, train, valid, means = [], [], [], []
    for step in range(checkpoints[-1] + 1):
        batch = slice(step % inner.n_batches * size, (step % inner.n_batches + 1) * size)
        loss = LOSSES[inner.loss](module(x[batch]), y[batch])
        if step in checkpoints:
            train.append(loss.item())
            valid.append(LOSSES[inner.loss](module(x_valid), y_valid).item())
            means.append(np.mean(before) if before else loss.item())
        before.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return train, valid, means


def run(motifs, dishes, checkpoints):
    batch = DishBatch.stack(dishes, torch.float64, "cpu")
    network = SuperNetwork(motifs, batch.settings.widths)
    with torch.no_grad():
        return curves(network, batch, checkpoints)


@settings(max_examples=25)
@given(
    motifs=st.lists(blueprints(), min_size=1, max_size=4),
    optimizer=st.sampled_from(["adam", "sgd"]),
    loss=st.sampled_from(sorted(LOSSES)),
    n_batches=st.sampled_from([1, 3]),
    init=st.sampled_from(["normal", "fan_in"]),
)
def test_the_super_network_equals_networks_trained_one_at_a_time(
    motifs, optimizer, loss, n_batches, init
):
    dish_settings = make_settings(
        optimizer=optimizer,
        loss=loss,
        n_batches=n_batches,
        lr=0.01,
        initial_weights=InitialWeights(init, 0.7),
    )
    dishes = [draw_dish(dish_settings, seed) for seed in (3, 8)]
    measured = run(motifs, dishes, (0, 1, 4))
    for d, dish in enumerate(dishes):
        for m, motif in enumerate(motifs):
            alone = train_alone(motif, dish, (0, 1, 4))
            for curve, expected in zip(measured, alone, strict=True):
                # Adam's constant under the root separates us from torch's.
                np.testing.assert_allclose(curve[d, m], expected, rtol=1e-5, atol=1e-9)


def test_motif_networks_share_theta_init_and_differ_only_in_the_motif():
    dishes = [draw_dish(make_settings(), seed) for seed in (0, 1)]
    batch = DishBatch.stack(dishes, torch.float64, "cpu")
    space = SigmoidSlope()
    motifs = [space.blueprint([slope]) for slope in (0.1, 0.5, 2.0)]
    theta = SuperNetwork(motifs, batch.settings.widths).initial_weights(batch.draw_weights)
    alone = [
        SuperNetwork([motif], batch.settings.widths).initial_weights(batch.draw_weights)
        for motif in motifs
    ]
    assert torch.equal(alone[0], alone[1])
    assert torch.equal(alone[0], alone[2])
    assert not torch.equal(alone[0][0], alone[0][1])  # but dishes differ
    assert torch.equal(theta.sort().values, torch.cat(alone, dim=1).sort().values)


def test_theta_init_has_the_scale_that_was_asked_for():
    drawn = InitialWeights("normal", 2.0).draw(0, 1, "weight", (100, 100), 100)
    assert drawn.std() == pytest.approx(2.0, rel=0.02)
    by_fan_in = InitialWeights("fan_in", 2.0).draw(0, 1, "weight", (100, 100), 100)
    np.testing.assert_allclose(by_fan_in, drawn / 10)


def test_a_motif_is_measured_the_same_in_any_company():
    dishes = [draw_dish(make_settings(steps=50), seed) for seed in range(3)]
    space = SigmoidSlope()
    motifs = [space.blueprint([slope]) for slope in np.linspace(0.1, 2, 40)]
    together = run(motifs, dishes, (50,)).valid
    for index in (0, 17, 39):
        alone = run([motifs[index]], dishes, (50,)).valid
        torch.testing.assert_close(together[:, index], alone[:, 0], rtol=1e-10, atol=0)


def test_two_structures_share_the_weights_that_they_have_in_common():
    """A deeper network's first layer starts from the shallow one's."""
    batch = DishBatch.stack([draw_dish(make_settings(), 0)], torch.float64, "cpu")
    shallow, deep = SigmoidSlope(1).blueprint([0.5]), SigmoidSlope(3).blueprint([0.5] * 3)
    drawn = {}

    def draw(position, role, shape, fan_in):
        value = batch.draw_weights(position, role, shape, fan_in)
        drawn.setdefault((position, role, shape), []).append(value)
        return value

    for motif in (shallow, deep):
        SuperNetwork([motif], Widths(3, 2, 3)).initial_weights(draw)
    shared = [values for values in drawn.values() if len(values) == 2]
    assert len(shared) >= 4
    assert all(torch.equal(*pair) for pair in shared)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("statistic", ["final_valid", "mean_train", "mean_valid"])
@pytest.mark.parametrize(("optimizer", "n_batches"), [("adam", 1), ("adam", 3), ("sgd", 2)])
def test_the_outer_gradient_is_that_of_finite_differences(loss, statistic, optimizer, n_batches):
    dish = draw_dish(
        make_settings(
            loss=loss, statistic=statistic, optimizer=optimizer, n_batches=n_batches, steps=5
        ),
        seed=5,
    )
    batch = DishBatch.stack([dish], torch.float64, "cpu")
    space = SigmoidSlope()
    network = SuperNetwork(
        [space.blueprint([slope]) for slope in (0.2, 0.7, 1.1, 1.9)], batch.settings.widths
    )
    losses = torch.tensor([0.3, 0.1, 0.2, 0.5], dtype=torch.float64)
    read = STATISTICS[statistic]

    def outer(x_train, y_train, x_valid, y_valid):
        dishes = DishBatch(batch.settings, batch.seeds, x_train, y_train, x_valid, y_valid)
        measured = read.read(curves(network, dishes, read.checkpoints(5)))
        weights = torch.tensor([[1.0, 2.0, 0.5, 1.0]], dtype=torch.float64)
        return torch.stack(
            [function(measured, losses, weights) for function in OUTER_LOSSES.values()]
        )

    inputs = [
        tensor.clone().requires_grad_()
        for tensor in (batch.x_train, batch.y_train, batch.x_valid, batch.y_valid)
    ]
    assert torch.autograd.gradcheck(
        outer, inputs, eps=1e-6, atol=1e-5, rtol=1e-4, check_undefined_grad=False
    )


def test_the_super_network_runs_on_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    dishes = [draw_dish(make_settings(), 0)]
    motifs = [SigmoidSlope().blueprint([0.5])]
    batch = DishBatch.stack(dishes, torch.float64, "cuda")
    network = SuperNetwork(motifs, batch.settings.widths, device="cuda")
    on_gpu = curves(network, batch, (4,)).valid.cpu()
    torch.testing.assert_close(on_gpu, run(motifs, dishes, (4,)).valid)
