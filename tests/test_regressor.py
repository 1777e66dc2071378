"""PetriDishRegressor as its users meet it."""

import ast
import pickle
import random
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from small_regressors import FAST, fast

from sk_petridish import PetriDishRegressor
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish.blueprints import Blueprint, Node, Operation, temporary_operations
from sk_petridish.dish import DishEnsemble, NumbaEngine, _measure, draw_dish
from sk_petridish.motifs import SigmoidSlope
from sk_petridish.tasks import GaussianTask


@pytest.fixture(scope="module")
def fitted():
    slopes = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7, 1.1, 0.45])[:, None]
    return fast().fit(slopes, 0.02 + 0.01 * slopes.ravel())


def test_it_learns_to_order_motifs(problem):
    X, y = problem
    dish = PetriDishRegressor(n_dishes=3, max_iter=8, random_state=0).fit(X, y)
    assert np.corrcoef(dish.predict(X), y)[0, 1] > 0.95
    assert dish.loss_curve_[-1] < 0.1 * dish.loss_curve_[0]
    assert all(dish.converged for dish in dish.dishes_)


def test_fitted_attributes_say_what_happened(problem):
    dish = fast(motif_space=SigmoidSlope()).fit(*problem)
    assert len(dish.dishes_) == 2
    assert dish.n_iter_ == len(dish.loss_curve_) == 4
    assert dish.validation_scores_ is None
    assert dish.engine_ == "numba"
    assert dish.n_features_in_ == 1
    assert dish.motif_space_ is not dish.motif_space
    assert dish.dishes_[0].x_train.shape == (8, 10)


def test_engines_and_threads_change_nothing_that_matters(problem):
    X, y = problem
    one = fast().fit(X, y)
    np.testing.assert_array_equal(fast(n_jobs=2).fit(X, y).predict(X), one.predict(X))
    reference = fast(engine="torch").fit(X, y)
    assert reference.engine_ == "torch"
    np.testing.assert_allclose(one.predict(X), reference.predict(X), rtol=1e-6)
    single = fast(dtype="float32").fit(X, y)
    np.testing.assert_allclose(single.predict(X), reference.predict(X), rtol=0.02)


class SometimesSine(SigmoidSlope):
    """Slopes whose network ends in a sine, which has no kernel, if they are above one."""

    def _blueprint(self, row):
        blueprint = super()._blueprint(row)
        if row[0] <= 1:
            return blueprint
        *nodes, readout = blueprint.nodes
        sine = Node("test_sine", (len(nodes) - 1,))
        return Blueprint((*nodes, sine, Node("linear", (len(nodes),), units=readout.units)))


@pytest.fixture
def sine():
    """Register the operation of :class:`SometimesSine`."""
    with temporary_operations(Operation("test_sine", torch.sin)):
        yield


@pytest.mark.usefixtures("sine")
def test_motifs_without_a_kernel_go_to_the_reference_and_leave_the_others_alone(problem):
    X, y = problem
    low, high = X[X[:, 0] <= 1], X[X[:, 0] > 1]
    assert fast(motif_space=SometimesSine()).fit(X, y).engine_ == "torch"
    dish = fast(motif_space=SometimesSine()).fit(low, y[X[:, 0] <= 1])
    assert dish.engine_ == "numba"
    together = dish.predict(X)
    np.testing.assert_array_equal(together[X[:, 0] <= 1], dish.predict(low))
    np.testing.assert_allclose(together[X[:, 0] > 1], dish.predict(high), rtol=1e-9)
    with pytest.raises(ValueError, match=r"no kernel for the operations \['test_sine'\]"):
        fast(motif_space=SometimesSine(), engine="numba").fit(X, y)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_predictions_are_in_the_units_of_y(problem, scale):
    X, y = problem
    plain = fast().fit(X, y).predict(X)
    scaled = fast().fit(X, scale * y - 3 * scale).predict(X)
    np.testing.assert_allclose(scaled, scale * plain - 3 * scale, rtol=1e-6)


@settings(max_examples=10)
@given(rows=st.permutations(range(12)), cut=st.integers(1, 11))
def test_predictions_do_not_depend_on_the_other_rows(fitted, rows, cut):
    X = np.linspace(-0.5, 2.5, 12)[:, None]
    expected = fitted.predict(X)
    chosen = rows[:cut]
    np.testing.assert_allclose(fitted.predict(X[chosen]), expected[chosen], rtol=1e-9)


def test_many_motifs_are_predicted_in_pieces(fitted, monkeypatch):
    X = np.linspace(0.1, 2.0, 11)[:, None]
    expected = fitted.predict(X)
    monkeypatch.setattr(_measure, "_MAX_NETWORKS", 6)
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-9)


def test_return_std_is_the_spread_over_dishes(fitted):
    X = [[0.2], [0.8]]
    mean, std = fitted.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(X))
    assert (std > 0).all()
    alone = clone(fitted).set_params(n_dishes=1).fit([[0.4], [0.8], [1.4]], [1.0, 2.0, 4.0])
    np.testing.assert_array_equal(alone.predict(X, return_std=True)[1], 0.0)


def test_dishes_that_did_not_converge_are_left_out(problem):
    X, y = problem
    all_dishes = fast(n_dishes=6, max_iter=0).fit(X, y)
    outer = sorted(dish.outer_loss for dish in all_dishes.dishes_)
    # Learning that changes nothing, so that convergence is judged of known dishes.
    limit = (outer[2] + outer[3]) / 2
    still = {"max_iter": 1, "outer_lr": 1e-300, "outer_l2": 0.0, "learn_labels": False}
    best = fast(n_dishes=6, max_outer_loss=limit, **still).fit(X, y)
    assert sum(dish.converged for dish in best.dishes_) == best.n_converged_ == 3
    lowest = min(dish.outer_loss for dish in best.dishes_)
    single = fast(n_dishes=6, max_outer_loss=lowest + 1e-9, **still).fit(X, y)
    assert single.predict(X, return_std=True)[1].max() == 0.0
    assert best.predict(X, return_std=True)[1].max() > 0.0


def test_it_warns_when_no_dish_converged(problem):
    with pytest.warns(ConvergenceWarning, match="None of the 2 dishes converged") as record:
        dish = fast(max_outer_loss=0.0).fit(*problem)
    assert record[0].filename == __file__  # the user's line, not one of ours
    assert dish.n_converged_ == 0
    assert np.isfinite(dish.predict(problem[0])).all()


def test_without_learning_the_data_stays_the_tasks_own(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dish = fast(max_iter=0, max_outer_loss=0.0, task=GaussianTask()).fit(*problem)
    assert dish.n_iter_ == len(dish.loss_curve_) == 0
    expected = draw_dish(dish.dishes_[0].settings, dish.dishes_[0].seed)
    for name in ("x_train", "y_train", "x_valid", "y_valid"):
        np.testing.assert_array_equal(getattr(dish.dishes_[0], name), getattr(expected, name))


def test_early_stopping_without_learning_is_no_learning(problem):
    assert fast(max_iter=0, early_stopping=True).fit(*problem).validation_scores_.shape == (0,)


def test_early_stopping_holds_motifs_out(problem):
    dish = fast(early_stopping=True, validation_fraction=0.25, max_iter=6).fit(*problem)
    assert dish.validation_scores_.shape == (dish.n_iter_,)
    assert (dish.validation_scores_ <= 0).all()


def test_early_stopping_learns_nothing_from_held_out_motifs(problem):
    """Changing a held-out loss, within the order of losses, changes no dish."""
    X, y = problem
    options = {"early_stopping": True, "validation_fraction": 0.25, "max_iter": 2, "tol": 0.0}
    dish = fast(**options).fit(X, y)
    (held_out,) = dish.left_out_.all(axis=0).nonzero()
    assert len(held_out) == 2
    changed = y.copy()
    changed[np.isin(X, dish.X_train_[held_out]).ravel()] *= 1.001
    again = fast(**options).fit(X, changed)
    np.testing.assert_array_equal(again.dishes_[0].x_train, dish.dishes_[0].x_train)
    np.testing.assert_array_equal(again.predict(X), dish.predict(X))
    assert not np.array_equal(again.validation_scores_, dish.validation_scores_)


def test_early_stopping_needs_enough_motifs(problem):
    X, y = problem
    with pytest.raises(ValueError, match="would hold out 0 of 2 motifs"):
        fast(early_stopping=True).fit(X[:2], y[:2])
    # Of these three, this seed holds the only one out that differs.
    dish = fast(early_stopping=True, validation_fraction=0.4, random_state=5)
    with pytest.raises(ValueError, match="two of different loss"):
        dish.fit(X[:3], [1.0, 1.0, 2.0])


def test_the_papers_settings_and_the_recommended_ones_run(problem):
    space = SigmoidSlope()
    for name in ("paper", "best"):
        recommended = space.recommended(name) | {"max_iter": 1, "inner_steps": 5}
        PetriDishRegressor(space, **recommended, n_dishes=1, max_outer_loss=4.0).fit(*problem)
    assert space.recommended("paper")["n_hidden"] == 1
    # All 60 steps of Table 2, with nothing said about stopping.
    assert space.recommended("paper")["n_iter_no_change"] >= space.recommended("paper")["max_iter"]
    with pytest.raises(ValueError, match="No settings are called 'fastest'"):
        space.recommended("fastest")


@pytest.mark.parametrize("inner_loss", ["bce", "cross_entropy", "mse"])
@pytest.mark.parametrize("inner_optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_inner_loop_runs(problem, inner_loss, inner_optimizer, dtype):
    dish = fast(
        inner_loss=inner_loss,
        inner_optimizer=inner_optimizer,
        dtype=dtype,
        outer_loss="rank",
        statistic="mean_valid",
        init="fan_in",
    ).fit(*problem)
    assert np.isfinite(dish.predict(problem[0])).all()


def test_each_column_is_the_slope_of_a_layer_by_default():
    X = np.random.default_rng(0).uniform(0.2, 1.5, (6, 3))
    dish = fast().fit(X, X.sum(axis=1))
    assert dish.motif_space_.n_slopes == 3
    assert not np.isclose(*dish.predict([[0.2, 1.0, 1.0], [1.0, 1.0, 0.2]]))


# --- reproducibility ---------------------------------------------------------------


def test_the_same_random_state_gives_the_same_result(problem):
    X, y = problem
    first = fast(random_state=5).fit(X, y).predict(X)
    np.testing.assert_array_equal(fast(random_state=5).fit(X, y).predict(X), first)
    from_instance = fast(random_state=np.random.RandomState(5)).fit(X, y).predict(X)
    np.testing.assert_array_equal(from_instance, first)
    assert not np.array_equal(fast(random_state=6).fit(X, y).predict(X), first)


def test_numbers_of_numpy_are_as_good_as_those_of_python(problem):
    X, y = problem
    whole = {name: np.int64(value) for name, value in FAST.items() if type(value) is int}
    here = fast(**whole, batch_size=np.int64(4)).fit(X, y).predict(X)
    np.testing.assert_array_equal(here, fast(batch_size=4).fit(X, y).predict(X))


def test_the_same_result_in_another_process(problem):
    X, y = problem
    script = (
        "import numpy as np\n"
        "from sk_petridish import PetriDishRegressor\n"
        f"X, y = np.array({X.tolist()}), np.array({y.tolist()})\n"
        f"dish = PetriDishRegressor(**{FAST}, batch_size=4)\n"
        "print(dish.fit(X, y).predict(X).tolist())\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    here = fast(batch_size=4).fit(X, y).predict(X)
    np.testing.assert_allclose(ast.literal_eval(output), here, rtol=1e-12)


def test_global_random_states_are_left_alone(problem):
    X, y = problem
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    fast(batch_size=4, early_stopping=True, random_state=None).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), before[0])
    # random_state=None draws from numpy's global generator, as everywhere in scikit-learn.
    np.random.seed(0)  # noqa: NPY002
    fast(batch_size=4, early_stopping=True, random_state=1).fit(X, y).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_torchs_thread_count_is_restored_also_after_an_error(problem):
    X, y = problem
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fast().fit(X, y).predict(X)
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="device must be"):
            fast(device="nowhere").fit(X, y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_overlapping_fits_in_threads_restore_torchs_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first_in, first_out = threading.Event(), threading.Event()

        def overlap():
            with one_torch_thread():
                first_in.set()
                first_out.wait(10)

        thread = threading.Thread(target=overlap)
        with one_torch_thread():
            thread.start()
            first_in.wait(10)
        first_out.set()
        thread.join()
        found = []
        for _ in range(2):
            fresh = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
            fresh.start()
            fresh.join()
        assert [torch.get_num_threads(), *found] == [2, 2, 2]
    finally:
        torch.set_num_threads(before)


def test_pickle_and_clone(fitted, problem):
    X, _ = problem
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    unfitted = clone(fitted)
    assert unfitted.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


def test_it_lives_in_pipelines_grid_searches_and_cross_validation(problem):
    X, y = problem
    pipeline = make_pipeline(FunctionTransformer(), fast())
    predictions = cross_val_predict(pipeline, X, y, cv=2)
    assert np.isfinite(predictions).all()
    grid = GridSearchCV(
        fast(motif_space=SigmoidSlope()),
        {"inner_lr": [0.01, 0.05], "motif_space__high": [2.0]},
        cv=2,
        n_jobs=2,
    ).fit(X, y)
    alone = clone(grid.best_estimator_).fit(X, y)
    np.testing.assert_allclose(grid.predict(X), alone.predict(X), rtol=1e-12)


# --- bad input ---------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_losses_must_be_finite(problem, bad):
    X, y = problem
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)[\s\S]*training failed"):
        fast().fit(X, np.where(np.arange(len(y)) == 3, bad, y))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_motifs_must_be_finite(problem, fitted, bad):
    X, y = problem
    X = X.copy()
    X[2] = bad
    for call in (lambda: fast().fit(X, y), lambda: fitted.predict(X)):
        with pytest.raises(ValueError, match=r"contains (NaN|inf)[\s\S]*A row of X is one motif"):
            call()


def test_rows_must_have_the_width_of_a_motif(problem, fitted):
    X, y = problem
    wide = np.hstack([X, X])
    message = "A row of X is one motif: .*slope"
    with pytest.raises(ValueError, match=message):
        fast(motif_space=SigmoidSlope()).fit(wide, y)
    with pytest.raises(ValueError, match=r"X has 2 features[\s\S]*" + message):
        fitted.predict(wide)
    with pytest.raises(ValueError, match=r"Expected 2D array[\s\S]*" + message):
        fast().fit(X.ravel(), y)


@pytest.mark.parametrize("value", [0.0, 3.0, 1e9])
def test_equal_losses_hold_no_order(problem, value):
    with pytest.raises(ValueError, match="no order to learn"):
        fast().fit(problem[0], np.full(8, value))


def test_two_different_motifs_are_needed(problem):
    X, y = problem
    with pytest.raises(ValueError, match="at least 2 different ones"):
        fast().fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="at least 2 different ones"):
        fast().fit([[0.5], [0.5]], [1.0, 2.0])


def test_rows_of_the_same_motif_are_averaged(problem):
    X, y = problem
    noise = np.linspace(-1e-3, 1e-3, len(y))
    repeated = fast().fit(np.vstack([X, X]), np.concatenate([y + noise, y - noise]))
    np.testing.assert_allclose(repeated.predict(X), fast().fit(X, y).predict(X), rtol=1e-7)


def test_lengths_must_match(problem):
    with pytest.raises(ValueError, match="X has 8 motifs, but y has 7 losses"):
        fast().fit(problem[0], problem[1][:7])
    with pytest.raises(ValueError, match="requires y to be passed"):
        fast().fit(problem[0], None)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("engine", "warp"),
        ("motif_space", "sigmoid"),
        ("task", "mnist"),
        ("statistic", "last"),
        ("inner_loss", "hinge"),
        ("outer_loss", "ndcg"),
        ("n_dishes", 0),
        ("inner_lr", -1.0),
        ("batch_size", 1),
        ("validation_fraction", 1.0),
        ("init", "zeros"),
    ],
)
def test_an_unknown_parameter_value_names_the_parameter(problem, parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of PetriDishRegressor"):
        fast(**{parameter: value}).fit(*problem)


def test_mini_batches_have_equal_size(problem):
    with pytest.raises(ValueError, match="n_batches=3 does not divide n_synthetic=8"):
        fast(n_batches=3).fit(*problem)


def test_inner_loops_that_diverge_cost_no_nan(problem):
    X, y = problem
    exploding = {"inner_optimizer": "sgd", "inner_loss": "mse", "inner_lr": 1e3, "inner_steps": 200}
    with (
        pytest.warns(ConvergenceWarning, match="None of the 2 dishes"),
        pytest.warns(RuntimeWarning, match="8 of 8 motifs diverged in at least one dish"),
    ):
        dish = fast(**exploding).fit(X, y)
    with pytest.warns(RuntimeWarning, match="of 3 motifs diverged"):
        predictions, spread = dish.predict([[0.1], [1.0], [5.0]], return_std=True)
    assert np.isfinite(predictions).all()
    assert np.isfinite(spread).all()


def test_a_diverged_motif_is_predicted_worse_than_any_training_motif(problem, monkeypatch):
    X, y = problem
    dish = fast().fit(X, y)
    finite = dish.predict([[0.5]])
    original = DishEnsemble.statistics

    def diverge(ensemble, blueprints):
        statistic = original(ensemble, blueprints)
        statistic[:, 1] = np.nan
        return statistic

    monkeypatch.setattr(DishEnsemble, "statistics", diverge)
    with pytest.warns(RuntimeWarning, match="1 of 2 motifs diverged"):
        predictions = dish.predict([[0.5], [0.6]])
    np.testing.assert_allclose(predictions[0], finite[0], rtol=1e-9)
    assert predictions[1] == pytest.approx(y.max() + 10 * np.ptp(y))


@pytest.mark.parametrize("huge", [1e7, 1e308, -1e308, np.inf])
def test_an_inner_loop_that_explodes_but_stays_finite_has_diverged_too(problem, monkeypatch, huge):
    X, y = problem
    dish = fast().fit(X, y)
    original = NumbaEngine.curves

    def explode(engine, network, dishes, checkpoints):
        measured = original(engine, network, dishes, checkpoints)
        return measured._replace(mean_train=torch.full_like(measured.mean_train, huge))

    monkeypatch.setattr(NumbaEngine, "curves", explode)
    with pytest.warns(RuntimeWarning, match="2 of 2 motifs diverged") as record:
        predictions, spread = dish.predict([[0.5], [0.6]], return_std=True)
    assert record[0].filename == __file__
    np.testing.assert_allclose(predictions, y.max() + 10 * np.ptp(y))
    np.testing.assert_array_equal(spread, 0.0)


def test_a_fit_that_fails_leaves_no_half_of_the_one_before(problem):
    X, y = problem
    dish = fast().fit(X, y)
    with pytest.raises(ValueError, match="no order to learn"):
        dish.fit(np.hstack([X, X]), np.ones(len(y)))
    with pytest.raises(NotFittedError):
        dish.predict(np.hstack([X, X]))


@pytest.mark.parametrize("steps", [[20.5], [-3], ["a"], [0]])
def test_outer_lr_steps_are_steps(problem, steps):
    with pytest.raises(ValueError, match="'outer_lr_steps' parameter of PetriDishRegressor"):
        fast(outer_lr_steps=steps).fit(*problem)


def test_settings_that_a_space_does_not_recommend_are_the_papers(problem):
    class Slope(SigmoidSlope):
        def recommended(self, name="best"):
            return {"n_hidden": 3}

    dish = PetriDishRegressor(
        Slope(), n_dishes=1, max_iter=1, inner_steps=5, max_outer_loss=4.0, random_state=0
    ).fit(*problem)
    settings = dish.dishes_[0].settings
    assert settings.widths.n_hidden == 3
    assert settings.n_synthetic == 10
    assert settings.statistic == "final_valid"
