"""Life among scikit-learn's tools: searches, routing, pages, frames."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from small_regressors import fast

from sk_petridish import PetriDishTransformer
from sk_petridish.metrics import kendall_tau_scorer
from sk_petridish.model_selection import outer_mse_scorer
from sk_petridish.motifs import SigmoidSlope

SLOPES = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7, 1.1, 0.45, 1.0, 0.6])[:, None]
LOSSES = 0.02 + 0.004 * np.abs(np.log(SLOPES.ravel() / 0.23)) ** 1.5


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_a_fit_in_the_worker_of_a_search_is_the_fit_alone(engine):
    dish = Pipeline([("same", FunctionTransformer()), ("dish", fast(engine=engine))])
    grid = {"dish__inner_lr": [0.01, 0.03], "dish__motif_space": [SigmoidSlope()]}
    searches = {
        n_jobs: GridSearchCV(dish, grid, cv=2, n_jobs=n_jobs, scoring=outer_mse_scorer)
        for n_jobs in (1, 2)
    }
    for search in searches.values():
        search.fit(SLOPES, LOSSES)
    for name in ("split0_test_score", "split1_test_score"):
        scores = [search.cv_results_[name] for search in searches.values()]
        np.testing.assert_array_equal(*scores)
    alone = clone(dish).set_params(**searches[2].best_params_).fit(SLOPES, LOSSES)
    np.testing.assert_array_equal(searches[2].predict(SLOPES), alone.predict(SLOPES))
    half = np.arange(10) >= 5  # what the first fold learns from
    first = clone(dish).set_params(dish__inner_lr=0.01).fit(SLOPES[half], LOSSES[half])
    assert searches[2].cv_results_["split0_test_score"][0] == outer_mse_scorer(
        first, SLOPES[~half], LOSSES[~half]
    )


def fit_here(dish):
    return dish.fit(SLOPES, LOSSES).predict(SLOPES)


def test_a_fit_in_another_process_is_the_fit_alone():
    (there,) = joblib.Parallel(2)(joblib.delayed(fit_here)(dish) for dish in [fast(n_dishes=10)])
    np.testing.assert_array_equal(there, fit_here(fast(n_dishes=10)))


def test_sample_weight_is_routed_to_where_it_was_asked_for():
    weights = np.arange(10.0)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = fast().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(FunctionTransformer(), asking).fit(
            SLOPES, LOSSES, sample_weight=weights
        )
        expected = fast().fit(SLOPES, LOSSES, sample_weight=weights)
        np.testing.assert_array_equal(pipeline.predict(SLOPES), expected.predict(SLOPES))
        silent = fast().set_fit_request(sample_weight=False)
        with pytest.raises(TypeError, match="unexpected argument"):
            make_pipeline(FunctionTransformer(), silent).fit(SLOPES, LOSSES, sample_weight=weights)
        scores = cross_val_score(
            fast().set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
            SLOPES,
            LOSSES,
            params={"sample_weight": weights},
            scoring=kendall_tau_scorer,
            cv=2,
        )
        assert np.isfinite(scores).all()


def test_return_std_is_routed_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        asking = fast().set_predict_request(return_std=True)
        fitted = make_pipeline(FunctionTransformer(), asking).fit(SLOPES, LOSSES)
        mean, std = fitted.predict(SLOPES, return_std=True)
    assert mean.shape == std.shape == (10,)


def test_partial_fit_takes_requests_too():
    with sklearn.config_context(enable_metadata_routing=True):
        asking = fast().set_partial_fit_request(sample_weight=True)
        assert asking.get_metadata_routing().partial_fit.requests == {"sample_weight": True}


def test_the_page_shows_the_motif_space_before_and_after_fitting():
    dish = fast()
    assert "SigmoidSlope" in dish._repr_html_()
    rows = np.hstack([SLOPES, SLOPES])
    page = dish.fit(rows, LOSSES)._repr_html_()
    assert "SigmoidSlope" in page
    assert "n_slopes" in page
    page = make_pipeline(FunctionTransformer(), fast(motif_space=SigmoidSlope(low=0.125)))
    assert "0.125" in page._repr_html_()


def test_names_of_columns():
    frame = pd.DataFrame({"slope": SLOPES.ravel()})
    dish = fast().fit(frame, LOSSES)
    assert dish.feature_names_in_.tolist() == ["slope"]
    np.testing.assert_array_equal(dish.predict(frame), fast().fit(SLOPES, LOSSES).predict(SLOPES))
    with pytest.raises(ValueError, match="feature names should match"):
        dish.predict(frame.rename(columns={"slope": "c"}))


def test_dishes_are_stacked_and_targets_transformed():
    stack = StackingRegressor(
        [("dish", fast()), ("bank", make_pipeline(PetriDishTransformer(
            dishes=[("a", fast())]), RidgeCV()))], RidgeCV(), cv=2,
    ).fit(SLOPES, LOSSES)  # fmt: skip
    assert np.isfinite(stack.predict(SLOPES)).all()
    logarithmic = TransformedTargetRegressor(fast(), func=np.log, inverse_func=np.exp)
    assert (logarithmic.fit(SLOPES, LOSSES).predict(SLOPES) > 0).all()


def test_cross_validation_returns_estimators_that_know_their_folds():
    results = cross_validate(
        fast(), SLOPES, LOSSES, cv=5, return_estimator=True, scoring=kendall_tau_scorer
    )
    assert [len(dish.X_train_) for dish in results["estimator"]] == [8] * 5
