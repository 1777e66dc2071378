"""What dishes leave out, and the spread that is calibrated on it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from small_regressors import fast

from sk_petridish.dish import DishEnsemble, predict_losses
from sk_petridish.estimators._splits import draw_left_out
from sk_petridish.estimators._uncertainty import (
    SpreadCalibration,
    calibrate_spread,
    out_of_bag,
    spread_over_dishes,
)
from sk_petridish.motifs import SigmoidSlope

SLOPES = np.linspace(0.3, 1.8, 12)[:, None]
LOSSES = 0.02 + 0.004 * np.abs(np.log(SLOPES.ravel() / 0.5)) ** 1.5


@given(
    n_dishes=st.integers(1, 30),
    n_motifs=st.integers(2, 60),
    share=st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.34, 0.4, 0.5]),
    seed=st.integers(0, 99),
)
def test_every_motif_is_left_out_as_often_as_the_others(n_dishes, n_motifs, share, seed):
    left_out = draw_left_out(n_dishes, n_motifs, share, np.random.RandomState(seed))
    n_folds = math.ceil(1 / share) if share else 0
    if not n_folds or n_motifs < n_folds or n_dishes < 2 * n_folds:
        assert not left_out.any()
        return
    counts = left_out.sum(axis=0)
    rounds = n_dishes // n_folds
    assert counts.min() >= rounds
    assert counts.max() <= rounds + 1
    # Folds of a round have the same size, up to one, and each dish keeps at least half.
    assert set(left_out.sum(axis=1)) <= {n_motifs // n_folds, -(-n_motifs // n_folds)}
    assert (left_out.sum(axis=1) <= (n_motifs + 1) // 2).all()


def test_a_dish_learns_nothing_from_what_it_leaves_out():
    dish = fast(n_dishes=10).fit(SLOPES, LOSSES)
    others = LOSSES.copy()
    others[4] *= 1.01
    again = fast(n_dishes=10).fit(SLOPES, others)
    np.testing.assert_array_equal(again.left_out_, dish.left_out_)
    for index, (before, after) in enumerate(zip(dish.dishes_, again.dishes_, strict=True)):
        # Up to rounding: losses are normalised over all motifs before each dish's own.
        same = np.allclose(before.x_train, after.x_train, rtol=1e-7, atol=1e-9)
        assert same == dish.left_out_[index, 4]


def test_out_of_bag_predictions_are_those_of_dishes_that_left_a_motif_out():
    dish = fast(n_dishes=12).fit(SLOPES, LOSSES)
    statistic = DishEnsemble(dish.dishes_).statistics(SigmoidSlope().blueprints(SLOPES))
    losses = dish._loss_scale.inverse_transform(predict_losses(dish.dishes_, statistic))
    for motif in range(12):
        ours = losses[dish.left_out_[:, motif], motif]
        assert dish.oob_prediction_[motif] == pytest.approx(np.median(ours))


@pytest.mark.parametrize("options", [{"oob_fraction": 0.0}, {"n_dishes": 9}])
def test_nothing_is_left_out_where_it_is_not_wanted_or_dishes_are_few(options):
    dish = fast(**({"n_dishes": 10} | options)).fit(SLOPES, LOSSES)
    assert not dish.left_out_.any()
    assert dish.oob_prediction_ is None
    statistic = DishEnsemble(dish.dishes_).statistics(SigmoidSlope().blueprints(SLOPES))
    spread = spread_over_dishes(
        dish._loss_scale.inverse_transform(predict_losses(dish.dishes_, statistic))
    )
    np.testing.assert_array_equal(dish.predict(SLOPES, return_std=True)[1], spread)


def test_motifs_held_out_by_early_stopping_calibrate_too():
    dish = fast(n_dishes=2, early_stopping=True).fit(SLOPES, LOSSES)
    assert np.isfinite(dish.oob_prediction_).sum() == 2
    np.testing.assert_array_equal(np.isfinite(dish.oob_prediction_), dish.left_out_.all(axis=0))


def simulate(n, n_dishes, *, floor, factor, seed):
    """Return dishes' predictions whose common error has that factor on their spread."""
    generator = np.random.default_rng(seed)
    spread = np.exp(generator.normal(size=n))
    truth = generator.normal(size=n)
    error = generator.normal(size=n) * np.hypot(factor * spread, floor)
    each = generator.normal(size=(n_dishes, n))
    each = (each - each.mean(axis=0)) / each.std(axis=0, ddof=1)
    return truth, truth + error + each * spread


@pytest.mark.parametrize(("floor", "factor"), [(2.0, 0.5), (0.5, 2.0), (0.01, 1.0)])
def test_the_calibration_is_found_where_there_is_enough_to_find_it(floor, factor):
    truth, losses = simulate(4000, 9, floor=floor, factor=factor, seed=0)
    errors, spread = losses.mean(axis=0) - truth, spread_over_dishes(losses)
    found = calibrate_spread(errors, spread, np.ones(4000), truth.std())
    assert found.factor == pytest.approx(factor, rel=0.15)
    assert found.floor == pytest.approx(floor, rel=0.15, abs=0.1)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_on_a_handful_of_motifs_coverage_is_near_what_it_says(scale):
    covered = []
    for seed in range(200):
        truth, losses = simulate(30, 5, floor=0.7, factor=0.7, seed=seed)
        truth, losses = scale * truth, scale * losses
        errors, spread = losses.mean(axis=0) - truth, spread_over_dishes(losses)
        found = calibrate_spread(errors[:15], spread[:15], np.ones(15), truth[:15].std())
        std = found.std(spread[15:])
        covered.append(np.abs(losses.mean(axis=0)[15:] - truth[15:]) < norm.ppf(0.95) * std)
    assert np.mean(covered) == pytest.approx(0.9, abs=0.06)


def test_errors_of_zero_have_a_spread_all_the_same():
    found = calibrate_spread(np.zeros(5), np.zeros(5), np.ones(5), 1.4)
    assert 0 < found.floor < 0.01
    assert np.isfinite(found.factor)


def test_motifs_that_were_not_left_out_have_no_out_of_bag_prediction():
    left_out = np.array([[True, True, False], [True, False, False]])
    unseen = out_of_bag(np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]), left_out)
    np.testing.assert_array_equal(unseen.prediction, [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(unseen.spread, [np.sqrt(2), np.nan, np.nan])
    none = np.full(3, np.nan)
    assert calibrate_spread(none, none, np.ones(3), 1.0) == SpreadCalibration(1.0, 0.0)
