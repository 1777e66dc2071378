"""Selection of hyperparameters: what is searched, and how."""

import functools

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from sk_petridish import PetriDishRegressor
from sk_petridish.blueprints import CARRIED, Blueprint, Node
from sk_petridish.model_selection import _select, outer_mse_scorer, select_hyperparameters
from sk_petridish.model_selection._optuna import OptunaSearchCV
from sk_petridish.motifs import SigmoidSlope

SLOPES = np.linspace(0.4, 1.5, 12)[:, None]
LOSSES = 0.02 + 0.01 * SLOPES.ravel()
SMALL = {"n_dishes": 1, "inner_steps": 5, "max_iter": 1, "max_outer_loss": 4.0, "random_state": 0}
RANGES = {
    "n_hidden": [1, 2, 3],
    "inner_lr": FloatDistribution(1e-3, 1e-1, log=True),
    "n_synthetic": IntDistribution(4, 12, step=4),
}


def select(**options):
    defaults = {"param_distributions": RANGES, "random_state": 0}
    return select_hyperparameters(
        PetriDishRegressor(**SMALL), SLOPES, LOSSES, **(defaults | options)
    )


@pytest.mark.parametrize(
    ("method", "kind"),
    [("grid", GridSearchCV), ("random", RandomizedSearchCV), ("optuna", OptunaSearchCV)],
)
def test_every_method_gives_an_ordinary_fitted_search(method, kind):
    search = select(method=method, n_iter=5)
    assert isinstance(search, kind)
    tried = search.cv_results_["params"]
    assert len(tried) == (3 * 2 * 3 if method == "grid" else 5)
    for params in tried:
        assert params["n_hidden"] in (1, 2, 3)
        assert 1e-3 <= params["inner_lr"] <= 1e-1
        assert params["n_synthetic"] in (4, 8, 12)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert search.best_params_ == tried[search.best_index_]
    # The best setting learned from all motifs.
    assert len(search.best_estimator_.X_train_) == 12
    assert search.predict(SLOPES).shape == (12,)


def test_settings_are_compared_by_outer_loss_on_the_other_half():
    search = select(method="grid", param_distributions={"n_hidden": [1, 3]})
    ((train, test),) = search.cv.split(SLOPES)
    assert len(train) == len(test) == 6
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        dish = PetriDishRegressor(**(SMALL | params)).fit(SLOPES[train], LOSSES[train])
        assert score == outer_mse_scorer(dish, SLOPES[test], LOSSES[test])
        assert score <= 0


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_a_seed_determines_what_is_tried(method):
    first, again = select(method=method, n_iter=4), select(method=method, n_iter=4)
    assert first.cv_results_["params"] == again.cv_results_["params"]
    assert (
        select(method=method, n_iter=4, random_state=1).cv_results_["params"]
        != (first.cv_results_["params"])
    )


def test_the_estimator_stays_as_it_is_and_weights_are_passed_on():
    dish = PetriDishRegressor(**SMALL)
    before = clone(dish).get_params()
    weights = np.arange(12.0)
    search = select_hyperparameters(
        dish, SLOPES, LOSSES, method="grid", param_distributions={"n_hidden": [1]},
        sample_weight=weights, random_state=0,
    )  # fmt: skip
    assert dish.get_params() == before
    np.testing.assert_array_equal(search.best_estimator_.sample_weight_train_, weights[1:])


def test_without_ranges_they_and_the_other_settings_are_the_papers(monkeypatch):
    ranges = SigmoidSlope().hyperparameters()
    assert ranges["outer_lr"] == FloatDistribution(0.01, 0.05, log=True)
    assert ranges["max_iter"] == CategoricalDistribution((20, 40, 60))
    short = ranges | {"inner_steps": [5], "max_iter": [1]}
    monkeypatch.setattr(SigmoidSlope, "hyperparameters", lambda self: short)
    dish = PetriDishRegressor(n_dishes=1, max_outer_loss=4.0, random_state=0)
    search = select_hyperparameters(dish, SLOPES, LOSSES, n_iter=3, random_state=0)
    assert search.best_estimator_.statistic == "final_valid"
    assert search.best_estimator_.validation_data == "copy"
    assert search.best_estimator_.n_synthetic in (10, 20)


class Recurrent(SigmoidSlope):
    """A motif space with a state."""

    data_kind = "sequences"

    def _blueprint(self, row):
        return Blueprint(
            (
                Node("input"),
                Node(CARRIED, (3,), units="n_hidden"),
                Node("linear", (0,), units="n_hidden"),
                Node("sum", (1, 2)),
                Node("linear", (3,), units="n_outputs"),
            )
        )


def test_recurrent_motifs_have_the_ranges_of_table_4():
    ranges = Recurrent().hyperparameters()
    assert ranges["outer_lr"].high == 2.5
    assert ranges["inner_steps"].choices == (50, 100)
    assert ranges["max_iter"].choices == (100, 200, 300)
    paper = SigmoidSlope().recommended("paper")
    for name, distribution in SigmoidSlope().hyperparameters().items():
        assert distribution._contains(distribution.to_internal_repr(paper[name])), name


def test_a_method_that_is_none_is_an_error():
    with pytest.raises(ValueError, match="'method' parameter of select_hyperparameters"):
        select(method="genetic")


def noisy_line():
    X = np.random.default_rng(0).normal(size=(40, 3))
    return X, X @ [1.0, 2.0, 3.0]


RIDGE = {"alpha": FloatDistribution(1e-6, 1e6, log=True)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_later_settings_know_the_scores_of_earlier_ones(n_jobs):
    X, y = noisy_line()
    search = OptunaSearchCV(Ridge(), RIDGE, n_iter=40, cv=2, n_jobs=n_jobs, random_state=0)
    search.fit(X, y)
    logs = np.log10([params["alpha"] for params in search.cv_results_["params"]])
    assert np.median(logs[20:]) < np.median(logs[:10])
    values = [trial.value for trial in search.study_.trials]
    np.testing.assert_array_equal(values, search.cv_results_["mean_test_score"])
    assert search.study_.best_params == search.best_params_


def test_a_setting_that_fails_is_a_failed_trial():
    X, y = noisy_line()
    search = OptunaSearchCV(Ridge(), {"alpha": [-1.0, 1.0]}, n_iter=8, cv=2, random_state=0)
    with pytest.warns(FitFailedWarning, match="Some settings failed"):
        search.fit(X, y)
    assert len(search.study_.trials) == 8
    states = {trial.params["alpha"]: trial.state for trial in search.study_.trials}
    assert states[-1.0] == optuna.trial.TrialState.FAIL
    assert search.best_params_ == {"alpha": 1.0}


def test_if_every_setting_fails_so_does_the_search():
    X, y = noisy_line()
    for n_jobs in (1, 2):
        search = OptunaSearchCV(Ridge(), {"alpha": [-1.0]}, n_iter=2, cv=2, n_jobs=n_jobs)
        with pytest.raises(ValueError, match="'alpha' parameter of Ridge must be"):
            search.fit(X, y)


def test_several_metrics_refit_by_one():
    X, y = noisy_line()
    scoring = {"r2": "r2", "mae": "neg_mean_absolute_error"}
    search = OptunaSearchCV(Ridge(), RIDGE, n_iter=3, scoring=scoring, refit="mae", cv=2)
    search.fit(X, y)
    assert search.study_.best_value == search.cv_results_["mean_test_mae"].max()


def test_optuna_says_nothing_unless_it_is_asked(capfd):
    X, y = noisy_line()
    before = optuna.logging.get_verbosity()
    OptunaSearchCV(Ridge(), RIDGE, n_iter=2, cv=2).fit(X, y)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_logarithmic_ranges_are_drawn_so():
    draws = _select._Draws(FloatDistribution(1e-4, 1.0, log=True))
    generator = np.random.RandomState(0)
    values = [draws.rvs(random_state=generator) for _ in range(400)]
    assert 0.4 < np.mean(np.array(values) < 1e-2) < 0.6


def test_warnings_of_single_fits_reach_the_user():
    quiet = functools.partial(select, method="grid", param_distributions={"max_outer_loss": [0.0]})
    with pytest.warns(ConvergenceWarning, match="None of the 1 dishes converged"):
        quiet()
