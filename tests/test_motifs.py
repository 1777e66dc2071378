"""The contract of motif spaces, held by every space that is found."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
from sklearn.base import clone
from test_module_motif import SPACE as OF_MODULES

import sk_petridish.motifs
from sk_petridish import PetriDishRegressor
from sk_petridish.blueprints import Blueprint, ModuleBlueprint
from sk_petridish.inspection import MotifDisplay
from sk_petridish.motifs import (
    ConvCell,
    ModuleMotif,
    MotifSpace,
    ProductSpace,
    RecurrentCell,
    SigmoidSlope,
)

_CELL = RecurrentCell(n_nodes=2)
MORE = {
    SigmoidSlope: [SigmoidSlope(), SigmoidSlope(3)],
    RecurrentCell: [RecurrentCell(), RecurrentCell(8, gated=False, average="loose_ends")],
    ConvCell: [ConvCell(), ConvCell(2, ("nor_conv_3x3", "skip_connect", "none"))],
    ModuleMotif: [OF_MODULES],
    ProductSpace: [
        ProductSpace({"normal": ConvCell(n_cells=1), "reduce": ConvCell(n_cells=1)}),
        ProductSpace({"cells": ProductSpace({"a": _CELL, "b": _CELL}), "cell": RecurrentCell(3)}),
        ProductSpace({"module": OF_MODULES, "slope": SigmoidSlope()}),
        ProductSpace({"only": SigmoidSlope()}),
    ],
}
SPACES = [
    instance
    for name in sk_petridish.motifs.__all__
    if inspect.isclass(space := getattr(sk_petridish.motifs, name))
    and issubclass(space, MotifSpace)
    and not inspect.isabstract(space)
    for instance in MORE.get(space) or [space()]
]


def of_modules(space):
    """Return whether networks are modules of the user's own."""
    return isinstance(space.blueprints(space.sample(1, random_state=0))[0], ModuleBlueprint)


# A module's factory would show where in memory it lies.
NAMES = [f"{type(space).__name__}-{number}" for number, space in enumerate(SPACES)]
pytestmark = pytest.mark.parametrize("space", SPACES, ids=NAMES)


def test_it_samples_legal_motifs_reproducibly(space):
    X = space.sample(20, random_state=0)
    np.testing.assert_array_equal(space.validate(X), X)
    np.testing.assert_array_equal(space.sample(20, random_state=0), X)
    assert not np.array_equal(space.sample(20, random_state=1), X)
    assert len(set(space.canonical_keys(X))) > 1


def test_notation_is_lossless(space):
    X = space.sample(10, random_state=0)
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)


def test_repair_leaves_legal_rows_alone_and_makes_others_legal(space):
    X = space.sample(10, random_state=0)
    np.testing.assert_array_equal(space.repair(X), X)
    wild = np.random.default_rng(0).normal(scale=50, size=X.shape)
    repaired = space.repair(wild)
    np.testing.assert_array_equal(space.repair(repaired), repaired)
    for row in repaired:
        assert isinstance(space.blueprint(row), Blueprint | ModuleBlueprint)


def test_equal_rows_have_equal_keys_and_blueprints(space):
    X = space.sample(5, random_state=0)
    assert space.canonical_keys(X) == space.canonical_keys(X.copy())
    assert space.blueprint(X[0]) == space.blueprint(X[0].copy())


def test_optuna_can_suggest_motifs(space):
    X = space.sample(3, random_state=0)
    assert len(space.search_space()) == X.shape[1]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rows = []

    def objective(trial):
        rows.append(space.suggest(trial))
        return 0.0

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.optimize(objective, n_trials=3)
    space.validate(rows)
    for row, trial in zip(rows, study.trials, strict=True):
        assert trial.distributions == space.search_space()
        # What Optuna proposes is made legal.
        (repaired,) = space.repair([list(trial.params.values())])
        np.testing.assert_array_equal(row, repaired)


def test_bad_rows_get_an_error_that_says_what_a_row_is(space):
    X = space.sample(2, random_state=0)
    for bad in (np.full_like(X, np.nan), np.full_like(X, np.inf), np.hstack([X, X]), X.ravel()):
        with pytest.raises(ValueError, match="A row of X is one motif"):
            space.validate(bad)


EMPTY = {
    "SigmoidSlope": [{"low": 2.0, "high": 1.0}, {"n_slopes": 0}],
    "ActivationFunction": [{"low": 2.0, "high": 1.0}, {"max_nodes": 0}],
    "RecurrentCell": [{"n_nodes": 0}, {"activations": ()}],
    "RecurrentGraph": [{"max_nodes": 0}],
    "ConvCell": [{"n_cells": 0}, {"operations": ()}],
    "ModuleMotif": [{"distributions": {}}],
    "ProductSpace": [{"spaces": {}}, {"spaces": {"part": SigmoidSlope().set_params(n_slopes=0)}}],
}


def test_an_empty_space_is_refused_when_made_and_when_used(space):
    rows = space.sample(1, random_state=0)
    for change in EMPTY[type(space).__name__]:
        reason = "|".join(["Part", *change])
        with pytest.raises(ValueError, match=reason):
            type(space)(**(space.get_params(deep=False) | change))
        empty = clone(space).set_params(**change)
        for use, given in (
            (empty.sample, 1),
            (empty.recommended, "best") if "spaces" in change else (empty.repair, rows),
            (empty.validate, rows),
            (empty.blueprints, rows),
        ):
            with pytest.raises(ValueError, match=reason):
                use(given)


def test_mutation_and_crossover_give_motifs(space):
    X = space.sample(12, random_state=0)
    np.testing.assert_array_equal(space.mutate(X, 0.0, random_state=0), X)
    for rows in (space.mutate(X, 0.3, random_state=0), space.crossover(X, X[::-1], random_state=0)):
        np.testing.assert_array_equal(space.validate(rows), rows)
        np.testing.assert_array_equal(space.repair(rows), rows)
    same = space.crossover(X, X, random_state=0)
    np.testing.assert_array_equal(same, X)


def test_every_family_can_be_learned_from(space):
    """Few dishes, few steps, but the family's own tasks."""
    X = space.sample(6, random_state=0)
    few = {
        "n_dishes": 1,
        "inner_steps": 3,
        "max_iter": 1,
        "max_outer_loss": 10.0,
        "oob_fraction": 0.0,
    }
    few |= {"n_synthetic": 8, "n_batches": 2, "random_state": 0}
    if space.data_kind == "images":
        few |= {"image_size": 4}
    dish = PetriDishRegressor(space, **few).fit(X, np.arange(len(X)))
    alone = [dish.predict(row[None])[0] for row in X]
    np.testing.assert_allclose(dish.predict(X), alone, rtol=1e-7)
    assert np.isfinite(alone).all()


def test_it_can_be_looked_at(space):
    (row,) = space.sample(1, random_state=0)
    if of_modules(space):
        with pytest.raises(ValueError, match="is a module, whose graph is not known"):
            space.graph(row)
        return
    display = MotifDisplay.from_motif(space, row)
    assert display.ax_.texts or display.ax_.lines
    plt.close(display.figure_)


def test_it_can_be_cloned(space):
    assert repr(clone(space)) == repr(space)


def test_what_was_learned_from_it_can_be_saved_and_loaded(space, tmp_path):
    X = space.sample(5, random_state=0)
    few = {"n_dishes": 1, "inner_steps": 2, "max_iter": 0, "oob_fraction": 0.0, "image_size": 3}
    dish = PetriDishRegressor(space, **few, n_synthetic=4, n_batches=1, random_state=0)
    dish.fit(X, np.arange(len(X)))
    dish.save(tmp_path / "dish.safetensors")
    given = {"motif_space": space} if of_modules(space) else {}
    again = PetriDishRegressor.load(tmp_path / "dish.safetensors", **given)
    assert repr(again.motif_space_) == repr(space)
    np.testing.assert_array_equal(again.predict(X), dish.predict(X))
