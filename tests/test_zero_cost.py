"""Measures of networks before any training."""

import numpy as np
import pytest
import torch
from small_dishes import make_settings

from sk_petridish.blueprints import Blueprint, Node
from sk_petridish.dish import ZERO_COST, DishBatch, draw_dish, zero_cost
from sk_petridish.motifs import ConvCell, RecurrentCell, SigmoidSlope


def measured(blueprints, settings):
    dishes = [draw_dish(settings, seed) for seed in range(2)]
    values = zero_cost(blueprints, dishes, dtype=torch.float64, device="cpu")
    return dict(zip(ZERO_COST, np.moveaxis(values, -1, 0), strict=True))


def alone(blueprint, settings, seed):
    """Return the loss, weights and samples of one network, for torch's own autograd."""
    dish = draw_dish(settings, seed)
    batch = DishBatch.stack([dish], torch.float64, "cpu")
    module = blueprint.build(*settings.widths).double()
    for name, weight in module.weights.items():
        position, role = name.split("_")
        fan_in = module.weights[f"{position}_weight"].shape[0]
        drawn = batch.draw_weights(int(position), role, tuple(weight.shape), fan_in)
        weight.data = drawn[0]
    x = batch.x_train[0].clone().requires_grad_()
    outputs = module(x)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs, batch.y_train[0])
    return loss, list(module.parameters()), x, outputs


def test_gradients_are_torchs():
    settings = make_settings()
    blueprints = [SigmoidSlope().blueprint([slope]) for slope in (0.3, 1.5)]
    values = measured(blueprints, settings)
    for motif, blueprint in enumerate(blueprints):
        for dish in range(2):
            loss, weights, x, outputs = alone(blueprint, settings, dish)
            gradients = torch.autograd.grad(loss, [*weights, x])
            flat = torch.cat([one.flatten() for one in gradients[:-1]])
            products = torch.cat(
                [(one * weight).flatten() for one, weight in zip(gradients, weights, strict=False)]
            )
            for name, expected in (
                ("grad_norm", flat.norm()),
                ("snip", products.abs().sum()),
                ("input_grad_norm", gradients[-1].norm()),
                ("output_std", outputs.std()),
            ):
                assert values[name][dish, motif] == pytest.approx(np.log(expected.item()), rel=1e-6)


def test_features_of_full_and_of_low_rank():
    """The rank of features behind a layer of four units, or behind four equal units."""
    settings = make_settings(widths=make_settings().widths._replace(n_inputs=8, n_hidden=4))
    start = (Node("input"), Node("linear", (0,), units="n_hidden"))
    end = Node("linear", (2,), units="n_outputs")
    full = Blueprint((*start, Node("tanh", (1,)), end))
    none = Blueprint((*start, Node("scale", (1,), (0.0,)), end))
    rank = measured([full, none], settings)["feature_rank"]
    assert (rank[:, 0] > 2).all()
    assert (rank[:, 1] <= 1.0 + 1e-6).all()


def test_reach_counts_the_positions_that_an_output_sees():
    settings = make_settings(sample_shape=(6,))
    cell = RecurrentCell(2)
    memory = cell.blueprint(cell.sample(1, random_state=0)[0])
    linear = Blueprint((Node("input"), Node("linear", (0,), units="n_outputs")))
    reach = measured([memory, linear], settings)["receptive_field"]
    assert (reach[:, 0] > 1.2).all()
    np.testing.assert_allclose(reach[:, 1], 1.0, rtol=1e-6)
    images = make_settings(sample_shape=(7, 7))
    cells = ConvCell(1)
    # 1 x 1 convolutions behind the stem, or 3 x 3 ones.
    near, far = ([0, 0, 0, 2, 0, 0], [3, 0, 3, 0, 0, 3])
    reach = measured([cells.blueprint(near), cells.blueprint(far)], images)["receptive_field"]
    assert (reach[:, 0] < reach[:, 1]).all()


def test_measures_do_not_depend_on_other_motifs():
    settings = make_settings()
    blueprints = [SigmoidSlope().blueprint([slope]) for slope in (0.3, 1.5)]
    together, single = measured(blueprints, settings), measured(blueprints[:1], settings)
    for name in ZERO_COST:
        np.testing.assert_allclose(together[name][:, :1], single[name], rtol=1e-9)


def test_sequences_of_one_step_are_sequences():
    cell = RecurrentCell(2)
    blueprint = cell.blueprint(cell.sample(1, random_state=0)[0])
    reach = measured([blueprint], make_settings(sample_shape=(1,)))["receptive_field"]
    np.testing.assert_allclose(reach, 1.0, rtol=1e-6)


def test_a_network_that_overflows_leaves_the_others_alone():
    """Its measures have no value; those of the others are what they are without it."""
    nodes = (
        Node("input"),
        Node("linear", (0,), units="n_hidden"),
        *(Node("exp", (position,)) for position in range(1, 5)),
        Node("linear", (5,), units="n_outputs"),
    )
    settings, others = make_settings(), SigmoidSlope().blueprints([[0.3], [1.5]])
    values = measured([others[0], Blueprint(nodes), others[1]], settings)
    for name, alone_ in measured(others, settings).items():
        assert np.isfinite(values[name]).all()
        np.testing.assert_allclose(values[name][:, [0, 2]], alone_, rtol=1e-12)
    assert (values["jacob_cov"][:, 1] == 0).any()
