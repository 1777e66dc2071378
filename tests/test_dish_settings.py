"""Dishes and their settings, checked where they are made, by hand as well as from a file."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from small_dishes import make_settings

from sk_petridish.blueprints import Widths
from sk_petridish.dish import (
    DishBatch,
    DishEnsemble,
    EngineOptions,
    check_proportion,
    choose_engine,
    draw_dish,
)
from sk_petridish.motifs import ConvCell, SigmoidSlope
from sk_petridish.tasks import GaussianTask

SETTINGS = make_settings()
BLUEPRINT = SigmoidSlope().blueprint([0.5])


@pytest.mark.parametrize(
    "part", [SETTINGS, SETTINGS.inner, SETTINGS.initial_weights, EngineOptions()], ids=type
)
def test_every_field_of_settings_is_checked(part):
    for field in fields(part):
        with pytest.raises(ValueError, match=f"{field.name}.*{type(part).__name__}"):
            replace(part, **{field.name: object()})


@pytest.mark.parametrize("width", [0, -1, 2.0, "x", None])
@pytest.mark.parametrize("name", Widths._fields)
def test_widths_are_positive_whole_numbers(name, width):
    with pytest.raises(ValueError, match="widths must be positive whole numbers"):
        replace(SETTINGS, widths=SETTINGS.widths._replace(**{name: width}))


@pytest.mark.parametrize("shape", [(0,), (-1, 2), (2.0,), (1, 2, 3)])
def test_axes_of_samples_are_positive_whole_numbers(shape):
    with pytest.raises(ValueError, match=r"sample_shape must be|got the shape \(1, 2, 3\)"):
        replace(SETTINGS, sample_shape=shape)


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_valid", "y_valid"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_dish_has_the_shapes_that_its_settings_ask_for(name, axis):
    dish = draw_dish(SETTINGS, 0)
    shorter = np.delete(getattr(dish, name), 0, axis=axis)
    with pytest.raises(ValueError, match=f"{name} of a dish has shape .* but its settings ask for"):
        replace(dish, **{name: shorter})


def test_dishes_of_an_ensemble_share_their_settings():
    ours, equal, other = (draw_dish(make_settings(**one), 0) for one in ({}, {}, {"steps": 5}))
    DishEnsemble([ours, equal])
    with pytest.raises(ValueError, match="dish 1 has"):
        DishEnsemble([ours, other])
    for none in ([], [1]):
        with pytest.raises(ValueError, match="at least one Dish"):
            DishEnsemble(none)


def test_kernels_get_samples_with_the_axes_of_the_settings():
    """A dish cannot have others, but a batch of tensors can."""
    sequences = make_settings(sample_shape=(3,), task=GaussianTask())
    batch = DishBatch.stack([draw_dish(sequences, 0)], torch.float64, "cpu")
    options = {"dtype": torch.float64, "device": "cpu", "n_jobs": 1}
    engine = choose_engine("numba", [BLUEPRINT], **options)
    network = engine.build([BLUEPRINT], sequences)
    longer = torch.cat([batch.x_valid, batch.x_valid], dim=2)
    with pytest.raises(ValueError, match=r"x_valid has shape .* must have the axes \(3,\)"):
        engine.curves(network, replace(batch, x_valid=longer), (4,))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"widths": Widths(3, 10**6, 3)}, "weights"),
        ({"steps": 10_000}, "calls"),
        ({"widths": Widths(3, 2000, 3), "steps": 1000, "n_synthetic": 60}, "operations"),
    ],
)
def test_a_motif_network_out_of_proportion_is_noticed_before_it_is_built(changes, word):
    check_proportion(BLUEPRINT, draw_dish(SETTINGS, 0))
    settings = make_settings(**changes, task=GaussianTask())
    with pytest.raises(ValueError, match=f"{word}.* out of proportion"):
        check_proportion(BLUEPRINT, draw_dish(settings, 0))


def test_a_motif_network_of_too_many_nodes_is_noticed():
    images = make_settings(sample_shape=(4, 4), task=GaussianTask())
    blueprint = ConvCell(n_cells=200).blueprint([2, 2, 2, 2, 2, 2])
    with pytest.raises(ValueError, match="nodes, more than 1000"):
        check_proportion(blueprint, draw_dish(images, 0))
