"""The contract of motif spaces, held by every space that is found."""

import inspect

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sk_petridish.motifs
from sk_petridish.blueprints import Blueprint
from sk_petridish.motifs import SigmoidSlope

SPACES = [
    instance
    for name in sk_petridish.motifs.__all__
    if inspect.isclass(space := getattr(sk_petridish.motifs, name))
    and not inspect.isabstract(space)
    for instance in (space(), *([SigmoidSlope(3)] if space is SigmoidSlope else []))
]

pytestmark = pytest.mark.parametrize("space", SPACES, ids=repr)


def test_it_samples_legal_motifs_reproducibly(space):
    X = space.sample(20, random_state=0)
    np.testing.assert_array_equal(space.validate(X), X)
    np.testing.assert_array_equal(space.sample(20, random_state=0), X)
    assert not np.array_equal(space.sample(20, random_state=1), X)
    assert len(set(space.canonical(X))) > 1


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
        assert isinstance(space.blueprint(row), Blueprint)


def test_equal_rows_have_equal_keys_and_blueprints(space):
    X = space.sample(5, random_state=0)
    assert space.canonical(X) == space.canonical(X.copy())
    assert space.blueprint(X[0]) == space.blueprint(X[0].copy())


def test_optuna_can_suggest_motifs(space):
    X = space.sample(3, random_state=0)
    assert len(space.distributions()) == X.shape[1]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rows = []

    def objective(trial):
        rows.append(space.suggest(trial))
        return 0.0

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.optimize(objective, n_trials=3)
    space.validate(rows)
    for row, trial in zip(rows, study.trials, strict=True):
        assert trial.distributions == space.distributions()
        np.testing.assert_array_equal(row, list(trial.params.values()))


def test_bad_rows_get_an_error_that_says_what_a_row_is(space):
    X = space.sample(2, random_state=0)
    for bad in (np.full_like(X, np.nan), np.full_like(X, np.inf), np.hstack([X, X]), X.ravel()):
        with pytest.raises(ValueError, match="A row of X is one motif"):
            space.validate(bad)


def test_an_empty_space_is_refused(space):
    for change in ({"low": 2.0, "high": 1.0}, {"n_slopes": 0}):
        empty = clone(space).set_params(**change)
        with pytest.raises(ValueError, match="is empty"):
            empty.sample(1)
        with pytest.raises(ValueError, match="is empty"):
            empty.repair([[1.5]])


def test_it_can_be_cloned(space):
    assert repr(clone(space)) == repr(space)


@given(slopes=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4))
def test_each_hidden_layer_has_its_slope(space, slopes):
    nodes = SigmoidSlope(len(slopes)).blueprint(slopes).nodes
    found = [node.parameters[0] for node in nodes if node.operation == "sigmoid"]
    assert found == (slopes * 2 if len(slopes) == 1 else slopes)
